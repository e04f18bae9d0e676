"""Divergence: steps that are skipped, runs that are rolled back, and when that is given up."""

import json
from dataclasses import replace
from threading import Event

import pytest
import torch
from saved import in_tensorboard, same, steps, tensors

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.checkpoints.state import Recovery
from engine.data.batches import BatchSource
from engine.run.commands import Continue, Finish, ScreenDetached, TerminalStalled
from engine.run.snapshot import Phase
from engine.training.divergence import DivergedError, LossRange
from engine.training.learner import Learner

BIAS = "audio_decoder.layers.0.convolution.bias"


@pytest.fixture(autouse=True)
def logged_often(monkeypatch):
    """Read the losses every five steps, so that few are enough."""
    for module in ("metrics", "trainer"):
        monkeypatch.setattr(f"engine.training.{module}.LOG_EVERY", 5)


def events(training, snapshot, words):
    return [text for text in training.texts(snapshot) if words in text]


def history(voice):
    lines = voice.history("text2mel").read_text().splitlines()
    return [line for line in map(json.loads, lines) if "loss" in line]


def spoil_batches(monkeypatch, is_bad):
    """Make the mels of some steps' batches NaN; `is_bad` takes the step and the salt."""
    batch_of = BatchSource.batch

    def batch(source, step):
        made = batch_of(source, step)
        if is_bad(step, sum(source._salt)):
            made = replace(made, mel=torch.full_like(made.mel, float("nan")))
        return made

    monkeypatch.setattr(BatchSource, "batch", batch)


def spoil_steps(monkeypatch, spoil):
    """Let `spoil` change what a step returns, unless the run was rolled back before."""
    make_step = Learner.step

    def step_and_spoil(learner, batch, step):
        losses = make_step(learner, batch, step)
        return losses if learner.recovery.salt else spoil(learner, step, losses)

    monkeypatch.setattr(Learner, "step", step_and_spoil)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["standard", "bbc"])
def test_a_step_with_a_nan_loss_changes_nothing(
    make_voice, copy_voice, training, monkeypatch, recipe
):
    with_nan = make_voice(recipe=recipe)
    without = copy_voice(with_nan, "without")
    with monkeypatch.context() as patch:
        spoil_batches(patch, lambda step, salt: step == 4)
        snapshot = training.end(training.start(with_nan, "8"))
    assert (snapshot.phase, snapshot.skipped) == (Phase.STOPPED, 1)
    assert events(training, snapshot, "1 step skipped up to step 5")
    make_step = Learner.step

    def leave_out(learner, batch, step):
        return learner.losses(batch).detached() if step == 4 else make_step(learner, batch, step)

    monkeypatch.setattr(Learner, "step", leave_out)
    training.end(training.start(without, "8"))
    ours, theirs = tensors(with_nan, 8), tensors(without, 8)
    assert same(ours, theirs)
    count = next(tensor for name, tensor in ours.items() if name[1].startswith("step/"))
    assert count == 7
    # Logged losses are means of the steps that had a finite one.
    [line] = history(with_nan)
    assert line["step"] == 5
    assert 0 < line["loss"] < 10


@pytest.mark.slow
def test_an_infinite_gradient_is_skipped_and_not_clipped(make_voice, training, monkeypatch):
    voice = make_voice()
    losses = Learner.losses

    def explode(learner, batch):
        made = losses(learner, batch)
        weight = next(learner.network.parameters())
        # 0, with an infinite slope.
        zero = (weight - weight.detach()).sum().sqrt()
        return made._replace(total=made.total + zero)

    monkeypatch.setattr(Learner, "losses", explode)
    before = tensors(voice, 0)
    assert training.end(training.start(voice, "3")).skipped == 3
    after = tensors(voice, 3)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


@pytest.mark.slow
def test_many_skips_in_a_row_roll_back_with_half_the_rate(
    make_voice, copy_voice, training, monkeypatch
):
    voice = make_voice(checkpoint_every=10, tensorboard=True)
    stopped = copy_voice(voice, "stopped")
    spoil_batches(monkeypatch, lambda step, salt: 11 <= step <= 15 and salt == 0)
    snapshot = training.end(training.start(voice, "20"))
    assert snapshot.phase is Phase.STOPPED
    assert (snapshot.step, snapshot.rate_factor, snapshot.rollbacks) == (20, 0.5, 1)
    [text] = events(training, snapshot, "diverged")
    assert snapshot.notices[0].text == text
    assert [one.kind for one in snapshot.notices] == ["diverged", "stop"]
    assert "at step 15: 5 steps in a row" in text
    assert "rolled back to 10, learning rate × 0.5, new batch order (1 of 3)" in text
    assert steps(voice) == [0, 10, 20]
    recovery = load_checkpoint(voice.newest("text2mel").path).recovery
    assert recovery == Recovery(0.5, 1, 1, 15)
    # So does the checkpoint that it was rolled back to: a run killed now resumes the same.
    assert load_checkpoint(voice.checkpoint_folder("text2mel", 10)).recovery == recovery
    lines = history(voice)
    assert [line["step"] for line in lines] == [5, 10, 15, 20]
    assert lines[-1]["learning_rate"] == pytest.approx(lines[1]["learning_rate"])  # 20 / 2 = 10
    assert [one.step for one in in_tensorboard(voice).Scalars("loss/total")] == [5, 10, 15, 20]
    # And a run that is stopped and resumed after it makes the same steps.
    for stop in ("17", "20"):
        snapshot = training.end(training.start(stopped, stop))
    assert (snapshot.rate_factor, snapshot.rollbacks) == (0.5, 1)
    assert same(tensors(stopped, 20), tensors(voice, 20))


