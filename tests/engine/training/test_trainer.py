"""The loop as a person drives it: stops, pauses, checkpoints, counters, and faults."""

import json

import pytest
import torch
from saved import steps

from engine.errors import EngineError, InputError
from engine.run.commands import (
    Audition,
    Continue,
    Finish,
    Pause,
    PlotAttention,
    SaveCheckpoint,
    ScreenDetached,
    SetSentences,
    StopAt,
)
from engine.run.snapshot import Phase
from engine.run.stop import parse_stop
from engine.training.learner import Learner
from engine.voice.folder import Voice


def at_stop(snapshot):
    return snapshot.phase is Phase.AT_STOP


def paused(snapshot):
    return snapshot.phase is Phase.PAUSED


@pytest.mark.slow
def test_a_run_stops_after_a_time_and_records_it(make_voice, training):
    voice = make_voice()
    training.end(training.start(voice, "0.00001h", price=1000.0))
    first = voice.spend
    assert first.seconds >= 0.036
    snapshot = training.end(training.start(voice, "0.00001h", price=2000.0))
    both = voice.spend
    assert both.seconds >= 0.072
    trained = [s for s in both.entries if s.kind == "training" and s.last_step > s.first_step]
    assert [entry.price for entry in trained] == [1000.0, 2000.0]
    assert trained[1].first_step == trained[0].last_step
    assert trained[1].last_step == snapshot.step
    assert first.usd < snapshot.spent == pytest.approx(both.usd)
    assert snapshot.voice_seconds > snapshot.run_seconds > 0


def test_a_run_stops_at_a_sum_of_money(make_voice, training):
    voice = make_voice()
    with pytest.raises(InputError, match="--price"):
        training.start(voice, "$5")
    snapshot = training.end(training.start(voice, "$5", price=360_000.0))
    assert snapshot.phase is Phase.STOPPED
    assert voice.spend.usd >= 5
    with pytest.raises(InputError, match="already spent"):
        training.start(voice, "$5")


@pytest.mark.slow
@pytest.mark.usefixtures("written_at_once")
def test_checkpoints_at_every_multiple_and_old_ones_go(make_voice, training):
    voice = make_voice(text2mel=5, base_step=5, keep_newest=2, keep_every=8)
    snapshot = training.end(training.start(voice, "19", checkpoint_every=2))
    assert snapshot.phase is Phase.STOPPED
    # The base, the multiples of 8, and the newest two.
    assert steps(voice) == [5, 8, 16, 18, 19]
    assert Voice.open(voice.folder).settings.checkpoint_every == 2
    plots = [plot.step for plot in snapshot.attention]
    assert plots == [5, 6, 8, 10, 12, 14, 16, 18, 19]
    assert len(list((voice.folder / "text2mel" / "checkpoints").iterdir())) == 5


@pytest.mark.slow
def test_at_the_stop_a_run_waits_for_its_screen(make_voice, training):
    voice = make_voice()
    session = training.start(voice, "+3", SaveCheckpoint(), attended=True, price=1.0)
    snapshot = training.until(session, at_stop)
    assert "nothing to save at step 0" in training.texts(snapshot)
    assert steps(voice) == [0, 3]
    assert snapshot.steps_per_second is None
    session.send(SaveCheckpoint())
    training.until(session, lambda s: "already saved" in s.events[-1].text)
    session.send(StopAt(parse_stop("2")))
    snapshot = training.until(session, lambda s: "cannot stop at" in s.events[-1].text)
    assert (snapshot.phase, snapshot.stop.step) == (Phase.AT_STOP, 3)
    session.send(StopAt(parse_stop("+2")))
    snapshot = training.until(session, lambda s: at_stop(s) and s.step == 5)
    assert (snapshot.first_step, snapshot.checkpoint_step) == (3, 5)
    assert snapshot.first_run_seconds > 0
    # To continue at the stop is to train on without one.
    session.send(Continue())
    snapshot = training.until(session, lambda s: s.step > 6)
    assert (snapshot.phase, snapshot.stop) == (Phase.TRAINING, None)
    session.send(SaveCheckpoint())
    training.until(session, lambda s: s.checkpoint_step > 5)
    session.send(Finish())
    last = training.end(session)
    assert steps(voice)[:3] == [0, 3, 5]
    assert len(steps(voice)) in (4, 5)
    assert steps(voice)[-1] == voice.spend.entries[-1].last_step == last.step


@pytest.mark.slow
def test_a_pause_makes_no_steps_and_counts_no_time(make_voice, training):
    voice = make_voice()
    session = training.start(voice, "+9", Pause(), price=1.0)
    before = training.until(session, paused)
    session.send(Pause())
    session.send(PlotAttention())
    snapshot = training.until(session, lambda s: len(s.attention) > len(before.attention))
    assert (snapshot.step, snapshot.run_seconds) == (before.step, before.run_seconds)
    session.send(SetSentences(("  A new sentence. ", "Another.\n", " ", "Another.")))
    session.send(SetSentences(("Good.", "!!! ---")))
    session.send(SaveCheckpoint())
    session.send(Continue())
    session.send(Continue())
    snapshot = training.end(session)
    assert snapshot.step == 9
    assert snapshot.first_step == 0
    assert snapshot.sentences == ("A new sentence.", "Another.")
    assert Voice.open(voice.folder).settings.sentences == snapshot.sentences
    events = training.texts(snapshot)
    assert events.count("training continues") == 1
    assert sum(text.startswith("paused at step") for text in events) == 1
    assert sum(text.startswith("nothing to speak") for text in events) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "command", "step"),
    [
        ((), ScreenDetached(), 6),
        ((Pause(),), ScreenDetached(keep_training=True), 6),
        ((StopAt(parse_stop("2")),), ScreenDetached(), 2),
        ((Pause(),), ScreenDetached(), 0),
    ],
)
def test_a_run_whose_screen_detaches_ends(make_voice, training, before, command, step):
    session = training.start(make_voice(), "+6", *before, command, attended=True)
    snapshot = training.end(session)
    assert (snapshot.phase, snapshot.step) == (Phase.STOPPED, step)


