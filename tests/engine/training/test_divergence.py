"""Losses and gradients that are no numbers: what is skipped, what taken back, when it ends."""

import json
from dataclasses import replace
from threading import Event

import pytest
import torch
from safetensors.torch import load_file

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.checkpoints.recovery import Recovery
from engine.data.batches import BatchSource
from engine.errors import EngineError
from engine.run.commands import Continue, Finish, ScreenDetached, TerminalStalled
from engine.run.snapshot import Phase
from engine.training.divergence import LossRange
from engine.training.finite import Skips
from engine.training.learner import Learner


def steps(voice):
    return [entry.step for entry in voice.checkpoints("text2mel")]


def tensors(voice, step):
    folder = voice.checkpoint_folder("text2mel", step)
    return {
        (path.name, name): tensor
        for path in folder.glob("*.safetensors")
        for name, tensor in load_file(path).items()
    }


def sick_batches(monkeypatch, is_sick):
    """Make the mels of some steps' batches no numbers; `is_sick` takes the step and the salt."""
    batch_of = BatchSource.batch

    def batch(source, step):
        made = batch_of(source, step)
        if is_sick(step, sum(source._salt)):
            made = replace(made, mel=torch.full_like(made.mel, float("nan")))
        return made

    monkeypatch.setattr(BatchSource, "batch", batch)


@pytest.mark.parametrize("recipe", ["standard", "bbc"])
def test_a_step_that_is_no_number_changes_nothing(
    make_voice, copy_voice, training, monkeypatch, recipe
):
    sick = make_voice(recipe=recipe)
    without = copy_voice(sick, "without")
    make_step = Learner.step
    with monkeypatch.context() as patch:
        sick_batches(patch, lambda step, salt: step == 4)
        snapshot = training.end(training.start(sick, "13"))
    assert snapshot.phase is Phase.STOPPED
    assert snapshot.skipped == 1
    assert any("1 step skipped up to step 10" in text for text in training.texts(snapshot))

    def leave_out(learner, batch, step):
        if step != 4:
            return make_step(learner, batch, step)
        return learner.losses(batch).detached()

    monkeypatch.setattr(Learner, "step", leave_out)
    training.end(training.start(without, "13"))
    ours, theirs = tensors(sick, 13), tensors(without, 13)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name
    count = next(tensor for name, tensor in ours.items() if name[1].startswith("step/"))
    assert count == 12
    # The losses that were logged are means of the steps that had one.
    [line] = [json.loads(line) for line in sick.history("text2mel").read_text().splitlines()]
    assert line["step"] == 10
    assert 0 < line["loss"] < 10


