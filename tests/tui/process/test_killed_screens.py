"""A terminal whose screen was killed, or whose process in front was."""

import os
import signal
import sys
from pathlib import Path

import pytest


def children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(one) for one in text.split()]


@pytest.fixture
def attached(runs):
    """A screen attached to a run that trains on lines alone."""
    runs.counting("--headless")
    engine = runs.engine_process()
    runs.wait_until(lambda: (runs.voice / "socket").exists(), "the socket")
    terminal = runs.start([sys.executable, "-m", "tui", "attach", str(runs.voice)])
    terminal.wait_for_screen()
    return terminal, engine


def test_a_killed_screen_of_another_run_leaves_its_terminal_usable(runs, attached) -> None:
    terminal, engine = attached
    [worker] = children(terminal.process.pid)

    os.kill(worker, signal.SIGKILL)

    assert terminal.wait() == 128 + signal.SIGKILL
    runs.wait_until(lambda: "the run itself continues" in terminal.text, "the sentence")
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")
    assert runs.is_alive(engine)


def in_a_shell(runs, *command: str):
    """Start a command as a job of a shell, which goes on when the job is gone."""
    line = "set -m; " + " ".join(command) + "; echo the shell goes on; read wait"
    return runs.start(["/bin/sh", "-c", line])


@pytest.mark.parametrize("whose", ["of its run", "of another run"])
def test_whoever_is_in_front_being_killed_leaves_the_terminal_usable(runs, whose: str) -> None:
    if whose == "of its run":
        shell = in_a_shell(runs, *runs.counting_command())
        engine = runs.engine_process()
    else:
        runs.counting("--headless")
        engine = runs.engine_process()
        runs.wait_until(lambda: (runs.voice / "socket").exists(), "the socket")
        shell = in_a_shell(runs, sys.executable, "-m", "tui", "attach", str(runs.voice))
    shell.wait_for_screen()
    [front] = children(shell.process.pid)
    [worker] = children(front)

    os.kill(front, signal.SIGKILL)

    runs.wait_until(lambda: "the shell goes on" in shell.text, "the shell")
    runs.wait_until(shell.is_as_it_was, "the terminal to be as it was")
    runs.wait_until(
        lambda: not (runs.is_alive(worker) and runs.holds_terminal(worker)),
        "the terminal to be let go",
    )
    assert runs.is_alive(engine)
    shell.type("\n")
    assert shell.wait() == 0
    if whose == "of its run":
        os.kill(engine, signal.SIGTERM)
        runs.wait_until(lambda: not runs.is_alive(engine), "the end")
        assert runs.said("checkpoint")
