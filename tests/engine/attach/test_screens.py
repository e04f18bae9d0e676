"""Who looks at a run, and what the engine is told of that."""

import threading

import numpy as np
import pytest

from engine.attach.client import RemoteSession
from engine.attach.connection import GREETING, frame
from engine.attach.messages import Hello
from engine.attach.screens import OWN, Screens
from engine.attach.updates import update_between
from engine.run.commands import Finish, KeyPressed, ScreenAttached, ScreenDetached, TerminalStalled
from engine.run.curves import AttentionPlot

HELLO = GREETING + frame(Hello("screen"))
BIG = AttentionPlot(1, "a", np.random.default_rng(1).random((180, 210), np.float32), "")


def test_the_last_screen_to_go_leaves_the_run_unattended(make_run, tmp_path, until):
    run = make_run(tmp_path / "own", own=True)
    one, other = RemoteSession(run.folder), RemoteSession(run.folder)
    until(lambda: other.snapshot().screens == 3, "the count")
    run.screens.remove(OWN)
    one.close()
    until(lambda: run.counts == (1, 0), "one to be left")
    assert run.asked == []
    other.close()
    until(lambda: run.counts == (0, 0), "nobody to be left")
    assert run.asked == [ScreenDetached()]
    RemoteSession(run.folder).close()
    until(lambda: len(run.asked) == 3, "one that came and went")
    assert run.asked == [ScreenDetached(), ScreenAttached(), ScreenDetached()]


def test_a_reader_sees_everything_and_is_not_waited_for(run, until):
    reader = RemoteSession(run.folder, reading=True)
    until(lambda: run.counts == (0, 1), "the reader")
    run.publisher.update(step=7)
    until(lambda: reader.snapshot().step == 7, "the change")
    RemoteSession(run.folder).close()
    until(lambda: run.counts == (0, 1), "the screen to be gone")
    assert run.asked == [ScreenAttached(), ScreenDetached()]
    reader.send(Finish())
    assert reader.join(20)
    assert "only a screen that came to steer" in reader.snapshot().failure
    assert len(run.asked) == 2


def test_screens_count_while_any_terminal_takes_output(make_run, tmp_path, until):
    run = make_run(tmp_path / "own", own=True)
    one, other = RemoteSession(run.folder), RemoteSession(run.folder)
    reader = RemoteSession(run.folder, reading=True)
    one.send(TerminalStalled(stalled=True))
    one.send(KeyPressed())
    until(lambda: KeyPressed() in run.asked, "the key")
    run.screens.set_takes_output(OWN, False)
    # The last that reads leaves, and a reader is not waited for.
    other.close()
    until(lambda: len(run.asked) == 2, "no terminal that reads")
    one.send(TerminalStalled(stalled=False))
    until(lambda: len(run.asked) == 3, "one that reads again")
    one.close()
    until(lambda: len(run.asked) == 4, "no terminal that reads again")
    RemoteSession(run.folder).close()
    until(lambda: len(run.asked) == 6, "one that came and went")
    stalled = [command.stalled for command in run.asked if isinstance(command, TerminalStalled)]
    assert stalled == [True, False, True, False, True]
    run.screens.remove(OWN)
    run.screens.set_takes_output(OWN, True)
    assert run.asked[6:] == [ScreenDetached()]
    reader.close()


@pytest.mark.slow
@pytest.mark.parametrize("full", [False, True], ids=["a little", "a full socket"])
def test_a_screen_that_takes_nothing_does_not_count(run, monkeypatch, until, full, client):
    monkeypatch.setattr("engine.attach.server._STALLED_AFTER", 0.5)
    if full:
        run.publisher.update(attention=(BIG,) * 40)
    raw = client(run.folder, HELLO)
    until(lambda: run.asked[-1:] == [TerminalStalled(stalled=True)], "the run to notice")
    assert run.counts == (1, 0)
    taken = threading.Thread(target=lambda: list(raw.messages()))
    taken.start()
    until(lambda: run.asked[-1] == TerminalStalled(stalled=False), "the run to notice again")
    run.end()
    taken.join()
    raw.close()


@pytest.mark.parametrize("last", [True, False])
def test_the_last_to_leave_says_whether_training_goes_on(run, until, last):
    one, other = RemoteSession(run.folder), RemoteSession(run.folder)
    one.send(ScreenDetached(keep_training=not last))
    one.close()
    until(lambda: run.counts == (1, 0), "one to be gone")
    other.send(ScreenDetached(keep_training=last))
    other.close()
    until(lambda: run.counts == (0, 0), "nobody to be left")
    assert run.asked == [ScreenAttached(), ScreenDetached(keep_training=last)]


def test_a_leave_sent_while_the_screen_is_written_to_counts(run, until, monkeypatch, client):
    raw = client(run.folder, HELLO)
    until(lambda: run.counts == (1, 0), "the screen")

    def leave_meanwhile(before, after):
        if before is not None and not raw.socket._closed:
            raw.send(frame(ScreenDetached(keep_training=True)))
            raw.close()
        return update_between(before, after)

    monkeypatch.setattr("engine.attach.server.update_between", leave_meanwhile)
    run.publisher.update(step=2)
    until(lambda: run.counts == (0, 0), "the screen to be gone")
    assert run.asked == [ScreenAttached(), ScreenDetached(keep_training=True)]


def test_a_hang_up_after_the_person_left_changes_nothing():
    asked: list[object] = []
    screens = Screens(asked.append, lambda number, readers: None, own=True)
    screens.remove(OWN, keep_training=True)
    screens.remove(OWN)
    assert asked == [ScreenDetached(keep_training=True)]
