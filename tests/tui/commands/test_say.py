"""`voicecoach say --show-text`: what a voice would read."""

from pathlib import Path

import pytest
from paths import DEMO_VOICE
from typer.testing import CliRunner

from tui.cli import app


def shown(text, voice=DEMO_VOICE):
    return CliRunner().invoke(app, ["say", text, "--voice", str(voice), "--show-text"])


def test_the_text_is_shown_as_it_is_read_a_sentence_a_line():
    ran = shown("Mr. Smith paid $5.20 at 7:30 p.m. He left in 1984 — with 3 cafés.")
    assert ran.exit_code == 0
    assert ran.stdout.splitlines() == [
        "mister smith paid five dollars and twenty cents at seven thirty p m.",
        "he left in nineteen eighty four; with three cafes.",
    ]


@pytest.mark.parametrize(
    ("text", "voice"), [('"…"', DEMO_VOICE), ("Hello.", Path("no such voice"))]
)
def test_nothing_to_read_is_told_in_one_sentence(text, voice):
    ran = shown(text, voice)
    assert ran.exit_code == 2
    assert ran.stderr.count("\n") == 1
    assert not ran.stdout


def test_what_is_lost_of_the_text_is_said_beside_it():
    ran = shown("Привет 🎈, hello.")
    assert ran.stdout == "privet, hello.\n"
    assert "no symbol for: '🎈'; not English: 'Привет' is read as 'privet'" in ran.stderr
