"""What a run does when it is signalled, in a real terminal."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.process, pytest.mark.slow]


def opened(runs, **environment: str):
    """A run with an open screen, and the process of its engine."""
    terminal = runs.counting(**environment)
    engine = runs.engine_process()
    terminal.wait_for_screen()
    return terminal, engine


def signal_until(runs, terminal, words, engine, signum=signal.SIGTERM):
    """Signal again and again until the answer shows: signals within a moment count as one."""

    def is_answered():
        # It may have ended since it was last seen.
        with contextlib.suppress(ProcessLookupError):
            os.kill(engine, signum)
        return words in " ".join(terminal.text.split())

    runs.wait_until(is_answered, f"the answer {words!r}")


def test_a_save_that_ends_soon_after_a_second_signal_is_kept(runs) -> None:
    terminal, engine = opened(runs)
    (runs.voice / "slow-disk").touch()
    terminal.type("q")
    terminal.wait_for("save and end the run")
    terminal.type("s")
    terminal.wait_for("saving…")
    terminal.process.terminate()
    terminal.wait_for("saving a checkpoint")
    signal_until(runs, terminal, "ending within 10 s", engine, signal.SIGINT)
    assert terminal.process.poll() is None
    (runs.voice / "slow-disk").unlink()
    assert terminal.wait() == 0
    assert int(runs.said("checkpoint") or 0) > 0
    terminal.wait_for("saved at step")
    terminal.wait_until_restored()


@pytest.mark.parametrize("screen", ["open", "closed"])
def test_a_second_signal_ends_a_run_that_hangs(runs, screen) -> None:
    terminal, engine = opened(runs, COUNTING_FORCED_AFTER="0.5")
    (runs.voice / "slow-disk").touch()
    if screen == "closed":
        terminal.type("qs")
        terminal.wait_for("saving…")
    signal_until(runs, terminal, "voicecoach: ended by a second signal at step", engine)
    assert terminal.wait() == 1
    assert not runs.said("checkpoint")
    terminal.wait_until_restored()


def test_a_second_signal_ends_a_process_whose_watch_is_lost(runs) -> None:
    terminal, engine = opened(runs, COUNTING_WATCH="lost")
    (runs.voice / "slow-disk").touch()
    signal_until(runs, terminal, "killed by SIGALRM; the newest checkpoint is kept", engine)
    assert terminal.wait() == 128 + signal.SIGALRM
    terminal.wait_until_restored()


@pytest.mark.parametrize("stop", ["key", "signal"])
def test_another_signal_gives_up_what_the_end_waits_for(runs, stop) -> None:
    terminal, engine = opened(runs)
    (runs.voice / "full-disk").touch()
    if stop == "key":
        terminal.type("qs")
        terminal.wait_for("gives up")
        said = " ".join(terminal.text.split())
        assert "saving… No space left on device: free 3.8 MB there. Retrying for" in said
        assert "; Ctrl+C gives up " in said
        assert terminal.process.poll() is None
        # The terminal makes a signal of it, for there is no screen any more.
        terminal.type("\x03")
    else:
        os.kill(engine, signal.SIGTERM)
        terminal.wait_for("Saving step")
        os.kill(engine, signal.SIGTERM)
    assert terminal.wait() == 0
    assert runs.said("checkpoint")
    terminal.wait_until_restored()


@pytest.mark.parametrize("how", ["hang-up", "closed terminal"])
def test_training_outlives_its_terminal(runs, how: str) -> None:
    terminal, engine = opened(runs)
    if how == "hang-up":
        terminal.process.send_signal(signal.SIGHUP)
    else:
        terminal.close()
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")
    runs.wait_until(lambda: not runs.holds_terminal(engine), "the terminal to be let go")
    assert runs.is_alive(engine)
    assert not runs.said("checkpoint")
    os.kill(engine, signal.SIGTERM)
    runs.wait_until(lambda: not runs.is_alive(engine), "the end")
    assert runs.said("checkpoint")
    # Whatever reported it, the engine heard it once.
    assert runs.asked().count("ScreenDetached") == 1
    if how == "hang-up":
        assert terminal.wait() == 0
        terminal.wait_until_restored()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_nobody_reads_keeps_nothing_alive(runs, signum: signal.Signals) -> None:
    terminal, engine = opened(runs, COUNTING_IS_ENDED="soon")
    runs.has_to_be_ended = True
    terminal.stop_reading()
    runs.wait_until(terminal.takes_no_more, "the terminal's buffer to fill")
    terminal.process.send_signal(signum)
    if signum == signal.SIGHUP:
        runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")
        os.kill(engine, signal.SIGTERM)
    assert terminal.wait() == 0
    assert runs.said("checkpoint")


def test_a_suspended_run_comes_back(runs) -> None:
    terminal, engine = opened(runs)
    assert engine != terminal.process.pid
    # Stopping the worker alone suspends no job of the shell.
    os.kill(engine, signal.SIGSTOP)
    runs.wait_until(lambda: runs.state_of(engine) == "T", "the worker to stop")
    drawn = len(terminal.output)
    os.kill(engine, signal.SIGCONT)
    runs.wait_until(lambda: len(terminal.output) > drawn + 500, "the screen to be drawn")
    assert runs.state_of(terminal.process.pid) == "S"

    for suspend in (
        lambda: terminal.type("\x1a"),
        lambda: terminal.process.send_signal(signal.SIGTSTP),
    ):
        suspend()
        runs.wait_until(lambda: runs.state_of(terminal.process.pid) == "T", "the job to stop")
        terminal.wait_until_restored()
        drawn = len(terminal.output)
        os.killpg(terminal.process.pid, signal.SIGCONT)
        runs.wait_until(lambda drawn=drawn: b"\x1b[?1049h" in terminal.output[drawn:], "the screen")
    terminal.process.terminate()
    assert terminal.wait() == 0
    assert runs.said("checkpoint")
    terminal.wait_until_restored()


def test_a_hanging_process_is_ended_once_the_run_is_saved(runs) -> None:
    runs.has_to_be_ended = True
    terminal, _ = opened(runs, COUNTING_HANGS="yes", COUNTING_IS_ENDED="soon")
    terminal.process.terminate()
    assert terminal.wait() == 0
    assert runs.said("checkpoint")
    assert "did not end by itself" in runs.said("voicecoach.log")
    terminal.wait_until_restored()


FAILING = """
import os, signal, sys, threading
from types import SimpleNamespace
from engine.run.snapshot import Phase
from tui.process import signals
from tui.process.headless import Lines

heard, looked = threading.Event(), threading.Event()

class Outlet(Lines):
    @property
    def lost(self):
        looked.set()
        raise ZeroDivisionError("nobody thought of it")

session = SimpleNamespace(
    error=None,
    join=lambda timeout: False,
    snapshot=lambda: SimpleNamespace(
        phase=Phase.TRAINING, interrupted=False, end_waits_for=""
    ),
    send=lambda command: heard.set(),
)
one = signals.SignalWatch(session, Outlet())
one.handle_signals()
one.start()
assert looked.wait(60)
os.kill(os.getpid(), signal.SIGTERM)
sys.exit(0 if heard.wait(60) else 3)
"""


def test_a_watch_that_failed_once_still_hears_signals() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILING], timeout=150, capture_output=True, text=True
    )
    assert (done.returncode, "Traceback" in done.stdout) == (0, False), done.stderr
