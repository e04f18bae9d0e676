"""Races of recipes: what they print, what they leave, and what they refuse."""

import pytest
import race
from paths import DEMO_VOICE, SLT

from engine.voice.folder import Voice

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("network", "base"), [("text2mel", 10_000), ("ssrn", 8_000)])
def test_a_race_prints_held_out_losses_and_leaves_a_voice(network, base, tmp_path, capsys):
    def run(name, *more):
        given = [SLT, "--from", DEMO_VOICE, "--out", tmp_path / name, "--network", network]
        assert race.main([*map(str, given), "--steps", "4", *more]) == 0
        return [line.split() for line in capsys.readouterr().out.splitlines()[1:]]

    first, again = run("first"), run("again")
    assert [row[0] for row in first] == ["1", "2", "3", "4"]
    assert [row[2:] for row in first] == [row[2:] for row in again]
    faster = run("faster", "--set", "restart_steps=1")
    assert faster[0][2] == first[0][2]
    assert faster[-1][3] != first[-1][3]
    voice = Voice.open(tmp_path / "first")
    assert [entry.step for entry in voice.checkpoints(network)] == [base, base + 4]
    assert len(voice.settings.held_out) == 1


REFUSED = {
    "--set": [
        *("temp=0.2", "tempo=fast", "tempo", "batch_size=[16]", "name=1", "batch_size=0"),
        *("batch_size=1.5", "tempo=NaN", "tempo=None", "restart_steps=-1", "masked=1"),
    ],
    "--steps": ["0"],
    "--seconds": ["0.0", "nan"],
    "--seed": ["-1"],
    "--threads": ["0"],
    "--dropout": ["1.0"],
}


@pytest.mark.parametrize(("option", "wrong"), [(o, w) for o, all in REFUSED.items() for w in all])
def test_a_race_refuses_what_is_out_of_range_in_one_sentence(option, wrong, tmp_path, capsys):
    out = tmp_path / "race"
    assert race.main([str(SLT), f"--from={DEMO_VOICE}", f"--out={out}", option, wrong]) == 2
    [sentence] = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"race.py: {option} {'' if option == '--set' else 'is '}{wrong}")
    assert not out.exists()


def test_settings_are_read():
    assert race.read_changes(["ema_decay=None", "masked=False", "tempo=0.1", "peak_rate=1"]) == {
        "ema_decay": None,
        "masked": False,
        "tempo": 0.1,
        "peak_rate": 1.0,
    }
