"""The whole command, the engine included, on three recordings and a small voice."""

import json
import re
import resource
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fake_metadata import FakeMetadata
from paths import SPEECH

from engine.voice.folder import Voice

pytestmark = [pytest.mark.process, pytest.mark.slow]

WAITING_RUN = Path(__file__).with_name("waiting_run.py")
CPU = ["--device", "cpu", "--precision", "fp32"]


@pytest.fixture
def train(runs, make_voice):
    """The command that trains a small voice on the CPU."""
    make_voice()

    def command(*options: str, program: tuple[str, ...] = ("-m", "tui")) -> list[str]:
        return [sys.executable, *program, "train", "--voice", str(runs.voice), *CPU, *options]

    return command


def newest_step(runs) -> int:
    return Voice.open(runs.voice).newest("text2mel").step


def wait_for_checkpoint(runs, step: int) -> None:
    folder = Voice.open(runs.voice).checkpoint_folder("text2mel", step)
    runs.wait_until(folder.is_dir, f"checkpoint {step}")


def test_ended_by_a_signal_and_continued_to_a_stop(runs, train, train_here) -> None:
    terminal = runs.start(train("--checkpoint-every", "2"))
    terminal.wait_for_screen()
    wait_for_checkpoint(runs, 2)
    terminal.process.terminate()
    assert terminal.wait() == 0
    terminal.wait_for("saved at step")
    terminal.wait_until_restored()
    reached = newest_step(runs)

    again = ["--voice", str(runs.voice), *CPU, "--price", "1000"]
    done = train_here(*again, "--stop-at", "+3")
    assert (done.exit_code, newest_step(runs)) == (0, reached + 3), done.output

    # As whatever starts a job again after its machine went away may do once too often.
    for options, told in (
        (["--stop-at", str(reached + 3)], "already at step"),
        (["--budget", "0.001"], "the budget of $0.001 is used up"),
    ):
        done = train_here(*again, *options)
        [line] = [one for one in done.stdout.splitlines() if one.startswith("nothing to do: ")]
        assert (done.exit_code, told in line) == (0, True), line


def test_an_unread_terminal_holds_no_run_at_its_budget(runs, train) -> None:
    # Ten dollars a second.
    terminal = runs.start(train("--price", "36000", "--budget", "120"))
    terminal.wait_for_screen()
    terminal.fill()

    assert terminal.wait() == 0
    log = runs.said("voicecoach.log")
    paid = Voice.open(runs.voice).spend.usd
    assert round(paid, 2) >= 120
    if "ended before the first step" in log:  # a slow machine's preparation used it up
        return
    assert "no terminal takes the screen's output: the run ends" in log
    arrived = float(re.search(r"budget of \$120.00 is used up: \$([\d.]+) spent", log)[1])
    # Some seconds to notice and to save; the log rounds to the cent.
    assert arrived - 0.01 <= paid < arrived + 300


def test_a_read_terminal_without_keys_ends_the_run_at_its_stop(runs, train) -> None:
    command = train("--stop-at", "+1", program=(str(WAITING_RUN),))
    held = runs.start([*command, "--hold"])
    held.wait_for("Stopped at 1, saved")
    held.type("e!\x13")
    # By then the engine has looked whether its wait is over.
    runs.wait_until(lambda: "sentence: " in runs.said("voicecoach.log"), "an answer")
    assert "unless a key" not in held.text
    held.type("q")
    assert held.wait() == 0

    terminal = runs.start(command)
    assert terminal.wait() == 0
    terminal.wait_for("nobody pressed a key for 0 minutes, so the run ended: saved at step 2")
    terminal.wait_until_restored()


