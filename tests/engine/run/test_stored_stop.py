"""A stop outlives the run that had not come to it, and no longer than that."""

import json
import shutil

import pytest

from engine.errors import InputError
from engine.mirror.restore import FetchOptions, restore_from_mirror
from engine.run.commands import Continue, Finish, Pause, StopAt
from engine.run.options import TrainOptions
from engine.run.snapshot import Phase
from engine.run.stop import AlreadyThereError, StopPoint, StoredStop, parse_stop, read_stored_stop
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


def first_words(training, voice, stop=None, **changes):
    """Start again, pause at once, and end by a signal; return the snapshot at its first step."""
    session = training.start(voice, stop, Pause(), **changes)
    snapshot = training.until(session, lambda s: s.phase is Phase.PAUSED)
    session.send(Finish(by_signal=True))
    training.end(session)
    return snapshot


def about_stops(training, snapshot):
    return [
        text
        for text in training.texts(snapshot)
        if text.startswith(("still stopping", "stop changed"))
    ]


@pytest.mark.parametrize("again", [None, "+2M"])
def test_a_run_that_a_signal_ended_keeps_its_stop(begun, training, again):
    voice, last = begun("+2M", Finish(by_signal=True))
    assert last.stop == StopPoint(step=2_001_000)
    # And so does the one after it, however often it is ended.
    for _ in range(2):
        snapshot = first_words(training, voice, again)
        assert (snapshot.stop, snapshot.stop_text) == (StopPoint(step=2_001_000), "+2M")
        kept = "still stopping at 2,001,000, as before; s or --stop-at changes that"
        assert about_stops(training, snapshot) == [kept]


def test_a_fresh_machine_takes_the_stop_from_the_mirror(make_voice, training, tmp_path):
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


def test_training_time_and_sums_are_kept_as_they_were_meant_first(begun, training):
    voice, last = begun("50h", Finish(by_signal=True), price=0.01)
    snapshot = first_words(training, voice, "50h")
    assert snapshot.stop == last.stop
    assert 50 * 3600 <= snapshot.stop.training_seconds < snapshot.voice_seconds + 50 * 3600
    snapshot = first_words(training, voice, "$10")
    (told,) = about_stops(training, snapshot)
    assert told == "stop changed from 2d02h of training in all to $10.00 spent"
    assert first_words(training, voice).stop == StopPoint(usd=10)
    with pytest.raises(InputError, match=r"to stop at \$10\.00 spent, but this run has no price"):
        training.start(voice, price=0.0)


def test_other_words_take_its_place_and_none_takes_it_away(begun, training):
    voice, _ = begun("+2M", Finish(by_signal=True))
    snapshot = first_words(training, voice, "3M")
    assert about_stops(training, snapshot) == ["stop changed from 2,001,000 to 3,000,000"]
    snapshot = first_words(training, voice, "none")
    assert about_stops(training, snapshot) == ["stop changed from 3,000,000 to no stop"]
    assert snapshot.stop is None
    assert first_words(training, voice).stop is None


def test_a_stop_that_was_set_on_the_way_is_kept_too(begun, training):
    voice, _ = begun(None, StopAt(parse_stop("7M")), Finish(by_signal=True))
    assert first_words(training, voice).stop == StopPoint(step=7_000_000)
    voice_without, _ = begun("+2M", StopAt(None), Finish(by_signal=True), name="other")
    assert first_words(training, voice_without).stop is None


def test_who_ends_a_run_at_its_screen_gives_up_its_stop(begun, training):
    voice, _ = begun("+2M", Finish())
    snapshot = first_words(training, voice)
    assert (snapshot.stop, about_stops(training, snapshot)) == (None, [])


@pytest.mark.parametrize("attended", [False, True])
def test_a_stop_that_was_reached_is_over(make_voice, training, attended):
    voice = make_voice()
    session = training.start(voice, "+3", attended=attended)
    if attended:
        training.until(session, lambda s: s.phase is Phase.AT_STOP and s.checkpoint_step == 3)
        session.send(Continue())
        training.until(session, lambda s: s.step > 3)
        session.send(Finish(by_signal=True))
    first = training.end(session)
    snapshot = first_words(training, voice)
    assert (snapshot.stop, about_stops(training, snapshot)) == (None, [])
    assert training.end(training.start(voice, "+3")).step == first.step + 3


def test_each_network_has_its_own(begun, training):
    voice, _ = begun("+2M", Finish(by_signal=True), ssrn=5)
    assert first_words(training, voice, network="ssrn").stop is None
    assert first_words(training, voice).stop == StopPoint(step=2_001_000)


def test_a_run_that_could_not_say_that_it_was_at_its_stop_does_not_train_on(make_voice, training):
    voice = make_voice(text2mel=1000)
    kept = voice.folder / "text2mel" / "stop.json"
    for said in ({"text": "+20", "step": 1000}, {"text": "+20", "step": 900}):
        kept.write_text(json.dumps(said))
        for again in (None, "+20"):
            with pytest.raises(AlreadyThereError, match="has come to its stop"):
                training.start(voice, again)
    assert training.end(training.start(voice, "+2")).step == 1002


@pytest.mark.parametrize(
    "said",
    [
        "", "[]", "7", "null", "{", '{"text": "+2"}', '{"step": 5000}', "[" * 900,
        '{"text": "+2", "step": true}', '{"text": "+2", "step": 5.5}', '{"text": "+2", "step": -1}',
        '{"text": "+2", "step": ' + "9" * 800 + "}", '{"text": "", "step": 5000}',
        '{"text": "\\u001b[2J", "step": 5000}', '{"text": "' + "+" * 300 + '", "step": 5000}',
        '{"text": "$9", "usd": NaN}', '{"text": "$9", "usd": Infinity}', '{"text": "2h"}',
        '{"text": "2h", "training_seconds": 1e300}', '{"text": "2h", "training_seconds": "1"}',
        '{"text": "+2", "step": 5000, "more": 1}', '{"text": "+2", "step": 5000}' + " " * 2000,
    ],
)  # fmt: skip
def test_what_a_stranger_wrote_there_is_refused_in_a_sentence(make_voice, training, said):
    voice = make_voice()
    (voice.folder / "text2mel" / "stop.json").write_text(said)
    with pytest.raises(InputError, match=r"stop\.json, where .* --stop-at none$") as refused:
        training.start(voice)
    assert len(str(refused.value)) < 400


def test_where_it_cannot_be_read_another_takes_its_place(make_voice, training):
    voice = make_voice()
    kept = voice.folder / "text2mel" / "stop.json"
    kept.write_text("]")
    last = training.end(training.start(voice, "+2"))
    assert last.step == 2
    assert any("stop.json" in text for text in training.texts(last))
    assert json.loads(kept.read_text()) == {}
