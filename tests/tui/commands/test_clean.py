"""The command `voicecoach clean`, as it is typed."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from paths import SPEECH
from typer.testing import CliRunner

from engine.files import new_folder
from tui.cli import app
from tui.command_line import unwind_on_sigterm


@pytest.fixture
def corpus(tmp_path):
    return Path(shutil.copytree(SPEECH, tmp_path / "corpus"))


def test_says_what_the_copy_holds_and_what_it_lacks(corpus, tmp_path):
    with (corpus / "metadata.csv").open("a") as file:
        file.write("[red]lost|nobody recorded this\n")
    out = f"{tmp_path}/a/b/../mended"
    ran = CliRunner().invoke(app, ["clean", str(corpus), "--out", out])
    assert ran.exit_code == 0
    text = " ".join(ran.stdout.split())
    assert "3 clips" in text
    assert "left out 1 clip:" in text
    assert "[red]lost" in text
    assert text.endswith(f"next: voicecoach train {out}")
    assert ran.stderr == ""
    assert (tmp_path / "a" / "mended" / "wavs" / "LJ001-0008.wav").exists()
    # A folder that the way only passes by is not made.
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["mended"]


def test_a_taken_place_is_told_in_one_sentence(corpus, tmp_path):
    ran = CliRunner().invoke(app, ["clean", str(corpus), "--out", str(corpus / "mended")])
    assert ran.exit_code == 2
    assert ran.stderr.startswith("voicecoach: ")
    assert ran.stderr.count("\n") == 1
    assert not (corpus / "mended").exists()


def test_told_to_end_it_removes_what_is_half_made(tmp_path):
    with pytest.raises(SystemExit) as ended, unwind_on_sigterm(), new_folder(tmp_path / "a" / "b"):
        os.kill(os.getpid(), signal.SIGTERM)
    assert ended.value.code == 128 + signal.SIGTERM
    assert not list(tmp_path.iterdir())
