"""What becomes of a run when the person closes its screen, or its screen closes by itself."""

import os
import shlex
import signal

import pytest


def test_stop_and_save(runs) -> None:
    terminal = runs.counting()
    runs.engine_process()
    terminal.wait_for_screen()
    (runs.voice / "slow-disk").touch()

    terminal.type("q")
    runs.wait_until(lambda: "stop and save" in terminal.text, "the question")
    terminal.type("s")

    runs.wait_until(lambda: "saving…" in terminal.text, "the line below the closed screen")
    (runs.voice / "slow-disk").unlink()
    assert terminal.wait() == 0
    assert runs.said("checkpoint")
    runs.wait_until(lambda: "saved at step" in terminal.text, "the last line")
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")


def test_ctrl_c_asks_instead_of_ending(runs) -> None:
    terminal = runs.counting()
    runs.engine_process()
    terminal.wait_for_screen()

    terminal.type("\x03")

    runs.wait_until(lambda: "stop and save" in terminal.text, "the question")
    assert not runs.said("checkpoint")
    terminal.process.terminate()
    assert terminal.wait() == 0


def test_keep_training_gives_the_prompt_back(runs) -> None:
    terminal = runs.start(["bash", "--norc", "--noprofile", "-i"])
    terminal.type(shlex.join(runs.counting_command()) + "\n")
    engine = runs.engine_process()
    terminal.wait_for_screen()

    terminal.type("q")
    runs.wait_until(lambda: "keep training" in terminal.text, "the question")
    terminal.type("k")

    runs.wait_until(lambda: f"kill {engine}" in terminal.text, "how to stop it")
    assert "voicecoach.log" in terminal.text
    terminal.type("echo code-$?-and-$((40 + 2))\n")
    runs.wait_until(lambda: "code-0-and-42" in terminal.text, "the shell")
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


@pytest.mark.parametrize(
    ("fault", "code", "sentence"),
    [
        ("engine", 1, "the disk is full: free some space and continue"),
        ("input", 2, "nothing usable in metadata.csv: see the list above"),
        ("unforeseen", 1, "unexpected error (ZeroDivisionError: division [by] zero)"),
    ],
)
def test_a_failed_run_is_shown_and_then_told(runs, fault: str, code: int, sentence: str) -> None:
    terminal = runs.counting(COUNTING_FAULT=fault)
    runs.engine_process()
    terminal.wait_for_screen()
    runs.wait_until(lambda: "failed" in terminal.text, "the failure on the screen")

    terminal.type("q")

    assert terminal.wait() == code
    runs.wait_until(lambda: sentence in terminal.text, "the sentence")
    assert "Traceback" not in terminal.text
    assert sentence.split("(")[-1].removesuffix(")") in runs.said("voicecoach.log")
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")


def test_an_order_that_cannot_be_carried_out_opens_no_screen(runs) -> None:
    terminal = runs.counting(COUNTING_REFUSES="yes")

    assert terminal.wait() == 2
    runs.wait_until(lambda: "another process trains in this voice" in terminal.text, "the sentence")
    assert b"\x1b[?1049h" not in terminal.output


def test_a_crashed_screen_opens_again(runs) -> None:
    terminal = runs.counting()
    runs.engine_process()
    terminal.wait_for_screen()

    (runs.voice / "crash-once").touch()
    (runs.voice / "crash-screen").touch()

    runs.wait_until(lambda: "failed and was opened again" in terminal.text, "the notice")
    assert "the picture [is] crooked" in runs.said("voicecoach.log")
    assert not runs.said("checkpoint")
    terminal.type("q")
    runs.wait_until(lambda: "esc  stay here" in terminal.text, "the question")
    terminal.type("s")
    assert terminal.wait() == 0
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")
    assert runs.said("checkpoint")


def test_a_screen_that_crashes_again_and_again_costs_no_step(runs) -> None:
    terminal = runs.counting()
    engine = runs.engine_process()
    terminal.wait_for_screen()

    (runs.voice / "crash-screen").touch()

    assert terminal.wait() == 0
    runs.wait_until(lambda: "the screen keeps failing" in terminal.text, "the sentence")
    assert f"training continues without a screen, as process {engine}" in terminal.text
    assert runs.is_alive(engine)
    assert not runs.said("checkpoint")
    assert "voicecoach.log" in terminal.text
    assert "Traceback" not in terminal.text
    assert "the picture [is] crooked" in runs.said("voicecoach.log")
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")
