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


def test_a_race_with_a_setting_that_there_is_not_is_refused(tmp_path, capsys):
    for wrong in ("temp=0.2", "tempo=fast", "tempo", "batch_size=[16]", "name=1"):
        out = tmp_path / "race"
        assert race.main([str(SLT), f"--from={DEMO_VOICE}", f"--out={out}", "--set", wrong]) == 2
        assert capsys.readouterr().err.startswith(f"race.py: --set {wrong}: ")
        assert not out.exists()
    assert race.read_changes(["ema_decay=None", "masked=False", "tempo=0.1"]) == {
        "ema_decay": None,
        "masked": False,
        "tempo": 0.1,
    }
    with pytest.raises(SystemExit, match="2"):
        race.main([str(SLT), f"--from={DEMO_VOICE}", f"--out={out}", "--steps", "0"])