@pytest.fixture
def hopeless(make_voice, monkeypatch):
    """A voice of which every step after the tenth diverges, until the test sets `reason`."""
    voice = make_voice(checkpoint_every=10)
    voice.reason = Event()
    spoil_batches(monkeypatch, lambda step, salt: step > 10 and not voice.reason.is_set())
    return voice


@pytest.mark.slow
def test_after_three_rollbacks_a_person_may_let_it_try_again(hopeless, training):
    session = training.start(hopeless, "15", attended=True)
    snapshot = training.until(session, lambda s: s.phase is Phase.PAUSED)
    assert (snapshot.step, snapshot.rate_factor, snapshot.rollbacks) == (10, 1 / 8, 3)
    assert "diverged" in snapshot.alarm
    assert len(events(training, snapshot, "diverged")) == 4
    session.send(Continue())
    tried = 1 / 64
    training.until(session, lambda s: s.phase is Phase.PAUSED and s.rate_factor == tried)
    assert steps(hopeless) == [0, 10]
    assert all(tensor.isfinite().all() for tensor in tensors(hopeless, 10).values())
    hopeless.reason.set()  # the person has found it
    session.send(Continue())
    snapshot = training.until(session, lambda s: s.phase is Phase.AT_STOP)
    assert (snapshot.step, snapshot.rate_factor, snapshot.rollbacks) == (15, tried / 2, 1)
    assert snapshot.alarm == ""
    session.send(Finish())
    assert training.end(session).phase is Phase.STOPPED
    assert load_checkpoint(hopeless.newest("text2mel").path).recovery.rate_factor == tried / 2


@pytest.mark.slow
@pytest.mark.parametrize("command", [None, ScreenDetached(), TerminalStalled(stalled=True)])
def test_a_diverged_run_fails_where_nobody_answers(hopeless, training, command):
    session = training.start(hopeless, "30", attended=command is not None)
    if command:
        training.until(session, lambda s: s.wait_ends_at is not None)
        session.send(command)
    snapshot = training.end(session)
    assert snapshot.phase is Phase.FAILED
    assert isinstance(session.error, DivergedError)
    assert session.error.exit_code == 1
    assert "diverged at step 15" in snapshot.failure
    assert [one.kind for one in snapshot.notices] == ["diverged"] * 4 + ["failed"]
    assert "rolled back to 10" in snapshot.failure
    if isinstance(command, TerminalStalled):
        assert snapshot.ended_because
        assert snapshot.failure.endswith(f"The run ended because {snapshot.ended_because}.")
    assert steps(hopeless) == [0, 10]
    if command:
        return
    # A script that starts it again does not pay for three more rollbacks.
    snapshot = training.end(training.start(hopeless, "30"))
    assert snapshot.phase is Phase.FAILED
    assert len(events(training, snapshot, "diverged")) == 1 + 1


@pytest.mark.slow
def test_without_a_checkpoint_it_starts_from_fresh_weights(make_voice, training, monkeypatch):
    voice = make_voice(text2mel=None)
    # One that was never complete is none.
    incomplete = voice.checkpoint_folder("text2mel", 1)

    def is_bad(step, salt):
        incomplete.mkdir(parents=True, exist_ok=True)
        return salt == 0

    spoil_batches(monkeypatch, is_bad)
    snapshot = training.end(training.start(voice, "7"))
    assert snapshot.phase is Phase.STOPPED
    assert events(training, snapshot, "rolled back to fresh weights")
    assert (snapshot.step, snapshot.rate_factor) == (7, 0.5)


@pytest.mark.slow
@pytest.mark.usefixtures("written_at_once")
def test_a_loss_far_above_its_range_rolls_back(make_voice, training, monkeypatch):
    voice = make_voice(text2mel=5000, base_step=5000, recipe="bbc")  # the warm-up is over
    monkeypatch.setattr("engine.training.divergence._MIN_RANGE", 3)

    def collapse(learner, step, losses):
        return losses._replace(total=20 * losses.total) if step > 5016 else losses

    spoil_steps(monkeypatch, collapse)
    snapshot = training.end(training.start(voice, "5025", checkpoint_every=10))
    assert snapshot.phase is Phase.STOPPED
    [text] = events(training, snapshot, "diverged")
    assert "at step 5,020: the loss is" in text
    assert "rolled back to 5,010" in text
    assert (snapshot.step, snapshot.rate_factor) == (5025, 0.5)


