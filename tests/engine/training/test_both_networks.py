"""Both networks of a voice in one run: the same steps as alone, one account, one end."""

from dataclasses import replace
from threading import Event

import pytest

from engine.checkpoints.checkpoint import load_checkpoint
from engine.data.batches import BatchSource
from engine.networks.specs import SSRNSpec
from engine.run.commands import Audition, Finish, StopAt, TrainNext
from engine.run.snapshot import Phase
from engine.run.stop import parse_stop, read_stored_stop
from engine.training.judging import Judging
from engine.training.learner import Learner
from engine.voice.claim import VoiceClaim
from tui.process.signals import exit_code

pytestmark = pytest.mark.slow


def all_at_stop(snapshot):
    return all(one.phase is Phase.AT_STOP for one in snapshot.both)


def weights_at(voice, network, step):
    return load_checkpoint(voice.checkpoint_folder(network, step)).weights


def test_each_makes_the_steps_that_it_makes_alone(make_voice, copy_voice, training):
    voice = make_voice(text2mel=5, ssrn=2, price=36_000.0)
    alone = copy_voice(voice, "alone")
    session = training.start(voice, "+12", both=True, ssrn_stop=parse_stop("+4"))
    last = training.end(session)
    assert [(one.network, one.step) for one in last.both] == [("text2mel", 17), ("ssrn", 6)]
    assert {one.phase for one in last.both} == {Phase.STOPPED}
    for network, stop in (("text2mel", "17"), ("ssrn", "6")):
        training.end(training.start(alone, stop, network=network))
        step = int(stop)
        ours, theirs = (weights_at(one, network, step) for one in (voice, alone))
        assert all(ours[name].equal(theirs[name]) for name in theirs)
    # The machine's time counts once, whoever trained.
    entries = voice.spend.entries
    assert {one.network for one in entries if one.kind == "training"} == {"text2mel", "ssrn"}
    assert last.spent == pytest.approx(voice.spend.usd)
    assert last.run_seconds == pytest.approx(voice.spend.seconds)


def test_one_waits_at_its_stop_until_the_other_is_there(make_voice, training):
    voice = make_voice(text2mel=5, ssrn=2)
    session = training.start(voice, "+2", both=True, ssrn_stop=parse_stop("+9k"))
    training.until(session, lambda s: s.phase is Phase.AT_STOP and s.other.step > 2)
    session.send(Finish(by_signal=True))
    ended = training.end(session)
    assert ended.command_to_continue.endswith("--network both")
    # The next run, started by the same command, trains on only what is not there yet.
    session = training.start(voice, "+2", both=True, ssrn_stop=parse_stop("+9k"))
    training.until(session, lambda s: s.other.step > ended.other.step)
    session.send(StopAt(parse_stop("+1"), "ssrn"))
    last = training.end(session)
    assert last.step == 7
    assert last.other.step > ended.other.step
    assert [read_stored_stop(voice.folder / one) for one in ("text2mel", "ssrn")] == [None, None]


def test_ssrn_follows_text2mel_in_the_same_run(make_voice, training):
    voice = make_voice(text2mel=5, ssrn=2)
    session = training.start(voice, "+1", attended=True)
    training.until(session, all_at_stop)
    session.send(TrainNext("ssrn", parse_stop("+2")))
    training.until(session, lambda s: s.other is not None and all_at_stop(s))
    # A run of both speaks with what both have learned by now.
    session.send(Audition("Go."))
    spoken = training.until(session, lambda s: s.auditions == 1)
    assert [(one.step, one.ssrn_step) for one in spoken.samples] == [(6, 4)]
    assert spoken.other.samples is spoken.samples
    session.send(StopAt(parse_stop("+1"), "text2mel"))
    seen = training.until(session, lambda s: s.step == 7 and all_at_stop(s))
    assert seen.other.step == 4
    session.send(Finish())
    assert training.end(session).checkpoint_step == 7


