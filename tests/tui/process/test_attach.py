"""Leaving a run and coming back to it, in real terminals: `attach` and `ps`."""

import json
import os
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from tui.cli import app

pytestmark = [pytest.mark.process, pytest.mark.slow]


def ps(*options: str) -> str:
    done = CliRunner().invoke(app, ["ps", *options], env={"COLUMNS": "200"})
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def attach(runs, *options: str):
    terminal = runs.attach(*options)
    terminal.wait_for_screen()
    return terminal


def opened(runs):
    """A run with a screen of its own."""
    terminal = runs.counting()
    runs.engine_process()
    terminal.wait_for_screen()
    return terminal


def wait_until_seen(runs, seen: bool = True) -> None:
    what = "the engine to hear whether anybody looks"
    runs.wait_until(lambda: bool(runs.said("unattended")) is not seen, what)


def stop_and_save(terminal) -> None:
    terminal.type("q")
    terminal.wait_for("esc  stay here")
    terminal.type("s")
    assert terminal.wait() == 0


def test_a_run_that_was_left_is_attached_to_and_steered(runs) -> None:
    own = opened(runs)
    engine = runs.engine_process()
    runs.leave(own)
    own.wait_for("voicecoach attach")
    wait_until_seen(runs, False)

    terminal = attach(runs)
    wait_until_seen(runs)
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
    wait_until_seen(runs, False)
    assert runs.is_alive(engine)

    # A closed terminal leaves the run alone.
    closed = attach(runs)
    wait_until_seen(runs)
    closed.close()
    assert closed.wait() == 0
    wait_until_seen(runs, False)
    assert "Finish" not in runs.asked()
    assert not runs.said("checkpoint")

    again = attach(runs)
    again.wait_for("stop at 90k")
    stop_and_save(again)
    again.wait_for("saved at step")
    again.wait_until_restored()
    runs.wait_until(lambda: not runs.is_alive(engine), "the end")
    assert runs.said("checkpoint")
    assert not (runs.voice / "socket").exists()
    assert json.loads(ps("--json")) == []


def test_two_screens_share_a_run_and_its_last_lines(runs) -> None:
    own = opened(runs)
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
    own = opened(runs)
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
    wait_until_seen(runs, False)
    assert runs.said("unattended") == "train on"


def test_a_killed_run_is_reported_and_leaves_nothing_in_the_way(runs) -> None:
    engine = runs.unseen()
    terminal = attach(runs)
    os.kill(engine, signal.SIGKILL)
    terminal.wait_for(f"Process {engine}")
    terminal.type("q")
    assert terminal.wait() == 1
    terminal.wait_for("is gone: it was killed")
    terminal.wait_until_restored()
    assert (runs.voice / "socket").exists()
    assert json.loads(ps("--json")) == []

    late = runs.attach()
    assert late.wait() == 2
    late.wait_for("is not being trained")

    (runs.voice / "process").unlink()
    opened(runs)


def test_ps_and_a_read_only_screen(runs) -> None:
    engine = runs.unseen()
    runs.wait_until(lambda: any(run["step"] for run in json.loads(ps("--json"))), "steps")
    [run] = json.loads(ps("--json"))
    assert (run["voice"], run["network"], run["pid"]) == ("voice", "text2mel", engine)
    assert (run["phase"], run["screens"], run["answers"]) == ("training", 0, True)
    assert run["folder"] == str(runs.voice)

    reader = attach(runs, "--read-only")
    reader.wait_for("read-only")
    before = runs.asked()
    for key, label in (("a", "audition"), ("p", "pause"), ("c", "checkpoint")):
        reader.type(key)
        reader.wait_for(f"{label}: this")
    table = ps()
    assert f"voicecoach attach {runs.voice}" in table
    assert "0 + 1 reading" in table
    reader.type("q")
    assert reader.wait() == 0
    reader.wait_for("the run continues as process")
    reader.wait_until_restored()
    assert runs.asked() == before

    os.kill(engine, signal.SIGSTOP)
    runs.wait_until(lambda: runs.state_of(engine) == "T", "the run to be stopped")
    [silent] = json.loads(ps("--json"))
    assert (silent["answers"], silent["step"]) == (False, None)
    assert silent["last_sign_of_life"] <= run["last_sign_of_life"] + 60
    assert "no answer for" in ps()
    os.kill(engine, signal.SIGCONT)


def test_bad_input_is_one_sentence_and_opens_no_screen(runs) -> None:
    for arguments, sentence in (
        (["attach", str(runs.folder)], "There is no voice"),
        (["attach"], "you have no run on this host"),
        (["train", str(runs.folder / "nowhere")], "There is no corpus folder"),
    ):
        terminal = runs.start([sys.executable, "-m", "tui", *arguments])
        assert terminal.wait() == 2
        terminal.wait_for(sentence)
        assert b"\x1b[?1049h" not in terminal.output
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


def test_keys_and_reading_count_on_screens_that_steer(runs) -> None:
    own = opened(runs)
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
    runs.leave(other)

    # Nor does it count that somebody reads who only watches.
    own.fill()
    runs.wait_until(lambda: runs.said("read") == "no", "the run to notice")
    other = attach(runs)
    runs.wait_until(lambda: runs.said("read") == "yes", "a screen that is read")
    # A stopped one takes no output either.
    os.killpg(other.process.pid, signal.SIGSTOP)
    runs.wait_until(lambda: runs.said("read") == "no", "the run to notice the second")
    os.killpg(other.process.pid, signal.SIGCONT)
    runs.wait_until(lambda: runs.said("read") == "yes", "the second to be read again")
    assert runs.said("unattended") is None
    other.process.kill()
    runs.wait_until(lambda: runs.said("read") == "no", "the run to be left with the first")