@pytest.mark.slow
@pytest.mark.usefixtures("written_at_once")
@pytest.mark.parametrize(("at", "stop"), [(3, "4"), (4, "4")])
def test_infinite_weights_are_never_saved(make_voice, training, monkeypatch, at, stop):
    def diverge(learner, step, losses):
        if step == at:
            with torch.no_grad():
                next(learner.network.parameters())[0] = float("inf")
        return losses

    voice = make_voice()
    spoil_steps(monkeypatch, diverge)
    snapshot = training.end(training.start(voice, stop, checkpoint_every=at))
    assert (snapshot.phase, snapshot.step, snapshot.rollbacks) == (Phase.STOPPED, 4, 1)
    [text] = events(training, snapshot, "diverged")
    assert f"at step {at}: weights are not finite; rolled back to 0," in text
    # A run that diverged at its stop reaches it twice.
    assert len(events(training, snapshot, "reached the stop at step 4")) == at - 2
    assert steps(voice)[-1] == 4
    for step in steps(voice):
        assert all(tensor.isfinite().all() for tensor in tensors(voice, step).values())


def spoil_checkpoint(voice, number):
    """Put a number where none belongs in the newest checkpoint; return it as it was."""
    path = voice.newest("text2mel").path
    good, bad = load_checkpoint(path), load_checkpoint(path)
    bad.weights[BIAS][3] = number
    save_checkpoint(bad, path)
    return good


@pytest.mark.slow
@pytest.mark.parametrize("number", [float("nan"), 1e30])
def test_a_checkpoint_of_infinite_weights_is_moved_aside(make_voice, training, number):
    voice = make_voice(text2mel=20)
    good = spoil_checkpoint(voice, number)
    save_checkpoint(replace(good, step=15), voice.checkpoint_folder("text2mel", 15))
    snapshot = training.end(training.start(voice, "27"))
    assert snapshot.phase is Phase.STOPPED
    assert events(training, snapshot, "step-000000020-damaged")
    assert events(training, snapshot, "rolled back to 15")
    assert steps(voice) == sorted({15, snapshot.step})
    assert (voice.folder / "text2mel/checkpoints/step-000000020-damaged").is_dir()


@pytest.mark.slow
def test_where_no_checkpoint_is_good_the_run_fails(make_voice, training):
    voice = make_voice(text2mel=20)
    spoil_checkpoint(voice, float("nan"))
    session = training.start(voice, "+100")
    snapshot = training.end(session)
    assert (snapshot.phase, snapshot.step) == (Phase.FAILED, 25)
    assert isinstance(session.error, DivergedError)
    assert "not finite" in snapshot.failure
    assert "step-000000020" in snapshot.failure
    assert steps(voice) == [20]


def range_of(losses, warm_from=0):
    made = LossRange(warm_from)
    for number, loss in enumerate(losses, start=1):
        assert made.fault(loss) == ""
        made.add(10 * number, loss)
    return made


def test_a_young_run_may_have_losses_twice_as_high():
    assert range_of([1.0] * 4).fault(100.0) == ""
    for young in (
        range_of([1.0] * 5),
        range_of([1.0] * 49),
        range_of([1.0] * 149, warm_from=1000),
    ):
        assert young.fault(1.9) == ""
        assert young.fault(2.1) == "the loss is 2.100, far above the recent median of 1.000"
    for grown in (range_of([1.0] * 50), range_of([1.0] * 150, warm_from=1000)):
        assert grown.fault(1.2) == ""
        assert grown.fault(1.3) != ""


def test_healthy_training_is_not_divergence():
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(1000, generator=generator).tolist()
    falling = range_of([0.5 + 2 / (1 + i / 20) + 0.01 * n for i, n in enumerate(noise)])
    assert falling.fault(0.62) == ""
    assert falling.fault(1.1) != ""
    # Where losses differ much from one logged step to the next, the range is wide.
    wide = range_of([1.0 + 0.1 * (i % 5) for i in range(100)])
    assert wide.fault(2.5) == ""
    assert wide.fault(float("inf")) != ""


def test_after_a_rollback_the_range_is_that_of_earlier_steps():
    made = range_of([1.0] * 60)
    made.roll_back(480)
    assert made.limit == pytest.approx(2.0)
    made.add(490, 1.0)
    made.add(500, 1.0)
    assert made.limit == pytest.approx(1.25)


def test_rollbacks_long_ago_no_longer_count():
    recovery = Recovery().after(100).after(200)
    assert recovery == Recovery(0.25, 2, 2, 200)
    assert recovery.forgiven(5199) == recovery
    assert recovery.forgiven(5200) == Recovery(0.25, 0, 2, 200)
