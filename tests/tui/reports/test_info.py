"""What `voicecoach info` prints of a corpus."""

import json
import shutil

import pytest
from paths import EARLIER_VOICE
from typer.testing import CliRunner

from engine.run.sample import KeptCheckpoint, lacking_ssrn
from engine.voice.comparisons import Comparison, append_comparison
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings
from tui.cli import app

DASH = {"character": "-", "count": 1140, "line": 7, "example": "a well-read man", "becomes": " "}
QUOTE = {"character": '"', "count": 1, "line": 12, "example": 'said "stop"', "becomes": ""}


@pytest.fixture
def told(tmp_path):
    def told(unknown: list) -> list[str]:
        voice = Voice.create(tmp_path / "voice", VoiceSettings(tmp_path / "corpus"))
        voice.corpus_report.write_text(json.dumps({"clips": 2, "unknown_characters": unknown}))
        result = CliRunner().invoke(app, ["info", str(voice.folder)], env={"COLUMNS": "160"})
        assert result.exit_code == 0
        return [line.strip() for line in result.stdout.splitlines()]

    return told


@pytest.mark.parametrize(("dropout", "shown"), [(0.0, "0 (default 0.05)"), (0.05, "0.05")])
def test_another_dropout_than_the_default_is_pointed_out(tmp_path, dropout, shown):
    Voice.create(tmp_path, VoiceSettings(tmp_path / "corpus", dropout=dropout))
    lines = CliRunner().invoke(app, ["info", str(tmp_path)]).stdout.splitlines()
    assert f"dropout {shown}" in [" ".join(line.split()) for line in lines]


def test_unknown_characters_are_told_in_sentences(told):
    lines = told([DASH, QUOTE])
    [first] = [line for line in lines if line.startswith("unknown characters")]
    assert first.endswith("-  1,140×, read as a space; first in line 7: a well-read man")
    assert '"  1×, left out; first in line 12: said "stop"' in lines


def test_many_unknown_characters_are_counted_and_a_few_named(told):
    lines = told([{**DASH, "character": chr(0x391 + number)} for number in range(15)])
    assert sum("first in line 7" in line for line in lines) == 12
    assert "and 3 more (see --json)" in lines


@pytest.mark.parametrize(
    "said", ["-", {}, {"character": ""}, {**DASH, "character": ""}, {**DASH, "count": "many"}]
)
def test_what_no_check_wrote_is_shown_as_it_is(told, said):
    assert any(line.endswith(str(said)) for line in told([said]))


def test_without_unknown_characters_it_says_none(told):
    assert any(line.split() == ["unknown", "characters", "none"] for line in told([]))


def test_what_blind_comparisons_say_is_shown(tmp_path):
    voice = Voice.create(tmp_path, VoiceSettings(tmp_path / "corpus"))
    for number in range(6):
        files, sentence = ("a.wav", "b.wav"), f"Sentence {number}."
        append_comparison(voice, Comparison(1.0, "text2mel", 900, 800, "a", sentence, files))
        if not number:
            early = CliRunner().invoke(app, ["info", str(tmp_path)], env={"COLUMNS": "160"})
            assert "800 and 900: 1 answer, not decided yet; about 5 more" in early.stdout
    result = CliRunner().invoke(app, ["info", str(tmp_path)], env={"COLUMNS": "160"})
    line = "comparisons of Text2Mel 900 wins: better than 800 in 6 of 6 answers (95 % interval 52"
    assert line in " ".join(result.stdout.split())
    described = CliRunner().invoke(app, ["info", str(tmp_path), "--json"]).stdout
    [pair] = json.loads(described)["comparisons"]["text2mel"]
    assert (pair["steps"], pair["answers"], pair["best"]) == ([800, 900], 6, 900)


def test_a_voice_without_a_trained_ssrn_names_the_command_that_trains_it(tmp_path):
    def following():
        told = CliRunner().invoke(app, ["info", str(voice), "--json"])
        return json.loads(told.stdout)["next"]

    voice = shutil.copytree(EARLIER_VOICE, tmp_path / "old voice")
    assert following() is None
    shutil.rmtree(voice / "ssrn")
    assert "speaks from the mel alone" in following()["why"]
    command = f"voicecoach train --voice '{voice}' --network ssrn --stop-at +5k"
    assert following()["command"] == command
    shown = CliRunner().invoke(app, ["info", str(voice)], env={"COLUMNS": "60"}).stdout
    assert f"\n  {command}\n" in shown


@pytest.mark.parametrize(
    ("checkpoints", "lacks"),
    [
        ([("text2mel", True), ("ssrn", True)], ""),
        ([("text2mel", True), ("text2mel", False), ("ssrn", True)], "the base's"),
        ([("text2mel", False)], "no SSRN yet"),
        ([("text2mel", False), ("ssrn", True), ("ssrn", False)], ""),
    ],
    ids=str,
)
def test_a_base_alone_is_no_trained_ssrn(checkpoints, lacks):
    kept = [KeptCheckpoint(name, 1, base=base) for name, base in checkpoints]
    said = lacking_ssrn(kept)
    assert lacks in said
    assert bool(lacks) is bool(said)
