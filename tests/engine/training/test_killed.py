"""kill -9 in the middle of a run: lost steps are repeated exactly."""

import multiprocessing
import random
import signal

import pytest
from saved import same, tensors

from engine.run.options import TrainOptions
from engine.run.stop import parse_stop
from engine.session import Session

pytestmark = [pytest.mark.slow, pytest.mark.process]

LAST = 20


def train(folder, step):
    """Train in a process of its own; `step` shows how far it has come."""
    stop = parse_stop(str(LAST))
    session = Session(
        TrainOptions(folder, device="cpu", precision="fp32", stop=stop, checkpoint_every=8)
    )
    session.start()
    while not session.join(0.001):
        step.value = session.snapshot().step
    if session.error is not None:
        raise session.error


def run(voice, kill_from=None, turns=0):
    """Train to the last step, or kill so many turns of a loop after a step; return the exit code.

    So it may end anywhere: in a step, while a checkpoint is written, while it is renamed.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["engine.speech.audition", "engine.training.trainer"])
    step = context.Value("i", 0, lock=False)
    process = context.Process(target=train, args=(voice.folder, step))
    process.start()
    while process.exitcode is None:
        process.join(0.001)
        if kill_from is not None and step.value >= kill_from:
            for _ in range(turns):
                pass
            process.kill()
            process.join()
    return process.exitcode


def test_a_killed_run_repeats_lost_steps_bit_for_bit(make_voice, copy_voice):
    straight = make_voice(text2mel=3, base_step=3)
    broken = copy_voice(straight, "broken")
    rng = random.Random(4)
    assert run(straight) == 0
    for start, end in ((4, 12), (12, 18)):
        assert run(broken, rng.randrange(start, end), rng.randrange(300_000)) == -signal.SIGKILL
    assert run(broken) == 0
    assert broken.history("text2mel").read_bytes() == straight.history("text2mel").read_bytes()
    assert same(tensors(broken, LAST), tensors(straight, LAST))
    # What was lost had been paid for, and is in the spend log.
    made = [s.last_step - s.first_step for s in broken.spend.entries if s.kind == "training"]
    assert sum(made) >= LAST - 3