def test_a_gradient_that_is_infinite_is_skipped_though_it_could_be_clipped(
    make_voice, training, monkeypatch
):
    voice = make_voice()
    losses = Learner.losses

    def explode(learner, batch):
        parts = losses(learner, batch)
        weight = next(learner.network.parameters())
        # 0, with an infinite slope.
        zero = (weight - weight.detach()).sum().sqrt()
        return parts._replace(total=parts.total + zero)

    monkeypatch.setattr(Learner, "losses", explode)
    before = tensors(voice, 0)
    snapshot = training.end(training.start(voice, "3"))
    assert snapshot.skipped == 3
    after = tensors(voice, 3)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_many_in_a_row_lead_back_to_the_checkpoint_with_half_the_rate(
    make_voice, training, monkeypatch
):
    voice = make_voice()
    sick_batches(monkeypatch, lambda step, salt: 23 <= step <= 27 and salt == 0)
    snapshot = training.end(training.start(voice, "40", checkpoint_every=20))
    assert snapshot.phase is Phase.STOPPED
    assert (snapshot.step, snapshot.rate_factor, snapshot.rollbacks) == (40, 0.5, 1)
    [told] = [text for text in training.texts(snapshot) if "diverged" in text]
    assert "at step 30: 5 steps in a row" in told
    assert "rolled back to 20, learning rate × 0.5, new batch order (1 of 3)" in told
    assert steps(voice) == [0, 20, 40]
    recovery = load_checkpoint(voice.newest("text2mel").path).recovery
    assert recovery == Recovery(0.5, 1, 1, 30)
    # Also the checkpoint that it went back to says so: whoever kills the run now loses nothing.
    assert load_checkpoint(voice.checkpoint_folder("text2mel", 20)).recovery == recovery
    lines = [json.loads(line) for line in voice.history("text2mel").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [10, 20, 30, 40]
    assert lines[-1]["learning_rate"] == pytest.approx(lines[1]["learning_rate"])  # 40 / 2 = 20


def test_a_run_that_went_back_resumes_bit_for_bit(make_voice, copy_voice, training, monkeypatch):
    straight = make_voice()
    stopped = copy_voice(straight, "stopped")
    sick_batches(monkeypatch, lambda step, salt: 23 <= step <= 27 and salt == 0)
    training.end(training.start(straight, "45", checkpoint_every=20))
    for stop in ("33", "45"):
        snapshot = training.end(training.start(stopped, stop, checkpoint_every=20))
    assert (snapshot.rate_factor, snapshot.rollbacks) == (0.5, 1)
    ours, theirs = tensors(stopped, 45), tensors(straight, 45)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


@pytest.fixture
def hopeless(make_voice, monkeypatch):
    """A voice of which every step after the 20th is sick, whatever is tried."""
    voice = make_voice(checkpoint_every=20)
    sick_batches(monkeypatch, lambda step, salt: step > 20)
    return voice


def test_after_three_times_a_run_waits_for_a_person(hopeless, training):
    session = training.start(hopeless, "60", attended=True)
    snapshot = training.until(session, lambda s: s.phase is Phase.PAUSED)
    assert (snapshot.step, snapshot.rate_factor, snapshot.rollbacks) == (20, 0.125, 3)
    assert "diverged" in snapshot.alarm
    assert sum("diverged" in text for text in training.texts(snapshot)) == 4
    session.send(Continue())
    snapshot = training.until(session, lambda s: s.phase is Phase.PAUSED and s.rollbacks == 3)
    session.send(Finish())
    snapshot = training.end(session)
    assert snapshot.phase is Phase.STOPPED
    assert session.error is None
    assert steps(hopeless) == [0, 20]
    assert all(tensor.isfinite().all() for tensor in tensors(hopeless, 20).values())


def test_a_person_may_let_it_try_again(hopeless, training, monkeypatch):
    session = training.start(hopeless, "30", attended=True)
    training.until(session, lambda s: s.phase is Phase.PAUSED)
    monkeypatch.undo()  # the person has found the reason
    session.send(Continue())
    snapshot = training.until(session, lambda s: s.phase is Phase.AT_STOP)
    assert (snapshot.step, snapshot.rate_factor, snapshot.rollbacks) == (30, 0.0625, 1)
    assert snapshot.alarm == ""
    session.send(Finish())
    assert training.end(session).phase is Phase.STOPPED
    assert load_checkpoint(hopeless.newest("text2mel").path).recovery.rate_factor == 0.0625


@pytest.mark.parametrize("how", ["no key", "unread"])
def test_a_diverged_run_waits_no_longer_than_somebody_is_there(
    hopeless, training, monkeypatch, how
):
    if how == "no key":
        monkeypatch.setattr("engine.training.command_handler.MAX_WAIT_SECONDS", 0.0)
    session = training.start(hopeless, "60", attended=True)
    if how == "unread":
        training.until(session, lambda s: s.wait_ends_at is not None)
        session.send(TerminalStalled(stalled=True))
    snapshot = training.end(session)
    assert (snapshot.phase, session.error.exit_code) == (Phase.FAILED, 1)
    assert "diverged at step 30" in snapshot.failure
    assert snapshot.failure.endswith(f"The run ended because {snapshot.ended_because}.")
    assert snapshot.ended_because
    assert steps(hopeless) == [0, 20]


@pytest.mark.parametrize("leaves", [False, True])
def test_where_nobody_can_be_waited_for_it_ends_and_says_so(hopeless, training, leaves):
    session = training.start(hopeless, "60", attended=leaves)
    if leaves:
        training.until(session, lambda s: s.phase is Phase.PAUSED)
        session.send(ScreenDetached())
    snapshot = training.end(session)
    assert snapshot.phase is Phase.FAILED
    assert isinstance(session.error, EngineError)
    assert "diverged at step 30" in snapshot.failure
    assert "rolled back to 20" in snapshot.failure
    assert steps(hopeless) == [0, 20]
    # Whoever starts it again by a script does not pay for three more tries.
    session = training.start(hopeless, "60")
    snapshot = training.end(session)
    assert snapshot.phase is Phase.FAILED
    assert sum("diverged" in text for text in training.texts(snapshot)) == 1 + 1


def test_finishing_in_the_middle_of_sick_steps_saves_sound_weights(
    make_voice, training, monkeypatch
):
    voice = make_voice()
    reached, go_on = Event(), Event()
    make_step = Learner.step

    def wait_at_8(learner, batch, step):
        if step == 8:
            reached.set()
            assert go_on.wait(60)
        return make_step(learner, batch, step)

    monkeypatch.setattr(Learner, "step", wait_at_8)
    sick_batches(monkeypatch, lambda step, salt: step > 5)
    session = training.start(voice)
    assert reached.wait(60)
    session.send(Finish())
    go_on.set()
    snapshot = training.end(session)
    assert snapshot.phase is Phase.STOPPED
    assert steps(voice) == [0, 8]
    assert all(tensor.isfinite().all() for tensor in tensors(voice, 8).values())


def test_a_voice_without_a_checkpoint_begins_anew(make_voice, training, monkeypatch):
    voice = make_voice(text2mel=None)
    sick_batches(monkeypatch, lambda step, salt: salt == 0)
    snapshot = training.end(training.start(voice, "12"))
    assert snapshot.phase is Phase.STOPPED
    assert any("rolled back to fresh weights" in text for text in training.texts(snapshot))
    assert (snapshot.step, snapshot.rate_factor) == (12, 0.5)


def test_a_loss_far_above_its_range_leads_back(make_voice, training, monkeypatch, written_at_once):
    voice = make_voice(text2mel=5000, base_step=5000, recipe="bbc")  # the warm-up is over
    losses = Learner.losses
    monkeypatch.setattr("engine.training.divergence._MIN_RANGE", 5)
    make_step = Learner.step
    at = [0]

    def collapse(learner, batch):
        parts = losses(learner, batch)
        if at[-1] > 5065 and not learner.recovery.salt:
            parts = parts._replace(total=20 * parts.total)
        return parts

    def step(learner, batch, number):
        at.append(number)
        return make_step(learner, batch, number)

    monkeypatch.setattr(Learner, "step", step)
    monkeypatch.setattr(Learner, "losses", collapse)
    snapshot = training.end(training.start(voice, "5090", checkpoint_every=25))
    assert snapshot.phase is Phase.STOPPED
    [told] = [text for text in training.texts(snapshot) if "diverged" in text]
    assert "at step 5,070: the loss is" in told
    assert "rolled back to 5,050" in told
    assert (snapshot.step, snapshot.rate_factor) == (5090, 0.5)


@pytest.mark.parametrize("number", [float("nan"), 1e30])
def test_a_checkpoint_of_sick_weights_is_put_aside(make_voice, training, number):
    voice = make_voice(text2mel=20)
    path = voice.newest("text2mel").path
    sick = load_checkpoint(path)
    save_checkpoint(replace(sick, step=15), voice.checkpoint_folder("text2mel", 15))
    sick.weights["audio_decoder.layers.0.convolution.bias"][3] = number
    save_checkpoint(sick, path)
    snapshot = training.end(training.start(voice, "35"))
    assert snapshot.phase is Phase.STOPPED
    assert any("step-000000020-damaged" in text for text in training.texts(snapshot))
    assert any("rolled back to 15" in text for text in training.texts(snapshot))
    assert steps(voice) == sorted({15, snapshot.step})
    assert (voice.folder / "text2mel/checkpoints/step-000000020-damaged").is_dir()


# What is far above a recent range.

NONE = Skips(0, 0)


def health(losses, warm_from=0):
    one = LossRange(warm_from)
    for number, loss in enumerate(losses, start=1):
        assert one.fault(NONE, loss) == ""
        one.add(10 * number, loss)
    return one


def test_a_young_run_and_its_warm_up_are_judged_by_far_more_than_a_range():
    assert health([1.0] * 4).fault(NONE, 100.0) == ""
    for young in (health([1.0] * 5), health([1.0] * 49), health([1.0] * 149, warm_from=1000)):
        assert young.fault(NONE, 1.9) == ""
        assert young.fault(NONE, 2.1) == "the loss is 2.100, far above its recent 1.000"
    for grown in (health([1.0] * 50), health([1.0] * 150, warm_from=1000)):
        assert grown.fault(NONE, 1.2) == ""
        assert grown.fault(NONE, 1.3) != ""


def test_a_loss_that_explodes_in_the_warm_up_leads_back(make_voice, training, monkeypatch):
    """As with a learning rate that is far too high, from a step on; not from lower ones."""
    voice = make_voice(text2mel=20)
    rate = Learner.learning_rate

    def explode(learner, step):
        high = step > 80 and learner.recovery.rollbacks == 0
        return rate(learner, step) * (1e6 if high else 1.0)

    monkeypatch.setattr(Learner, "learning_rate", explode)
    snapshot = training.end(training.start(voice, "160", checkpoint_every=1000))
    assert (snapshot.phase, snapshot.step) == (Phase.STOPPED, 160)
    [told] = [text for text in training.texts(snapshot) if "diverged" in text]
    assert "far above its recent" in told
    assert "rolled back to 20" in told
    assert snapshot.losses.total < 2


def test_what_healthy_training_does_is_no_trouble():
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(1000, generator=generator).tolist()
    falling = health([0.5 + 2 / (1 + i / 20) + 0.01 * n for i, n in enumerate(noise)])
    assert falling.fault(NONE, 0.62) == ""
    assert falling.fault(NONE, 1.1) != ""
    # Where losses differ much from one logged step to the next, the range is wide.
    wide = health([1.0 + 0.1 * (i % 5) for i in range(100)])
    assert wide.fault(NONE, 2.5) == ""
    assert wide.fault(NONE, float("inf")) != ""


def test_after_going_back_the_range_is_that_of_the_steps_before():
    one = health([1.0] * 60)
    one.roll_back(480)
    assert one.limit == pytest.approx(2.0)
    one.add(490, 1.0)
    one.add(500, 1.0)
    assert one.limit == pytest.approx(1.25)


def test_after_a_long_sound_stretch_going_back_is_forgiven_but_not_the_rate():
    recovery = Recovery().after(100).after(200)
    assert recovery == Recovery(0.25, 2, 2, 200)
    assert recovery.forgiven(5199) == recovery
    assert recovery.forgiven(5200) == Recovery(0.25, 0, 2, 200)
