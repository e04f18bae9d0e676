"""Names and texts from a stranger's voice on lines and in tables: shown, never obeyed."""

import json

import pytest
from typer.testing import CliRunner

from engine.run.snapshot import Event
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings
from tui.cli import app
from tui.process.headless import Lines, event_line
from tui.process.streams import print_error
from tui.process.terminal import Terminal

TRAPS = "[red]\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.\u2066\r\n\x00x"
NAMES = TRAPS.replace("\x00", "").replace("/", "")


def is_harmless(text: str) -> bool:
    return all(letter.isprintable() or letter == "\n" for letter in text)


@pytest.fixture
def stranger(tmp_path):
    voice = Voice.create(tmp_path / NAMES, VoiceSettings(tmp_path / NAMES))
    report = {
        "clips": 2,
        "held_out": [TRAPS],
        "left_out": [{"line": TRAPS, "id": TRAPS, "reason": TRAPS}],
    }
    voice.corpus_report.write_text(json.dumps(report))
    step = voice.folder / "text2mel" / "checkpoints" / "step-000000005"
    step.mkdir(parents=True)
    (step / "state.json").write_text(TRAPS)
    return voice.folder


def test_info_shows_names_as_they_are_and_obeys_none(stranger):
    told = CliRunner().invoke(app, ["info", str(stranger)])
    assert told.exit_code == 0
    assert is_harmless(told.stdout)
    assert "[red]" in told.stdout
    told = CliRunner().invoke(app, ["info", str(stranger), "--json"])
    assert is_harmless(told.stdout)
    description = json.loads(told.stdout)
    assert description["voice"] == NAMES
    assert description["corpus"]["left_out"] == [{"line": TRAPS, "id": TRAPS, "reason": TRAPS}]


@pytest.mark.parametrize("command", ["info", "say", "export", "train"])
def test_a_sentence_about_a_strange_name_is_harmless(tmp_path, command, capfd):
    folder = tmp_path / NAMES
    options = {
        "info": ["info", str(folder)],
        "say": ["say", "hello", "--voice", str(folder)],
        "export": ["export", str(folder), "--out", str(tmp_path / "out")],
        "train": ["train", "--voice", str(folder), "--headless"],
    }
    told = CliRunner().invoke(app, options[command])
    assert told.exit_code != 0
    assert is_harmless(told.stdout + told.stderr)
    assert "[red]" in told.stderr


def test_lines_of_a_run_are_one_line_each_and_harmless(capsys):
    lines = Lines()
    lines.write(event_line(Event(0.0, f"saved {TRAPS}.wav")))
    print_error(TRAPS)
    told = capsys.readouterr()
    assert is_harmless(told.out + told.err)
    assert (told.out.count("\n"), told.err.count("\n")) == (1, 1)
    assert "[red]" in told.out


def test_what_is_said_below_a_closed_screen_is_harmless(monkeypatch):
    written = []
    terminal = Terminal()
    monkeypatch.setattr(terminal, "_write", written.append)
    terminal.say(f"saved in {TRAPS}")
    assert is_harmless(written[0].removesuffix("\r\n"))
