"""A stop outlives the run that did not reach it, and no longer than that."""

import json
import re
import shutil
import time

import pytest

from engine.errors import InputError
from engine.mirror.fetch import FetchOptions
from engine.mirror.restore import restore_from_mirror
from engine.run.commands import Continue, Finish, Pause, StopAt
from engine.run.evaluation import Advice
from engine.run.options import TrainOptions
from engine.run.snapshot import Phase
from engine.run.stop import (
    AlreadyThereError,
    StopPoint,
    StopRule,
    StoredStop,
    parse_stop,
    read_stored_stop,
)
from engine.session import Session
from engine.voice.folder import Voice


@pytest.fixture
def begun(make_voice, training):
    """Begin a run with a stop far off, end it by a command, and return the voice."""

    def begin(stop, *commands, **changes):
        voice = make_voice(text2mel=1000, base_step=1000, **changes)
        session = training.start(voice, stop)
        training.until(session, lambda s: s.step > 1000)
        for command in commands:
            session.send(command)
        last = training.end(session)
        assert session.error is None
        return voice, last

    return begin


def stops(training, voice, stop=None, **changes):
    """Start again, pause at once, end by a signal; return the stop, and what was said of it."""
    session = training.start(voice, stop, Pause(), **changes)
    snapshot = training.until(session, lambda s: s.phase is Phase.PAUSED)
    session.send(Finish(by_signal=True))
    training.end(session)
    words = ("still stopping", "stop changed")
    return snapshot.stop, [text for text in training.texts(snapshot) if text.startswith(words)]


@pytest.mark.slow
def test_a_run_ended_by_a_signal_keeps_its_stop(begun, training):
    voice, last = begun("+2M", Finish(by_signal=True), ssrn=5)
    assert last.stop == StopPoint(step=2_001_000)
    # And so does the one after it, however often it is ended.
    for again in (None, "+2M"):
        stop, texts = stops(training, voice, again)
        assert stop == StopPoint(step=2_001_000)
        assert texts == ["still stopping at 2,001,000, as before; s or --stop-at changes that"]
    # The other network has a stop of its own.
    assert stops(training, voice, network="ssrn")[0] is None


@pytest.mark.slow
def test_a_new_machine_takes_the_stop_from_the_mirror(make_voice, training, tmp_path):
    voice = make_voice(text2mel=1000, base_step=1000)
    mirror, fresh = str(tmp_path / "mirror"), tmp_path / "fresh"
    for stop, kept in (("+2M", StoredStop(StopPoint(step=2_001_000), "+2M")), ("+1", None)):
        session = training.start(voice, stop, mirror=mirror)
        if kept is not None:
            training.until(session, lambda s: s.step > 1000)
            session.send(Finish(by_signal=True))
        training.end(session)
        restore_from_mirror(TrainOptions(fresh, mirror=mirror), FetchOptions())
        assert Voice.open(fresh).newest("text2mel").step == session.snapshot().step
        assert read_stored_stop(fresh / "text2mel") == kept
        shutil.rmtree(fresh)


@pytest.mark.slow
def test_times_and_sums_are_kept_as_they_were_first_meant(begun, training):
    voice, last = begun("50h", Finish(by_signal=True), price=0.01)
    stop, _ = stops(training, voice, "50h")
    assert stop == last.stop
    assert 50 * 3600 <= stop.training_seconds < last.voice_seconds + 50 * 3600
    stop, texts = stops(training, voice, "$10")
    assert texts == ["stop changed from 2d02h of training in all to $10"]
    assert stops(training, voice)[0] == StopPoint(usd=10)
    with pytest.raises(InputError, match=r"\$10\.00 spent, but this run has no price"):
        training.start(voice, price=0.0)


@pytest.mark.slow
def test_another_stop_replaces_it_and_none_removes_it(begun, training):
    voice, _ = begun("+2M", StopAt(parse_stop("7M")), Finish(by_signal=True))
    assert stops(training, voice)[0] == StopPoint(step=7_000_000)
    _, texts = stops(training, voice, "3M")
    assert texts == ["stop changed from 7,000,000 to 3M"]
    stop, texts = stops(training, voice, "none")
    assert (stop, texts) == (None, ["stop changed from 3,000,000 to no stop"])
    assert stops(training, voice)[0] is None


@pytest.mark.slow
@pytest.mark.parametrize("commands", [[StopAt(None), Finish(by_signal=True)], [Finish()]])
def test_a_stop_is_forgotten_where_a_person_ends_it(begun, training, commands):
    voice, _ = begun("+2M", *commands)
    assert stops(training, voice) == (None, [])


