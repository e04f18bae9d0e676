"""Sums on the command line, as a shell hands them over: of a bare $30 it leaves 0."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings
from tui.cli import app


@pytest.fixture
def folder(tmp_path):
    Voice.create(tmp_path / "voice", VoiceSettings(dataset=tmp_path, budget=0.05, price=1.0))
    return tmp_path / "voice"


def budget_of(folder):
    return Voice.open(folder).settings.budget


@pytest.mark.parametrize("sum_", ["$30", "$5", "$105", "$100"])
def test_what_a_shell_makes_of_a_bare_budget_is_refused_and_the_stored_one_stays(folder, sum_):
    python = f"{sys.executable} -m tui train --voice {folder}"
    done = subprocess.run(
        ["sh", "-c", f"{python} --budget {sum_} --headless"],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "'$30'" in done.stderr
    assert budget_of(folder) == 0.05


def test_none_is_the_word_for_no_budget_and_for_no_stop(tmp_path):
    for said in ("--budget", "--stop-at"):
        told = CliRunner().invoke(app, ["train", str(tmp_path / "nowhere"), said, "none"])
        assert "There is no dataset folder" in told.stderr
        told = CliRunner().invoke(app, ["train", str(tmp_path / "nowhere"), said, "nothing"])
        assert "or none" in told.stderr


@pytest.mark.parametrize("left", ["0", "00", "", "0.50", "5.50", "05", ",000", "--headless"])
def test_what_a_shell_leaves_of_a_sum_is_no_stop_and_the_sentence_says_why(left):
    told = CliRunner().invoke(app, ["train", "nowhere", "--stop-at", left])
    assert told.exit_code == 2
    assert "if you meant a sum, quote it for the shell: '$25'" in told.stderr


def test_no_dollar_sign_stands_bare_where_a_shell_would_take_it(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    told = CliRunner().invoke(app, ["train", "--help"]).stdout
    assert "such as 30:" in told
    assert "'$10'" in told
    assert told.count("$") == 1