@pytest.mark.slow
def test_what_a_snapshot_shows_of_a_run(make_voice, training):
    voice = make_voice(text2mel=1090, base_step=1000)
    snapshot = training.end(training.start(voice, "+20"))
    assert (snapshot.phase, snapshot.failure) == (Phase.STOPPED, "")
    assert snapshot.step == snapshot.checkpoint_step == 1110
    assert (snapshot.first_step, snapshot.base_step) == (1090, 1000)
    assert snapshot.progress_to_stop == 1
    assert steps(voice) == [1090, 1110]
    losses = snapshot.losses
    assert losses.total == pytest.approx(losses.l1 + losses.divergence + losses.attention, rel=1e-4)
    assert snapshot.held_out is not None
    assert snapshot.curve.steps == (1100, 1110)
    assert snapshot.curve.held_out_steps == (1100,)
    assert snapshot.learning_rate > 0
    assert (snapshot.device, snapshot.precision) == ("cpu", "fp32")
    plot = snapshot.attention[-1]
    assert plot.weights.shape[0] == len(plot.sentence)
    assert plot.sentence.endswith("E")
    assert plot.source.startswith("held-out LJ001-")
    assert not plot.weights.flags.writeable
    assert snapshot.gpu is None
    assert snapshot.gpu_absent
    history = [json.loads(line) for line in voice.history("text2mel").read_text().splitlines()]
    assert [line["step"] for line in history] == [1100, 1110]


@pytest.mark.slow
def test_ssrn_has_no_attention_to_draw(make_voice, training):
    voice = make_voice(ssrn=10)
    snapshot = training.end(training.start(voice, "+12", PlotAttention(), network="ssrn"))
    assert (snapshot.phase, snapshot.step) == (Phase.STOPPED, 22)
    assert snapshot.attention == ()
    assert snapshot.losses.attention is None
    assert steps(voice, "ssrn") == [10, 22]
    assert steps(voice) == [0]


@pytest.mark.slow
def test_the_end_gives_up_the_audition_under_way(make_voice, training):
    voice = make_voice(sentences=("la " * 500,))
    session = training.start(voice, "+1", attended=True)
    training.until(session, at_stop)
    session.send(Audition())
    training.until(session, lambda s: s.auditioning)
    session.send(Finish())
    snapshot = training.end(session)
    assert not snapshot.auditioning
    assert "the sample was cancelled" in training.texts(snapshot)
    assert snapshot.samples == ()


@pytest.mark.slow
def test_a_fault_saves_what_was_learned(make_voice, training, monkeypatch):
    voice = make_voice()
    make_step = Learner.step

    def break_off(learner, batch, step=6):
        if step == 6:
            # The attention cannot be computed any more either.
            monkeypatch.setattr(Learner, "evaluate", break_off)
            raise RuntimeError("the device fell off")
        return make_step(learner, batch, step)

    monkeypatch.setattr(Learner, "step", break_off)
    session = training.start(voice, "+20")
    snapshot = training.end(session)
    assert snapshot.phase is Phase.FAILED
    assert "the device fell off" in snapshot.failure
    events = training.texts(snapshot)
    assert "saved before ending with RuntimeError" in events
    assert not any("cannot be saved" in text for text in events)
    assert isinstance(session.error, RuntimeError)
    assert steps(voice) == [0, 5]
    assert (snapshot.step, snapshot.checkpoint_step) == (5, 5)
    monkeypatch.undo()
    assert training.end(training.start(voice, "+1")).step == 6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "words"),
    [("step", ""), ("evaluate", ""), ("losses", "a single one of the longest clips")],
)
def test_out_of_memory_is_reported_in_a_sentence(make_voice, training, monkeypatch, work, words):
    def too_much(*_):
        raise torch.OutOfMemoryError("tried to allocate 20 GiB")

    monkeypatch.setattr(Learner, work, too_much)
    session = training.start(make_voice(), "+2")
    snapshot = training.end(session)
    assert isinstance(session.error, EngineError)
    assert words in snapshot.failure
    assert "--preset small" in snapshot.failure


@pytest.mark.slow
def test_a_history_that_cannot_be_written_ends_no_run(make_voice, training):
    voice = make_voice()
    session = training.start(voice, "7", attended=True)
    training.until(session, at_stop)
    voice.history("text2mel").mkdir()
    session.send(StopAt(parse_stop("35")))
    training.until(session, lambda s: at_stop(s) and s.step == 35)
    session.send(Finish())
    snapshot = training.end(session)
    assert snapshot.phase is Phase.STOPPED
    told = [text for text in training.texts(snapshot) if "history.jsonl cannot be written" in text]
    assert [text.split(". ")[-1] for text in told] == [
        "Losses stay in memory until there is room.",
        "The last losses are not in the history.",
    ]
