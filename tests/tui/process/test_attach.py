"""Leaving a run and coming back to it, in real terminals: `attach` and `ps`."""

import json
import os
import signal
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.process, pytest.mark.slow]


def ps(runs, *options: str) -> str:
    command = [sys.executable, "-m", "tui", "ps", *options]
    done = subprocess.run(
        command, env=runs.environment(), check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout


def attach(runs, *options: str):
    terminal = runs.attach(*options)
    terminal.wait_for_screen()
    return terminal


@pytest.fixture
def unseen(runs):
    """A run whose screen was closed with `q`, `keep training`: the process that trains."""
    terminal = runs.counting()
    engine = runs.engine_process()
    terminal.wait_for_screen()
    runs.leave(terminal)
    terminal.wait_for("voicecoach attach")
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")
    return engine


def test_a_run_that_was_left_is_attached_to_and_steered(runs, unseen) -> None:
    terminal = attach(runs)
    runs.wait_until(lambda: not runs.said("unattended"), "the engine to hear that somebody looks")
    terminal.wait_for("counting from [nought]")
    for key, command in (("a", "Audition"), ("c", "SaveCheckpoint"), ("p", "Pause")):
        terminal.type(key)
        runs.wait_until(lambda command=command: command in runs.asked(), command)
    terminal.wait_for("Paused at")
    terminal.type("p")
    runs.wait_until(lambda: "Continue" in runs.asked(), "the steps")
    terminal.type("s")
    terminal.wait_for("none: no stop")
    terminal.type("90k\r")
    terminal.wait_for("stop at 90k")
    runs.leave(terminal)
    terminal.wait_for("the run continues as process")
    terminal.wait_until_restored()
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")
    assert runs.is_alive(unseen)

    # A closed terminal leaves the run alone.
    closed = attach(runs)
    runs.wait_until(lambda: not runs.said("unattended"), "the engine to hear that somebody looks")
    closed.close()
    assert closed.wait() == 0
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")
    assert "Finish" not in runs.asked()
    assert not runs.said("checkpoint")

    again = attach(runs)
    again.wait_for("stop at 90k")
    again.type("q")
    again.wait_for("esc  stay here")
    again.type("s")
    assert again.wait() == 0
    again.wait_for("saved at step")
    again.wait_until_restored()
    runs.wait_until(lambda: not runs.is_alive(unseen), "the end")
    assert runs.said("checkpoint")
    assert not (runs.voice / "socket").exists()
    assert json.loads(ps(runs, "--json")) == []


def test_two_screens_share_a_run_and_its_last_lines(runs) -> None:
    own = runs.counting()
    runs.engine_process()
    own.wait_for_screen()
    other = attach(runs)
    other.type("p")
    own.wait_for("Paused at")
    own.type("q")
    own.wait_for("The last to leave")
    assert "Another screen is open on it" in own.text
    own.type("k")
    assert own.wait() == 0
    # Somebody is still there, so that it stays paused.
    assert not runs.said("unattended")
    third = attach(runs)
    third.process.send_signal(signal.SIGTERM)
    assert third.wait() == 0
    third.wait_until_restored()
    (runs.voice / "lost-mirror").touch()
    fourth = attach(runs)
    other.type("qs")
    for terminal in (other, fourth):
        assert terminal.wait() == 0
        terminal.wait_for("until you stop it")
        closing = terminal.text[terminal.text.rindex("warning: ") :]
        assert closing.startswith("warning: the mirror is behind")
        assert "spent $1.50; the machine still costs $0.99/h until you stop it" in closing
    assert "saved at step" in other.text


def test_two_screens_that_leave_a_pause_at_once_let_it_train(runs) -> None:
    own = runs.counting()
    runs.engine_process()
    own.wait_for_screen()
    other = attach(runs)
    own.type("p")
    for terminal in (own, other):
        terminal.wait_for("Paused at")
        terminal.type("q")
        terminal.wait_for("The last to leave")
    for terminal in (own, other):
        terminal.type("k")
    for terminal in (own, other):
        assert terminal.wait() == 0
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")
    assert runs.said("unattended") == "train on"


def test_a_killed_run_is_reported_and_leaves_nothing_in_the_way(runs, unseen) -> None:
    terminal = attach(runs)
    os.kill(unseen, signal.SIGKILL)
    terminal.wait_for(f"Process {unseen}")
    terminal.type("q")
    assert terminal.wait() == 1
    terminal.wait_for("is gone: it was killed")
    terminal.wait_until_restored()
    assert (runs.voice / "socket").exists()
    assert json.loads(ps(runs, "--json")) == []

    late = runs.attach()
    assert late.wait() == 2
    late.wait_for("is not being trained")

    (runs.voice / "process").unlink()
    runs.counting()
    runs.engine_process()
    attach(runs)


def test_ps_and_a_read_only_screen(runs, unseen) -> None:
    [run] = json.loads(ps(runs, "--json"))
    assert (run["voice"], run["network"], run["pid"]) == ("voice", "text2mel", unseen)
    assert (run["phase"], run["screens"], run["answers"]) == ("training", 0, True)
    assert run["folder"] == str(runs.voice)
    assert run["step"] > 0

    reader = attach(runs, "--read-only")
    reader.wait_for("read-only")
    before = runs.asked()
    for key, label in (("a", "audition"), ("p", "pause"), ("c", "checkpoint")):
        reader.type(key)
        reader.wait_for(f"{label}: this")
    table = ps(runs)
    assert f"voicecoach attach {runs.voice}" in table
    assert "0 + 1 reading" in table
    reader.type("q")
    assert reader.wait() == 0
    reader.wait_for("the run continues as process")
    reader.wait_until_restored()
    assert runs.asked() == before

    os.kill(unseen, signal.SIGSTOP)
    runs.wait_until(lambda: runs.state_of(unseen) == "T", "the run to be stopped")
    [silent] = json.loads(ps(runs, "--json"))
    assert (silent["answers"], silent["step"]) == (False, None)
    assert silent["last_sign_of_life"] <= run["last_sign_of_life"] + 60
    assert "no answer for" in ps(runs)
    os.kill(unseen, signal.SIGCONT)


def test_attach_without_a_terminal_or_a_run_says_what_to_do(runs) -> None:
    for arguments, sentence in (
        ([str(runs.folder)], "There is no voice"),
        ([], "you have no run on this host"),
    ):
        terminal = runs.start([sys.executable, "-m", "tui", "attach", *arguments])
        assert terminal.wait() == 2
        terminal.wait_for(sentence)
    done = subprocess.run(
        [sys.executable, "-m", "tui", "attach", str(runs.folder)],
        env=runs.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "attach needs a terminal" in done.stderr


def keys_heard(runs) -> int:
    return runs.asked().count("KeyPressed")


def test_keys_of_every_screen_that_steers_are_heard(runs) -> None:
    own = runs.counting()
    runs.engine_process()
    own.wait_for_screen()
    (runs.voice / "stop-reached").touch()
    own.wait_for("unless a key is pressed")
    assert keys_heard(runs) == 0
    own.type("t")
    runs.wait_until(lambda: keys_heard(runs) == 1, "the key")

    # Whoever attaches has typed as well, unless they only watch.
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
    # A stopped one takes no output either.
    os.killpg(other.process.pid, signal.SIGSTOP)
    runs.wait_until(lambda: runs.said("read") == "no", "the run to notice the second")
    os.killpg(other.process.pid, signal.SIGCONT)
    runs.wait_until(lambda: runs.said("read") == "yes", "the second to be read again")
    attach(runs, "--read-only")
    assert runs.said("unattended") is None
    other.process.kill()
    runs.wait_until(lambda: runs.said("read") == "no", "the run to be left with the first")
