"""The real engine behind its socket: whoever comes, goes or steers, it makes the same steps."""

from pathlib import Path

import pytest

from engine.attach.client import RemoteSession, ask_status
from engine.attach.connection import GREETING, frame
from engine.attach.messages import Hello
from engine.attach.registry import known_runs
from engine.attach.sockets import connect
from engine.run.commands import Continue, Finish, Pause, ScreenDetached, StopAt
from engine.run.snapshot import Phase
from engine.run.stop import parse_stop

pytestmark = pytest.mark.slow


def at_stop(snapshot):
    return snapshot.phase is Phase.AT_STOP


def test_an_attached_screen_sees_what_the_own_one_sees(make_voice, training, monkeypatch):
    voice = make_voice(text2mel=100)
    monkeypatch.chdir(voice.folder.parent)
    session = training.start(Path(voice.folder.name), "+12", attended=True)
    remote = RemoteSession(voice.folder)
    training.until(session, at_stop)
    for _ in range(2000):
        seen, own = remote.snapshot(), session.snapshot()
        if (seen.step, seen.phase, seen.events) == (own.step, own.phase, own.events):
            break
        remote.join(0.01)
    assert (seen.step, seen.phase, seen.screens) == (112, Phase.AT_STOP, 2)
    assert (seen.curve, seen.events, seen.losses) == (own.curve, own.events, own.losses)
    assert len(seen.attention) == len(own.attention) > 0
    shapes = [plot.weights.shape for plot in own.attention]
    assert [plot.weights.shape for plot in seen.attention] == shapes
    assert ask_status(voice.folder, 20).screens == 2
    # What `ps` says to type, in any folder, should the run be killed.
    [resume] = [run.resume for run in known_runs() if run.voice_folder == voice.folder]
    assert resume == f"voicecoach train --voice {voice.folder}"
    remote.send(StopAt(parse_stop("+3")))
    training.until(session, lambda s: at_stop(s) and s.step == 115)
    remote.send(Finish())
    assert training.end(session).phase is Phase.STOPPED
    assert remote.join(30)
    assert remote.snapshot().phase is Phase.STOPPED
    assert not (voice.folder / "socket").exists()
    assert voice.folder not in [run.voice_folder for run in known_runs()]


def test_a_run_waits_at_the_stop_while_any_screen_is_there(make_voice, training):
    voice = make_voice(text2mel=100)
    session = training.start(voice, None)
    training.until(session, lambda s: s.step > 101)
    remote, other = RemoteSession(voice.folder), RemoteSession(voice.folder)
    training.until(session, lambda s: "a screen is attached" in training.texts(s))
    remote.send(StopAt(parse_stop("+2")))
    training.until(session, at_stop)
    remote.close()
    training.until(session, lambda s: s.screens == 1)
    assert at_stop(session.snapshot())
    other.close()
    snapshot = training.end(session)
    assert (snapshot.phase, snapshot.saved) == (Phase.STOPPED, True)


def test_the_own_screen_may_go_while_another_is_there(make_voice, training):
    voice = make_voice(text2mel=100)
    session = training.start(voice, None, Pause(), attended=True)
    training.until(session, lambda s: s.phase is Phase.PAUSED)
    remote = RemoteSession(voice.folder)
    session.send(ScreenDetached())
    training.until(session, lambda s: s.screens == 1)
    remote.send(Continue())
    training.until(session, lambda s: s.step > 101)
    remote.close()
    training.until(session, lambda s: "continuing without a screen" in training.texts(s))
    assert not session.snapshot().phase.ended
    session.send(Finish())
    assert training.end(session).phase is Phase.STOPPED


def test_screens_that_come_and_go_change_no_step(make_voice, copy_voice, training):
    voice = make_voice(text2mel=100)
    twin = copy_voice(voice, "twin")
    watched = training.start(voice, "+40")
    deaf = [connect(voice.folder, 20) for _ in range(5)]
    for connection in deaf:
        connection.send(GREETING + frame(Hello("screen")))
    screens = [RemoteSession(voice.folder) for _ in range(3)]
    screens[0].close()
    deaf[0].send(b"nonsense\n")
    snapshot = training.until(watched, lambda s: at_stop(s) or s.phase.ended)
    for screen in screens:
        screen.close()
    for connection in deaf:
        connection.close()
    training.end(watched)
    alone = training.end(training.start(twin, "+40"))
    assert snapshot.step == alone.step == 140
    assert snapshot.losses == alone.losses


def test_training_goes_on_without_a_socket(make_voice, training):
    voice = make_voice()
    (voice.folder / "socket").mkdir()
    snapshot = training.end(training.start(voice, "+1"))
    assert snapshot.step == 1
    [told] = [text for text in training.texts(snapshot) if "no other screen can attach" in text]
    assert str(voice.folder / "socket") in told
