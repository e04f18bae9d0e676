"""A `voice.toml` that was cut off, or that a power cut left: refused, and never written over."""

import json

import pytest
from typer.testing import CliRunner

from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings
from tui.cli import app


def cut_by_a_line(whole: bytes) -> bytes:
    return b"".join(whole.splitlines(keepends=True)[:-1])


@pytest.fixture
def voice(tmp_path):
    (tmp_path / "recordings" / "wavs").mkdir(parents=True)
    (tmp_path / "recordings" / "metadata.csv").touch()
    return Voice.create(
        tmp_path / "voice", VoiceSettings(tmp_path / "recordings", budget=30.0, price=1.0)
    )


@pytest.mark.parametrize(
    "command",
    [
        "train --voice {voice} --headless",
        "train {recordings} --voice {new} --from {voice} --headless",
        "demo --voice {voice} --headless",
        "say hello --voice {voice}",
        "info {voice}",
        "export {voice} --out {new}",
        "check {recordings} --against {voice}",
    ],
)
def test_settings_that_were_cut_off_are_refused(voice, tmp_path, command):
    path = voice.folder / "voice.toml"
    whole = path.read_bytes()
    names = {"voice": voice.folder, "recordings": tmp_path / "recordings", "new": tmp_path / "new"}
    for content in (b"", whole[: whole.index(b"[audio]")], cut_by_a_line(whole), bytes(len(whole))):
        path.write_bytes(content)
        told = CliRunner().invoke(app, [word.format(**names) for word in command.split()])
        assert told.exit_code == 2, told.output
        [sentence] = told.stderr.splitlines()
        assert "restore it from a backup or the voice's mirror" in sentence
        assert str(path) in sentence
        assert path.read_bytes() == content
        assert [one.name for one in voice.folder.iterdir()] == ["voice.toml"]
        assert not (tmp_path / "new").exists()


def test_a_budget_without_a_readable_spend_log_is_refused(voice):
    (voice.folder / "spend.jsonl").write_bytes(bytes(4096))
    told = CliRunner().invoke(app, ["train", "--voice", str(voice.folder), "--headless"])
    assert told.exit_code == 2
    assert "none of its lines can be read" in told.stderr
    told = CliRunner().invoke(app, ["info", str(voice.folder), "--json"])
    assert told.exit_code == 0
    assert "1 damaged, not counted" in json.loads(told.stdout)["spend"]["problem"]


def test_a_stop_of_zeros_is_asked_for_again(voice):
    (voice.folder / "text2mel").mkdir()
    (voice.folder / "text2mel" / "stop.json").write_bytes(bytes(64))
    told = CliRunner().invoke(app, ["train", "--voice", str(voice.folder), "--headless"])
    assert told.exit_code == 2
    assert "give the stop again with --stop-at" in told.stderr