@pytest.mark.slow
@pytest.mark.parametrize("attended", [False, True])
def test_a_reached_stop_is_forgotten(make_voice, training, attended):
    voice = make_voice()
    session = training.start(voice, "+3", attended=attended)
    if attended:
        training.until(session, lambda s: s.phase is Phase.AT_STOP and s.checkpoint_step == 3)
        session.send(Continue())
        training.until(session, lambda s: s.step > 3)
        session.send(Finish(by_signal=True))
    first = training.end(session)
    assert stops(training, voice) == (None, [])
    assert training.end(training.start(voice, "+3")).step == first.step + 3


def test_a_run_killed_at_its_stop_does_not_train_on(make_voice, training):
    voice = make_voice(text2mel=1000)
    path = voice.folder / "text2mel" / "stop.json"
    for content in ({"text": "+20", "step": 1000}, {"text": "+20", "step": 900}):
        path.write_text(json.dumps(content))
        for again in (None, "+20"):
            with pytest.raises(AlreadyThereError, match="has reached its stop"):
                training.start(voice, again)
    assert training.end(training.start(voice, "+2")).step == 1002


@pytest.mark.slow
def test_a_new_stop_replaces_an_unreadable_one(make_voice, training):
    voice = make_voice()
    path = voice.folder / "text2mel" / "stop.json"
    path.write_text("]")
    last = training.end(training.start(voice, "+2"))
    assert last.step == 2
    assert any("stop.json" in text for text in training.texts(last))
    assert json.loads(path.read_text()) == {}


@pytest.mark.slow
def test_a_time_of_day_ends_the_run_and_is_kept_until_then(begun, training):
    later = StopAt(StopRule("clock", time.time() + 9_000, "19:00"))
    voice, last = begun(None, later, Finish(by_signal=True))
    assert last.stop == StopPoint(at=later.rule.amount)
    stop, texts = stops(training, voice)
    assert stop == last.stop
    assert re.fullmatch(r"still stopping at \d\d:\d\d on \w+ \d+ \w+, as before; .*", texts[0])
    # Such as one that passes while the run prepares.
    now = StopAt(StopRule("clock", time.time(), "19:00"))
    snapshot = training.end(training.start(voice, None, now))
    assert snapshot.phase is Phase.STOPPED
    assert f"reached the stop at step {snapshot.step:,}" in training.texts(snapshot)
    assert read_stored_stop(voice.folder / "text2mel") is None


@pytest.mark.slow
def test_a_stop_is_stored_before_the_run_prepares(make_voice, training, tmp_path, speech):
    for folder in (make_voice(text2mel=1000, base_step=1000).folder, tmp_path / "new"):
        stop = parse_stop("+20")
        session = Session(TrainOptions(folder, dataset=speech, device="cpu", stop=stop))
        home, first = folder / "text2mel", session.snapshot().step
        # Killed now, the run would go on to here.
        assert read_stored_stop(home) == StoredStop(StopPoint(step=first + 20), "+20")
        session.send(StopAt(parse_stop("2h")))
        assert read_stored_stop(home) == StoredStop(StopPoint(training_seconds=7200), "2h")
        assert session.snapshot().stop_text == "2h"
        # Ended by a person before the first step it is forgotten.
        session.send(Finish())
        session.start()
        training.end(session)
        assert read_stored_stop(home) is None


@pytest.mark.slow
def test_a_run_stops_when_flat_until_a_person_wants_more(make_voice, training, monkeypatch):
    def flat(snapshot, evaluations):
        return Advice("flat", "flat for 900 steps", step=snapshot.step + 1, flat_since=100)

    monkeypatch.setattr("engine.training.judging.advise_run", flat)
    monkeypatch.setattr("engine.training.judging.Judging._next", lambda _: None)
    voice = make_voice(text2mel=1000, base_step=1000, ssrn=5, evaluation=True)
    session = training.start(voice, "+2M", attended=True, stop_when="flat")
    stopped = training.until(session, lambda s: s.phase is Phase.AT_STOP)
    assert any("--stop-when flat: flat for 900 steps" in one for one in training.texts(stopped))
    assert "--stop-when" not in stopped.command_to_continue
    session.send(StopAt(parse_stop("+3")))
    last = training.until(session, lambda s: s.step == stopped.step + 3)
    assert not last.stop_when
    session.send(Finish())
    training.end(session)


def test_without_evaluation_no_run_stops_when_flat(make_voice, training):
    voice = make_voice(text2mel=1000, evaluation=False)
    with pytest.raises(InputError, match="set evaluation = true"):
        training.start(voice, stop_when="flat")
