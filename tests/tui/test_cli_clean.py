"""The command `voicecoach clean`, as it is typed."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tui.cli import app

SPEECH = Path(__file__).parents[1] / "fixtures" / "ljspeech-3"


@pytest.fixture
def corpus(tmp_path):
    return Path(shutil.copytree(SPEECH, tmp_path / "corpus"))


def test_says_what_the_copy_holds_and_what_it_lacks(corpus, tmp_path):
    with (corpus / "metadata.csv").open("a") as file:
        file.write("[red]lost|nobody recorded this\n")
    ran = CliRunner().invoke(app, ["clean", str(corpus), "--out", str(tmp_path / "mended")])
    assert ran.exit_code == 0
    text = " ".join(ran.stdout.split())
    assert "3 clips" in text
    assert "left out 1 row:" in text
    assert "[red]lost" in text
    assert "4" in text
    assert "voicecoach check" in text
    assert ran.stderr == ""
    assert (tmp_path / "mended" / "wavs" / "LJ001-0008.wav").exists()


def test_a_taken_place_is_told_in_one_sentence(corpus, tmp_path):
    ran = CliRunner().invoke(app, ["clean", str(corpus), "--out", str(corpus / "mended")])
    assert ran.exit_code == 2
    assert ran.stderr.startswith("voicecoach: ")
    assert ran.stderr.count("\n") == 1
    assert not (corpus / "mended").exists()


def test_a_full_or_forbidden_disk_leaves_nothing(corpus, tmp_path):
    # A file stands where the folder of the copy would have to be made.
    (tmp_path / "file").write_text("")
    ran = CliRunner().invoke(app, ["clean", str(corpus), "--out", str(tmp_path / "file" / "out")])
    assert ran.exit_code == 1
    assert ran.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "file"]
