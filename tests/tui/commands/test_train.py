"""`voicecoach train`: its options, as a shell passes them: of a bare $30 it leaves 0."""

import pytest
from paths import DEMO_VOICE, SPEECH
from typer.testing import CliRunner

from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings
from tui.cli import app


@pytest.fixture
def folder(tmp_path):
    Voice.create(tmp_path / "voice", VoiceSettings(dataset=tmp_path, budget=0.05, price=1.0))
    return tmp_path / "voice"


def test_a_bare_budget_is_refused_and_the_old_one_stays(folder):
    # What a shell leaves of $30 and of $105.
    for left in ("0", "05"):
        assert "'$30'" in complaint("--voice", str(folder), "--budget", left)
    assert Voice.open(folder).settings.budget == 0.05


def test_none_means_no_budget_or_no_stop(tmp_path):
    for said in ("--budget", "--stop-at"):
        told = CliRunner().invoke(app, ["train", str(tmp_path / "nowhere"), said, "none"])
        assert "There is no corpus folder" in told.stderr
        told = CliRunner().invoke(app, ["train", str(tmp_path / "nowhere"), said, "nothing"])
        assert "or none" in told.stderr


@pytest.mark.parametrize("left", ["0", "", "5.50", "--headless"])
def test_what_a_shell_leaves_of_a_sum_is_no_stop(left):
    told = CliRunner().invoke(app, ["train", "nowhere", "--stop-at", left])
    assert told.exit_code == 2
    assert "if you meant a sum, quote it for the shell: '$25'" in told.stderr


def test_the_help_shows_no_bare_dollar_sign(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    told = CliRunner().invoke(app, ["train", "--help"]).stdout
    assert "such as 30:" in told
    assert "'$10'" in told
    assert told.count("$") == 1


def complaint(*options: str) -> str:
    """The one sentence with which an order is refused."""
    result = CliRunner().invoke(app, ["train", *options, "--headless"])
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_a_step_to_start_from_needs_the_voice_that_has_it(tmp_path):
    new = str(tmp_path / "new")
    for source, why in (((), "goes with --from"), (("--from", str(DEMO_VOICE)), "not known")):
        said = complaint(str(SPEECH), "--voice", new, *source, "--from-step", "best")
        assert why in said


def test_what_is_no_vocabulary_is_answered_with_the_line_to_type(tmp_path) -> None:
    said = complaint(str(SPEECH), "--voice", str(tmp_path / "new"), "--vocabulary", "abc")
    assert "type --vocabulary 'PE abc'" in said
    assert not (tmp_path / "new").exists()


def test_a_voice_that_exists_keeps_symbols_and_cleaner() -> None:
    voice = ("--voice", str(DEMO_VOICE))
    assert "another voice" in complaint(*voice, "--vocabulary", "PE abc")
    assert "another voice" in complaint(*voice, "--cleaner", "plain")