def test_nothing_is_trained_next_in_a_run_that_ends(make_voice, training):
    session = training.start(make_voice(text2mel=5, ssrn=2), "+1", attended=True)
    training.until(session, all_at_stop)
    session.send(Finish())
    session.send(TrainNext("ssrn"))
    assert training.end(session).other is None


def test_one_that_diverges_does_not_end_the_other(make_voice, training, monkeypatch):
    for module in ("metrics", "trainer"):
        monkeypatch.setattr(f"engine.training.{module}.LOG_EVERY", 5)
    batch_of = BatchSource.batch

    def spoil_those_of_ssrn(source, step):
        made = batch_of(source, step)
        return replace(made, mel=made.mel * float("nan")) if source._magnitudes else made

    monkeypatch.setattr(BatchSource, "batch", spoil_those_of_ssrn)
    voice = make_voice(text2mel=5, ssrn=2)
    session = training.start(voice, "+9k", both=True)
    seen = training.until(session, lambda s: s.other.phase is Phase.PAUSED)
    assert seen.phase is Phase.TRAINING
    session.send(StopAt(parse_stop("+1"), "text2mel"))
    last = training.end(session)
    assert last.phase is Phase.FAILED
    assert last.checkpoint_step == last.step > seen.step
    assert "ssrn diverged" in last.failure
    # It may be tried again as it is: what Text2Mel has reached is kept.
    assert read_stored_stop(voice.folder / "text2mel").point.step == last.step


def test_what_failed_in_each_network_is_told(make_voice, training, monkeypatch):
    stepped = {"text2mel": Event(), "ssrn": Event()}

    def fail(learner, *_):
        network = "ssrn" if isinstance(learner.spec, SSRNSpec) else "text2mel"
        stepped[network].set()
        for one in stepped.values():
            assert one.wait(60)
        raise RuntimeError(f"no step of {network}")

    monkeypatch.setattr(Learner, "step", fail)
    session = training.start(make_voice(text2mel=5, ssrn=2), "+9k", both=True)
    failure = training.end(session).failure
    assert failure.startswith("Text2Mel: unexpected error (RuntimeError: no step of text2mel); ")
    assert " SSRN: unexpected error (RuntimeError: no step of ssrn); " in failure
    assert exit_code(session.error, interrupted=False) == 1


def test_one_that_is_in_the_run_already_is_not_trained_next(make_voice, training):
    session = training.start(make_voice(text2mel=5, ssrn=2), "+1", attended=True)
    training.until(session, all_at_stop)
    session.send(TrainNext("text2mel"))
    training.until(session, lambda s: "Text2Mel is already part of this run" in s.events[-1].text)
    session.send(Finish())
    assert training.end(session).step == 6


def test_a_fault_of_the_run_ends_it_once_each_has_saved(make_voice, training, monkeypatch):
    start, step, release = Judging.start, Learner.step, VoiceClaim.release
    stepped, saved_at_release = Event(), []

    def step_and_tell(*given):
        losses = step(*given)
        stepped.set()
        return losses

    def fail_for_the_second(judging):
        if judging._network == "ssrn":
            stepped.clear()
            assert stepped.wait(60)
            raise RuntimeError("can't start new thread")
        start(judging)

    def note(claim):
        snapshot = session.snapshot()
        saved_at_release.append(snapshot.checkpoint_step == snapshot.step > 5)
        release(claim)

    voice = make_voice(text2mel=5, ssrn=2)
    monkeypatch.setattr(Learner, "step", step_and_tell)
    monkeypatch.setattr(Judging, "start", fail_for_the_second)
    monkeypatch.setattr(VoiceClaim, "release", note)
    session = training.start(voice, "+9k", both=True)
    last = training.end(session)
    assert (last.phase, saved_at_release) == (Phase.FAILED, [True])
    assert "can't start new thread" in last.failure
