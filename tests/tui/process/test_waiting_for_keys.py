"""Who a waiting run waits for: keys and terminals that are read, of every screen that can steer."""

import os
import signal
import sys

import pytest


def attach(runs, *options: str):
    terminal = runs.start([sys.executable, "-m", "tui", "attach", str(runs.voice), *options])
    terminal.wait_for_screen()
    return terminal


def keys_heard(runs) -> int:
    return (runs.said("asked") or "").split().count("KeyPressed")


def test_keys_of_every_screen_that_steers_are_heard(runs) -> None:
    own = runs.counting()
    runs.engine_process()
    own.wait_for_screen()
    (runs.voice / "stop-reached").touch()
    runs.wait_until(lambda: "unless a key is pressed" in own.text, "the end of the wait")
    assert keys_heard(runs) == 0
    own.type("t")
    runs.wait_until(lambda: keys_heard(runs) == 1, "the key")

    # Whoever attaches has typed as well, unless they only look on.
    reader = attach(runs, "--read-only")
    reader.type("t")
    other = attach(runs)
    runs.wait_until(lambda: keys_heard(runs) == 2, "the screen that came")
    reader.type("q")
    assert reader.wait() == 0
    assert keys_heard(runs) == 2
    other.type("qs")
    assert own.wait() == 0


def test_a_terminal_that_nobody_reads_does_not_count(runs) -> None:
    own = runs.counting()
    runs.engine_process()
    own.wait_for_screen()
    own.fill()
    runs.wait_until(lambda: runs.said("read") == "no", "the run to notice")

    other = attach(runs)
    runs.wait_until(lambda: runs.said("read") == "yes", "a screen that is read")
    other.fill()
    runs.wait_until(lambda: runs.said("read") == "no", "the run to notice the second")
    attach(runs, "--read-only")
    assert runs.said("read") == "no"
    other.read_on()
    runs.wait_until(lambda: runs.said("read") == "yes", "the second to be read again")
    assert runs.said("unattended") is None
    other.process.kill()
    runs.wait_until(lambda: runs.said("read") == "no", "the run to be left with the first")


def test_an_attached_screen_that_is_stopped_does_not_count(runs) -> None:
    own = runs.counting()
    runs.engine_process()
    own.wait_for_screen()
    other = attach(runs)
    own.type("q")
    runs.wait_until(lambda: "esc  stay here" in own.text, "the question")
    own.type("k")
    assert own.wait() == 0
    assert runs.said("read") is None

    os.killpg(other.process.pid, signal.SIGSTOP)
    runs.wait_until(lambda: runs.said("read") == "no", "the run to notice")
    os.killpg(other.process.pid, signal.SIGCONT)
    runs.wait_until(lambda: runs.said("read") == "yes", "the run to notice again")


@pytest.mark.parametrize(("seconds", "is_read"), [("1", True), ("9999", False)])
def test_the_screen_of_a_failed_run_closes_without_a_reader(runs, seconds, is_read) -> None:
    own = runs.counting(COUNTING_FAULT="engine", COUNTING_READER_SECONDS=seconds)
    runs.engine_process()
    own.wait_for_screen()
    if not is_read:
        runs.wait_until(lambda: "This screen closes at" in own.text, "the failure to show")
        own.fill()
    assert own.wait() == 1
    runs.has_to_be_ended = not is_read
    if is_read:
        runs.wait_until(lambda: "voicecoach: the disk is full" in own.text, "the reason")
        runs.wait_until(own.is_as_it_was, "the terminal to be as it was")


def test_a_failed_run_without_a_limit_waits_for_its_reader(runs) -> None:
    own = runs.counting(COUNTING_FAULT="engine")
    runs.engine_process()
    own.wait_for_screen()
    runs.wait_until(lambda: "the disk is full" in own.text, "the failure to show")
    own.type("t")
    assert own.process.poll() is None
    own.type("q")
    assert own.wait() == 1
