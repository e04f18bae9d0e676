"""A screen that fails by itself ends no run: it opens again, or training goes on without one."""

import re
import sys
from pathlib import Path

import pytest

COUNTING_RUN = Path(__file__).with_name("counting_run.py")


def openings(terminal) -> int:
    return terminal.output.count(b"\x1b[?1049h")


@pytest.mark.parametrize("fault", ["input thread", "timer", "handler", "worker"])
def test_a_failing_screen_ends_no_run(runs, fault: str) -> None:
    terminal = runs.counting(COUNTING_SCREEN_FAULT=fault)
    engine = runs.engine_process()
    terminal.wait_for_screen()

    (runs.folder / "fail-once").touch()
    runs.wait_until(lambda: "failed and was opened again" in terminal.text, "the notice")
    assert openings(terminal) == 2
    assert f"the {fault} failed" in runs.said("voicecoach.log")
    terminal.type("c")
    runs.wait_until(lambda: "SaveCheckpoint" in (runs.said("asked") or ""), "the key's answer")

    (runs.folder / "fail-always").touch()
    assert terminal.wait() == 0
    runs.wait_until(lambda: "the screen keeps failing" in terminal.text, "the sentence")
    assert f"training continues without a screen, as process {engine}" in terminal.text
    assert runs.is_alive(engine)
    assert not runs.said("checkpoint")
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")


@pytest.mark.parametrize("fault", ["input thread", "timer"])
def test_a_failing_attached_screen_says_so_and_ends(runs, fault: str) -> None:
    runs.counting("--headless")
    engine = runs.engine_process()
    runs.wait_until(lambda: (runs.voice / "socket").exists(), "the socket")
    command = [sys.executable, str(COUNTING_RUN), "attach", str(runs.voice)]
    terminal = runs.start(command, COUNTING_SCREEN_FAULT=fault, TMPDIR=str(runs.folder))
    terminal.wait_for_screen()

    (runs.folder / "fail-once").touch()
    runs.wait_until(lambda: "failed and was opened again" in terminal.text, "the notice")
    terminal.type("c")
    runs.wait_until(lambda: "SaveCheckpoint" in (runs.said("asked") or ""), "the key's answer")

    (runs.folder / "fail-always").touch()
    assert terminal.wait() == 1
    runs.wait_until(lambda: "the screen failed; the run continues" in terminal.text, "the sentence")
    [log] = re.findall(r"see (\S+\.log)", terminal.text)
    assert f"the {fault} failed" in Path(log).read_text()
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")
    assert runs.is_alive(engine)
    assert not runs.said("checkpoint")


def test_a_failed_read_leaves_the_screen_open(runs) -> None:
    terminal = runs.counting(COUNTING_SCREEN_FAULT="reading")
    runs.engine_process()
    terminal.wait_for_screen()
    (runs.folder / "fail-always").touch()
    log = runs.voice / "voicecoach.log"
    runs.wait_until(lambda: "the reading failed" in log.read_text(), "the reason in the log")
    (runs.folder / "fail-always").unlink()

    terminal.type("c")

    runs.wait_until(lambda: "SaveCheckpoint" in (runs.said("asked") or ""), "the key's answer")
    assert openings(terminal) == 1
    assert log.read_text().count("OSError: the reading failed") == 1


def test_what_the_person_said_holds_where_closing_fails(runs) -> None:
    terminal = runs.counting(COUNTING_SCREEN_FAULT="closing")
    engine = runs.engine_process()
    terminal.wait_for_screen()
    terminal.type("q")
    runs.wait_until(lambda: "esc  stay here" in terminal.text, "the question")
    terminal.type("k")
    assert terminal.wait() == 0
    runs.wait_until(lambda: f"kill {engine}" in terminal.text, "how to stop it")
    assert openings(terminal) == 1
    assert "failed" not in terminal.text
    assert "the closing failed" in runs.said("voicecoach.log")


def test_a_screen_that_fails_while_the_run_saves_lets_it_end(runs) -> None:
    terminal = runs.counting(COUNTING_SCREEN_FAULT="timer")
    runs.engine_process()
    terminal.wait_for_screen()
    (runs.voice / "slow-disk").touch()
    terminal.process.terminate()
    runs.wait_until(lambda: "saving a checkpoint" in terminal.text, "the answer to the signal")

    (runs.folder / "fail-always").touch()
    runs.wait_until(lambda: "saving…" in terminal.text, "the line below the closed screen")
    (runs.voice / "slow-disk").unlink()

    assert terminal.wait() == 0
    runs.wait_until(lambda: "saved at step" in terminal.text, "the last line")
    assert "training continues" not in terminal.text
