"""`voicecoach train` with symbols of one's own: the options reach the voice."""

from pathlib import Path

from typer.testing import CliRunner

from tui.cli import app

DEMO_VOICE = Path(__file__).parents[2] / "assets" / "demo" / "voice"
SPEECH = Path(__file__).parents[1] / "fixtures" / "ljspeech-3"


def complaint(*options: str) -> str:
    """The one sentence with which an order is refused."""
    result = CliRunner().invoke(app, ["train", *options, "--headless"])
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_what_is_no_vocabulary_is_answered_with_the_line_to_type(tmp_path: Path) -> None:
    said = complaint(str(SPEECH), "--voice", str(tmp_path / "new"), "--vocabulary", "abc")
    assert "type --vocabulary 'PE abc'" in said
    assert not (tmp_path / "new").exists()


def test_a_voice_that_exists_keeps_symbols_and_cleaner() -> None:
    voice = ("--voice", str(DEMO_VOICE))
    assert "another voice" in complaint(*voice, "--vocabulary", "PE abc")
    assert "another voice" in complaint(*voice, "--cleaner", "plain")
