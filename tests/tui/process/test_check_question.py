"""A corpus with a fault, from the command to the answer, in a real terminal."""

import shutil
import sys
from pathlib import Path

import pytest
from paths import SPEECH

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.fixture
def asked(runs, tmp_path: Path):
    """A run whose screen shows what the check found, and waits."""
    dataset = Path(shutil.copytree(SPEECH, tmp_path / "recordings"))
    with (dataset / "metadata.csv").open("a", encoding="utf-8") as metadata:
        metadata.write("LJ001-9999|nobody [b]recorded[/b] this|nobody recorded this\n")
    command = ["train", str(dataset), "--voice", str(runs.voice), "--preset", "small"]
    command += ["--device", "cpu", "--precision", "fp32", "--stop-at", "+1"]
    terminal = runs.start([sys.executable, "-m", "tui", *command])
    terminal.wait_for("Training starts in")
    terminal.wait_for("LJ001-9999")
    return terminal


def test_who_leaves_has_no_voice_and_is_told_so(runs, asked) -> None:
    asked.type("q")
    asked.wait_for("nothing is lost")
    asked.type("s")

    assert asked.wait() == 0
    asked.wait_for("nothing was trained; fix")
    asked.wait_until_restored()
    assert not runs.voice.exists()


def test_who_begins_is_trained_for(runs, asked) -> None:
    asked.type("\r")
    first = runs.voice / "text2mel" / "checkpoints" / "step-000000001"
    runs.wait_until(first.is_dir, "the first checkpoint")
    asked.wait_for("Stopped at 1, saved.")
    asked.type("q")

    assert asked.wait() == 0
    asked.wait_for("saved at step 1; to continue")