def test_a_run_whose_memory_is_used_up_can_still_be_ended(runs, train) -> None:
    """It saves what it has made, or says that memory is too small; it never stays for ever."""
    run = subprocess.Popen(
        train("--checkpoint-every", "2", "--headless"),
        env=runs.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_for_checkpoint(runs, 2)
    pages = int(Path(f"/proc/{run.pid}/statm").read_text().split()[0])
    size = pages * resource.getpagesize()
    resource.prlimit(run.pid, resource.RLIMIT_AS, (size, size))
    run.terminate()
    told, _ = run.communicate(timeout=120)
    assert run.returncode in (0, 1), told
    assert "saved at step" in told or "Out of memory on cpu" in told
    ledger = (runs.voice / "spend.jsonl").read_text().splitlines()
    assert json.loads(ledger[-1])["last_step"] == newest_step(runs) >= 2


def test_a_refused_order_leaves_the_recordings_alone(runs, tmp_path: Path) -> None:
    # The recordings' own folder is a poor choice for a voice, and somebody will make it.
    dataset = Path(shutil.copytree(SPEECH, tmp_path / "recordings"))
    for recording in (dataset / "wavs").iterdir():
        recording.write_bytes(b"not a sound")
    options = [str(dataset), "--voice", str(dataset), "--preset", "small"]
    terminal = runs.start([sys.executable, "-m", "tui", "train", *options])
    assert terminal.wait() == 2
    terminal.wait_for("voicecoach: ")
    terminal.wait_until_restored()
    assert {entry.name for entry in dataset.iterdir()} == {entry.name for entry in SPEECH.iterdir()}
    assert len(list((dataset / "wavs").iterdir())) == 3


# As on FAT, and on some network shares.
NO_CHMOD = """
import os
from tui.cli import main

os.umask(0o022)

def refuse(*_, **__):
    raise PermissionError(1, "Operation not permitted")

os.chmod = os.fchmod = refuse
main()
"""


@pytest.mark.parametrize("answer", ["leave", "begin"])
def test_a_new_voice_of_a_corpus_with_a_fault(runs, tmp_path: Path, answer) -> None:
    dataset = Path(shutil.copytree(SPEECH, tmp_path / "recordings"))
    with (dataset / "metadata.csv").open("a", encoding="utf-8") as metadata:
        metadata.write("LJ001-9999|nobody [b]recorded[/b] this|nobody recorded this\n")
    voice = tmp_path / "voices" / "alice"
    command = ["train", str(dataset), "--voice", str(voice), "--preset", "small", *CPU]
    terminal = runs.start([sys.executable, "-c", NO_CHMOD, *command, "--stop-at", "+1"])
    terminal.wait_for("Training starts in")
    terminal.wait_for("LJ001-9999")
    if answer == "leave":
        terminal.type("q")
        terminal.wait_for("nothing is lost")
        terminal.type("s")
        assert terminal.wait() == 0
        terminal.wait_for("nothing was trained; fix")
        terminal.wait_until_restored()
        assert not voice.exists()
        return
    terminal.type("\r")
    terminal.wait_for("Stopped at 1, saved.")
    terminal.type("q")
    assert terminal.wait() == 0
    terminal.wait_for("saved at step 1; to continue")
    # Nobody else reaches it, though no permission can be changed.
    assert "other users" not in terminal.text
    made = [voice, *voice.rglob("*")]
    assert voice / "text2mel" / "checkpoints" / "step-000000001" / "state.json" in made
    assert [path for path in made if path.stat().st_mode & 0o077] == []
    # The folder above was made too, and is not the voice's own.
    assert voice.parent.stat().st_mode & 0o777 == 0o755


SPOT_RUN = Path(__file__).with_name("spot_run.py")


@pytest.mark.parametrize("screen", [False, True], ids=["headless", "screen"])
def test_a_machine_that_is_taken_away_ends_with_75(runs, train, tmp_path, screen) -> None:
    history = runs.voice / "text2mel" / "history.jsonl"
    with FakeMetadata() as cloud, ThreadPoolExecutor() as threads:

        def take_away() -> None:
            runs.wait_until(history.exists, "the first steps")
            cloud.take_away(4)

        taking = threads.submit(take_away)
        hook = f'ls "$VOICECOACH_VOICE"/text2mel/checkpoints > {tmp_path}/hook'
        options = ["--cloud", "aws", "--metadata-url", cloud.url, "--on-interrupt", hook]
        if screen:
            run = runs.start(train(*options, program=(str(SPOT_RUN),)))
            run.wait_for("AWS terminates this machine")
            code = run.wait()
            run.wait_for("interrupted (AWS terminates this machine): saved at step ")
            run.wait_until_restored()
        else:
            # Without a notice it is to end all the same.
            command = train(*options, "--headless", "--stop-at", "5m", program=(str(SPOT_RUN),))
            done = subprocess.run(
                command, env=runs.environment(), stdout=subprocess.PIPE, text=True, check=False
            )
            code = done.returncode
            assert "interrupted (AWS terminates this machine): saved at step " in done.stdout
        taking.result()
    assert code == 75
    assert "machine: AWS g5.xlarge us-east-1b spot" in runs.said("voicecoach.log")
    first, last = (entry.step for entry in Voice.open(runs.voice).checkpoints("text2mel")[-2:])
    assert 0 < first < last
    # The command was run while there was one of the two.
    assert f"step-{first:09d}" in (tmp_path / "hook").read_text()
    assert f"step-{last:09d}" not in (tmp_path / "hook").read_text()
