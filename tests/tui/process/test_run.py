"""What becomes of a run when its screen is closed, fails or is killed."""

import os
import re
import shlex
import signal
from pathlib import Path

import pytest

pytestmark = [pytest.mark.process, pytest.mark.slow]


def openings(terminal) -> int:
    return terminal.output.count(b"\x1b[?1049h")


def children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(one) for one in text.split()]


def test_keep_training_gives_the_prompt_back(runs) -> None:
    terminal = runs.start(["bash", "--norc", "--noprofile", "-i"])
    terminal.type(shlex.join(runs.counting_command()) + "\n")
    engine = runs.engine_process()
    terminal.wait_for_screen()
    terminal.type("q")
    terminal.wait_for("leave; training continues")
    terminal.type("k")
    terminal.wait_for(f"kill {engine}")
    assert "voicecoach.log" in terminal.text
    terminal.type("echo code-$?-and-$((40 + 2))\n")
    terminal.wait_for("code-0-and-42")
    assert runs.said("unattended")
    assert not runs.holds_terminal(engine)

    terminal.type("exit\n")
    terminal.wait()
    terminal.close()
    assert runs.is_alive(engine)
    assert not runs.said("checkpoint")
    os.kill(engine, signal.SIGTERM)
    runs.wait_until(lambda: not runs.is_alive(engine), "the end")
    assert runs.said("checkpoint")


def test_a_failed_run_waits_for_its_reader(runs) -> None:
    terminal = runs.counting(COUNTING_FAULT="unexpected")
    runs.engine_process()
    terminal.wait_for_screen()
    terminal.wait_for("failed")
    terminal.type("t")
    assert terminal.process.poll() is None
    terminal.type("q")
    assert terminal.wait() == 1
    terminal.wait_for("unexpected error (ZeroDivisionError: division [by] zero)")
    terminal.wait_until_restored()
    assert "Traceback" not in terminal.text
    assert "ZeroDivisionError: division [by] zero" in runs.said("voicecoach.log")


@pytest.mark.parametrize(("seconds", "is_read"), [("1", True), ("9999", False)])
def test_the_screen_of_a_failed_run_closes_without_a_reader(runs, seconds, is_read) -> None:
    faults = {"COUNTING_FAULT": "input", "COUNTING_READER_SECONDS": seconds}
    own = runs.counting(**faults, **({} if is_read else {"COUNTING_IS_ENDED": "soon"}))
    runs.engine_process()
    own.wait_for_screen()
    if not is_read:
        own.wait_for("This screen closes at")
        own.fill()
    assert own.wait() == 2
    runs.has_to_be_ended = not is_read
    if is_read:
        own.wait_for("voicecoach: nothing usable in metadata.csv")
        own.wait_until_restored()


def test_a_failing_screen_ends_no_run(runs) -> None:
    terminal = runs.counting(COUNTING_SCREEN_FAULT="input thread")
    engine = runs.engine_process()
    terminal.wait_for_screen()
    (runs.folder / "fail-always").touch()
    assert terminal.wait() == 0
    terminal.wait_for("the screen keeps failing")
    assert f"training continues without a screen, as process {engine}" in terminal.text
    assert openings(terminal) > 2
    assert "the input thread failed" in runs.said("voicecoach.log")
    assert "Traceback" not in terminal.text
    assert runs.is_alive(engine)
    assert not runs.said("checkpoint")
    terminal.wait_until_restored()


