"""Leaving a run and coming back to it, in real terminals: `attach` and `ps`."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest

from engine.attach.messages import GREETING, Hello, frame
from engine.attach.server import MAX_SCREENS
from engine.attach.sockets import connect


def attach(runs, **environment: str):
    return runs.start([sys.executable, "-m", "tui", "attach", str(runs.voice)], **environment)


def ps(runs, *options: str) -> str:
    command = [sys.executable, "-m", "tui", "ps", *options]
    done = subprocess.run(
        command, env=runs.environment(), check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout


def asked(runs) -> list[str]:
    return (runs.said("asked") or "").split()


def leave(runs, terminal) -> None:
    """Close a screen, its run going on."""
    terminal.type("q")
    runs.wait_until(lambda: "esc  stay here" in terminal.text, "the question")
    terminal.type("k")
    assert terminal.wait() == 0


@pytest.fixture
def unseen(runs):
    """A run whose screen was closed with `q`, `keep training`: the process that trains."""
    terminal = runs.counting()
    engine = runs.engine_process()
    terminal.wait_for_screen()
    leave(runs, terminal)
    runs.wait_until(lambda: "voicecoach attach" in terminal.text, "how to come back")
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")
    return engine


def test_a_run_that_was_left_is_taken_up_steered_left_and_taken_up_again(runs, unseen) -> None:
    terminal = attach(runs)
    terminal.wait_for_screen()
    runs.wait_until(lambda: not runs.said("unattended"), "the engine to hear that somebody looks")
    runs.wait_until(lambda: "counting from [nought]" in terminal.text, "what happened before")
    for key, command in (("a", "Audition"), ("c", "SaveCheckpoint"), ("p", "Pause")):
        terminal.type(key)
        runs.wait_until(lambda command=command: command in asked(runs), command)
    runs.wait_until(lambda: "Paused at" in terminal.text, "the pause on the screen")
    terminal.type("p")
    runs.wait_until(lambda: "Continue" in asked(runs), "the steps")
    terminal.type("s")
    runs.wait_until(lambda: "none: no stop" in terminal.text, "the question when to stop")
    terminal.type("90k\r")
    runs.wait_until(lambda: "StopAt" in asked(runs), "the stop")
    runs.wait_until(lambda: "stop at 90k" in terminal.text, "the stop on the screen")

    leave(runs, terminal)
    runs.wait_until(lambda: "the run continues as process" in terminal.text, "what became of it")
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")
    assert runs.is_alive(unseen)
    assert not runs.said("checkpoint")

    again = attach(runs)
    again.wait_for_screen()
    runs.wait_until(lambda: "stop at 90k" in again.text, "what was asked before")
    again.type("q")
    runs.wait_until(lambda: "esc  stay here" in again.text, "the question")
    again.type("s")
    assert again.wait() == 0
    runs.wait_until(lambda: "saved at step" in again.text, "the last line")
    runs.wait_until(again.is_as_it_was, "the terminal to be as it was")
    runs.wait_until(lambda: not runs.is_alive(unseen), "the end")
    assert runs.said("checkpoint")
    assert not (runs.voice / "socket").exists()
    assert json.loads(ps(runs, "--json")) == []


def test_two_screens_look_at_a_run_and_it_outlives_its_own(runs) -> None:
    own = runs.counting()
    engine = runs.engine_process()
    own.wait_for_screen()
    other = attach(runs)
    other.wait_for_screen()
    own.type("p")
    runs.wait_until(lambda: "Paused at" in other.text, "the pause on the other screen")

    own.type("q")
    runs.wait_until(lambda: "Another screen" in own.text, "the question")
    own.type("k")
    assert own.wait() == 0

    # Somebody is still there, so that it stays paused.
    assert not runs.said("unattended")
    assert asked(runs) == ["Pause"]
    other.process.send_signal(signal.SIGTERM)
    assert other.wait() == 0
    runs.wait_until(other.is_as_it_was, "the terminal to be as it was")
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")
    assert runs.is_alive(engine)


def test_every_screen_closes_with_what_went_wrong_and_what_the_machine_costs(runs) -> None:
    own = runs.counting()
    runs.engine_process()
    own.wait_for_screen()
    other = attach(runs)
    other.wait_for_screen()
    (runs.voice / "lost-mirror").touch()
    other.type("qs")
    for terminal in (own, other):
        assert terminal.wait() == 0
        runs.wait_until(lambda t=terminal: "until you stop it" in t.text, "the last line")
        closing = terminal.text[terminal.text.rindex("warning: ") :]
        assert closing.startswith("warning: the mirror is behind")
        assert "spent $1.50; the machine still costs $0.99/h until you stop it" in closing
    assert "saved at step" in other.text


def test_a_closed_terminal_of_an_attached_screen_leaves_the_run_alone(runs, unseen) -> None:
    terminal = attach(runs)
    terminal.wait_for_screen()
    runs.wait_until(lambda: not runs.said("unattended"), "the engine to hear that somebody looks")
    terminal.close()
    assert terminal.wait() == 0
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")
    assert runs.is_alive(unseen)
    assert "Finish" not in asked(runs)


def test_a_killed_run_says_so_on_the_screens_that_look_at_it(runs, unseen) -> None:
    terminal = attach(runs)
    terminal.wait_for_screen()
    os.kill(unseen, signal.SIGKILL)
    runs.wait_until(lambda: f"Process {unseen}" in terminal.text, "what became of it")
    terminal.type("q")
    assert terminal.wait() == 1
    runs.wait_until(lambda: "gone without a word" in terminal.text, "the sentence")
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")
    assert (runs.voice / "socket").exists()
    assert json.loads(ps(runs, "--json")) == []

    late = attach(runs)
    assert late.wait() == 2
    runs.wait_until(lambda: "Nobody trains the voice" in late.text, "the sentence")

    # What the dead one left stands in nobody's way.
    (runs.voice / "process").unlink()
    runs.counting()
    runs.engine_process()
    attach(runs).wait_for_screen()


def test_ps_lists_runs_and_those_that_are_silent(runs, unseen) -> None:
    [run] = json.loads(ps(runs, "--json"))
    assert (run["voice"], run["network"], run["pid"]) == ("voice", "text2mel", unseen)
    assert run["folder"] == str(runs.voice)
    assert run["answers"]
    assert (run["phase"], run["screens"]) == ("training", 0)
    assert run["step"] > 0
    table = ps(runs)
    assert f"voicecoach attach {runs.voice}" in table
    assert "now" in table

    os.kill(unseen, signal.SIGSTOP)
    runs.wait_until(lambda: runs.state_of(unseen) == "T", "the run to be stopped")
    [silent] = json.loads(ps(runs, "--json"))
    assert (silent["answers"], silent["step"]) == (False, None)
    assert silent["last_sign_of_life"] <= run["last_sign_of_life"] + 60
    assert "no answer for" in ps(runs)
    os.kill(unseen, signal.SIGCONT)


def test_a_screen_too_many_is_told_so_and_ps_is_answered(runs, unseen) -> None:
    with contextlib.ExitStack() as screens:
        for _ in range(MAX_SCREENS):
            connection = screens.enter_context(connect(runs.voice, 20))
            connection.sendall(GREETING + frame(Hello("reader")))
        runs.wait_until(lambda: json.loads(ps(runs, "--json"))[0]["readers"] == 32, "all of them")
        for options in ((), ("--read-only",)):
            late = runs.start([sys.executable, "-m", "tui", "attach", str(runs.voice), *options])
            assert late.wait() == 2
            runs.wait_until(lambda t=late: "32 screens are attached to it" in t.text, "why")
    attach(runs).wait_for_screen()


def test_attach_without_a_terminal_or_a_run_says_what_to_do(runs) -> None:
    for arguments, sentence in (
        ([str(runs.folder)], "There is no voice"),
        ([str(runs.voice)], "There is no voice"),
        ([], "you have no run on this host"),
    ):
        terminal = runs.start([sys.executable, "-m", "tui", "attach", *arguments])
        assert terminal.wait() == 2
        runs.wait_until(lambda t=terminal, s=sentence: s in t.text, sentence)
    done = subprocess.run(
        [sys.executable, "-m", "tui", "attach", str(runs.folder)],
        env=runs.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "attach needs a terminal" in done.stderr


def test_a_screen_that_reads_sees_the_run_and_steers_nothing(runs, unseen) -> None:
    reader = runs.start(
        [sys.executable, "-m", "tui", "attach", str(runs.voice), "--read-only"],
    )
    reader.wait_for_screen()
    runs.wait_until(lambda: "read-only" in reader.text, "the word for it")
    before = asked(runs)
    for key, label in (("a", "audition"), ("p", "pause"), ("c", "checkpoint")):
        reader.type(key)
        runs.wait_until(lambda label=label: f"{label}: this" in reader.text, "the refusal")
    [run] = json.loads(ps(runs, "--json"))
    assert (run["screens"], run["readers"]) == (0, 1)
    assert "0 + 1 reading" in ps(runs)
    reader.type("q")
    assert reader.wait() == 0
    runs.wait_until(lambda: "the run continues as process" in reader.text, "what became of it")
    runs.wait_until(reader.is_as_it_was, "the terminal to be as it was")
    assert asked(runs) == before
    assert runs.is_alive(unseen)


def test_two_screens_that_leave_a_pause_at_once_let_it_train(runs) -> None:
    own = runs.counting()
    runs.engine_process()
    own.wait_for_screen()
    other = attach(runs)
    other.wait_for_screen()
    own.type("p")
    for terminal in (own, other):
        runs.wait_until(lambda t=terminal: "Paused at" in t.text, "the pause")
        terminal.type("q")
        runs.wait_until(lambda t=terminal: "The last to leave" in t.text, "the question")
    for terminal in (own, other):
        terminal.type("k")
    for terminal in (own, other):
        assert terminal.wait() == 0
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")
    assert runs.said("unattended") == "train on"
