"""The whole command, the engine included, on three recordings, in a real terminal."""

import json
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from paths import SPEECH

from engine.voice.folder import Voice

pytestmark = [pytest.mark.process, pytest.mark.slow]

WAITING_RUN = Path(__file__).with_name("waiting_run.py")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SPEECH, tmp_path / "recordings"))


def voicecoach(runs, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tui", *arguments]


def newest_step(runs) -> int:
    told = subprocess.run(
        voicecoach(runs, "info", str(runs.voice), "--json"),
        env=runs.environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(told.stdout)["networks"]["text2mel"]["step"]


def test_ended_by_a_signal_and_continued_to_a_stop(runs, dataset: Path) -> None:
    begin = ["train", str(dataset), "--voice", str(runs.voice), "--preset", "small"]
    begin += ["--device", "cpu", "--precision", "fp32", "--checkpoint-every", "2"]
    terminal = runs.start(voicecoach(runs, *begin))
    terminal.wait_for_screen()
    first = runs.voice / "text2mel" / "checkpoints" / "step-000000002"
    runs.wait_until(first.is_dir, "the first checkpoint", deadline=60)

    terminal.process.terminate()

    assert terminal.wait() == 0
    terminal.wait_for("saved at step")
    terminal.wait_until_restored()
    reached = newest_step(runs)
    assert reached > 0

    more = ["train", "--voice", str(runs.voice), "--device", "cpu", "--precision", "fp32"]
    more += ["--stop-at", "+3", "--headless"]
    subprocess.run(voicecoach(runs, *more), env=runs.environment(), check=True)
    assert newest_step(runs) == reached + 3

    # As whatever starts a job again after its machine went away may do once too often.
    more[-2] = str(reached + 3)
    done = subprocess.run(
        voicecoach(runs, *more), env=runs.environment(), check=True, capture_output=True, text=True
    )
    assert "nothing to do: already at step" in done.stdout
    budget = [*more[:-3], "--price", "1000", "--budget", "0.001", "--headless"]
    for sentence in ("0.00 is used up", "nothing to do: the budget of $0.00 is used up"):
        done = subprocess.run(
            voicecoach(runs, *budget),
            env=runs.environment(),
            check=True,
            capture_output=True,
            text=True,
        )
        assert sentence in done.stdout
    assert newest_step(runs) == reached + 3


def test_an_unread_terminal_holds_no_run_at_its_budget(runs, dataset: Path) -> None:
    begin = ["train", str(dataset), "--voice", str(runs.voice), "--preset", "small"]
    # A dollar a second.
    begin += ["--device", "cpu", "--price", "3600", "--budget", "10"]
    terminal = runs.start(voicecoach(runs, *begin))
    terminal.wait_for_screen()
    terminal.fill()

    assert terminal.wait() == 0
    log = runs.said("voicecoach.log")
    assert "no terminal takes the screen's output: the run ends" in log
    # However long the preparation took, and with it the way to the budget.
    arrived = float(re.search(r"budget of \$10.00 is used up: \$([\d.]+) spent", log)[1])
    paid = Voice.open(runs.voice).spend.usd
    assert round(paid, 2) >= 10
    # Some seconds to notice and to save; the log rounds to the cent.
    assert arrived - 0.01 <= paid < arrived + 30


def test_a_read_terminal_without_keys_ends_the_run_at_its_stop(runs, dataset: Path) -> None:
    begin = [str(dataset), "--preset", "small", "--device", "cpu", "--stop-at", "+1"]
    command = [sys.executable, str(WAITING_RUN), "train", "--voice", str(runs.voice)]
    held = runs.start([*command, *begin, "--hold"])
    held.wait_for("Stopped at 1, saved")
    held.type("e!\r")
    # By then the engine has looked whether its wait is over.
    runs.wait_until(lambda: "sentence: " in runs.said("voicecoach.log"), "an answer")
    assert "unless a key" not in held.text
    held.type("q")
    assert held.wait() == 0

    terminal = runs.start([*command, "--stop-at", "+1", "--device", "cpu"])
    assert terminal.wait() == 0
    said = "nobody pressed a key for 0 minutes, so the run ended: saved at step 2"
    runs.wait_until(lambda: said in terminal.text, "the last line")
    terminal.wait_until_restored()


def test_a_refused_order_leaves_the_recordings_alone(runs, dataset: Path) -> None:
    recordings = dataset / "wavs"
    for recording in recordings.iterdir():
        recording.write_bytes(b"not a sound")

    # The recordings' own folder is a poor choice for a voice, and somebody will make it.
    terminal = runs.start(
        voicecoach(runs, "train", str(dataset), "--voice", str(dataset), "--preset", "small")
    )

    assert terminal.wait() == 2
    terminal.wait_for("voicecoach: ")
    terminal.wait_until_restored()
    left = {entry.name for entry in dataset.iterdir()}
    assert left == {entry.name for entry in SPEECH.iterdir()}
    assert len(list(recordings.iterdir())) == 3


def test_a_run_whose_memory_is_used_up_can_still_be_ended(runs, dataset: Path) -> None:
    """It saves what it has made, or says that memory is too small; it never stays for ever."""
    begin = ["train", str(dataset), "--voice", str(runs.voice), "--preset", "small"]
    begin += ["--device", "cpu", "--checkpoint-every", "2", "--headless"]
    run = subprocess.Popen(
        voicecoach(runs, *begin),
        env=runs.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    first = runs.voice / "text2mel" / "checkpoints" / "step-000000002"
    runs.wait_until(first.is_dir, "the first checkpoint")
    pages = int(Path(f"/proc/{run.pid}/statm").read_text().split()[0])
    size = pages * resource.getpagesize()
    resource.prlimit(run.pid, resource.RLIMIT_AS, (size, size))
    run.terminate()

    told, _ = run.communicate(timeout=120)

    assert run.returncode in (0, 1), told
    assert "saved at step" in told or "Out of memory on cpu" in told
    assert newest_step(runs) >= 2
    ledger = (runs.voice / "spend.jsonl").read_text().splitlines()
    assert json.loads(ledger[-1])["last_step"] == newest_step(runs)