def test_a_failed_screen_is_opened_again_unless_the_run_ends(runs) -> None:
    terminal = runs.counting(COUNTING_SCREEN_FAULT="timer", SOMEBODYS_TOKEN="the timer")
    runs.engine_process()
    terminal.wait_for_screen()
    (runs.folder / "fail-once").touch()
    terminal.wait_for("failed and was opened again")
    assert openings(terminal) == 2
    terminal.type("c")
    runs.wait_until(lambda: "SaveCheckpoint" in runs.asked(), "the key's answer")
    # Textual's own traceback is in the log, without what is secret.
    log = runs.said("voicecoach.log")
    assert "… [failed]" in log
    assert "the timer [failed]" not in log

    (runs.voice / "slow-disk").touch()
    terminal.process.terminate()
    terminal.wait_for("saving a checkpoint")
    (runs.folder / "fail-always").touch()
    terminal.wait_for("saving…")
    (runs.voice / "slow-disk").unlink()
    assert terminal.wait() == 0
    terminal.wait_for("saved at step")
    assert "training continues" not in terminal.text


def test_a_failed_read_or_closing_changes_no_answer(runs) -> None:
    terminal = runs.counting(COUNTING_SCREEN_FAULT="reading, closing")
    engine = runs.engine_process()
    terminal.wait_for_screen()
    (runs.folder / "fail-always").touch()
    log = runs.voice / "voicecoach.log"
    runs.wait_until(lambda: "the reading failed" in log.read_text(), "the reason in the log")
    (runs.folder / "fail-always").unlink()
    terminal.type("c")
    runs.wait_until(lambda: "SaveCheckpoint" in runs.asked(), "the key's answer")
    assert log.read_text().count("OSError: the reading failed") == 1
    runs.leave(terminal)
    terminal.wait_for(f"kill {engine}")
    assert openings(terminal) == 1
    assert "the closing failed" not in terminal.text
    assert "the closing failed" in log.read_text()


def in_a_shell(runs, *command: str):
    """Start a command as a job of a shell, which stays when the job is gone."""
    line = "set -m; " + " ".join(command) + "; echo the shell stays; read wait"
    return runs.start(["/bin/sh", "-c", line])


def kill_front(runs, shell) -> None:
    """Kill the command that has a screen open; see that its shell can be used."""
    shell.wait_for_screen()
    [front] = children(shell.process.pid)
    [worker] = children(front)
    os.kill(front, signal.SIGKILL)
    shell.wait_for("the shell stays")
    shell.wait_until_restored()
    runs.wait_until(
        lambda: not (runs.is_alive(worker) and runs.holds_terminal(worker)),
        "the terminal to be let go",
    )
    shell.type("\n")
    assert shell.wait() == 0


def kill_worker(terminal, sentence: str) -> None:
    terminal.wait_for_screen()
    [worker] = children(terminal.process.pid)
    os.kill(worker, signal.SIGKILL)
    assert terminal.wait() == 128 + signal.SIGKILL
    terminal.wait_for(f"killed by SIGKILL; {sentence}")
    terminal.wait_until_restored()


def test_a_killed_or_failed_screen_leaves_a_usable_terminal(runs) -> None:
    shell = in_a_shell(runs, *runs.counting_command())
    engine = runs.engine_process()
    kill_front(runs, shell)
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")

    kill_front(runs, in_a_shell(runs, *runs.attach_command()))
    kill_worker(runs.attach(), "the run itself continues")

    terminal = runs.attach(COUNTING_SCREEN_FAULT="timer", TMPDIR=str(runs.folder))
    terminal.wait_for_screen()
    (runs.folder / "fail-always").touch()
    assert terminal.wait() == 1
    terminal.wait_for("the screen failed; the run continues")
    [log] = re.findall(r"see (\S+\.log)", terminal.text)
    assert "the timer [failed]" in Path(log).read_text()
    terminal.wait_until_restored()

    assert runs.is_alive(engine)
    os.kill(engine, signal.SIGTERM)
    runs.wait_until(lambda: not runs.is_alive(engine), "the end")
    assert runs.said("checkpoint")


def test_a_killed_run_leaves_a_usable_terminal(runs) -> None:
    terminal = runs.counting()
    engine = runs.engine_process()
    kill_worker(terminal, "the newest checkpoint is kept")
    assert not runs.is_alive(engine)
