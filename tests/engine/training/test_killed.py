"""kill -9 in the middle of a run: lost steps are repeated exactly, and reported."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from paths import ROOT
from safetensors.torch import load_file

pytestmark = [pytest.mark.slow, pytest.mark.process]

LAST = 45
EVERY = 8


class Runs:
    """A process that trains in children; see `killed_run.py`."""

    def __init__(self):
        self._server = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("killed_run.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def close(self):
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait()

    def run(self, folder, kill_from=None, wait=0):
        """Train to the last step, or to a moment after a step; return how the process ended.

        Args:
            folder: of the voice.
            kill_from: the first step after which it may be killed.
            wait: how long after that, in turns of a loop.
        """
        self._server.stdin.write(f"{folder} {LAST} {EVERY}\n")
        self._server.stdin.flush()
        child = None
        for line in self._server.stdout:
            word, number = line.split(maxsplit=1)
            if word == "pid":
                child = int(number)
            elif word == "failed":
                raise AssertionError(line)
            elif word == "step" and child and kill_from and int(number) >= kill_from:
                # Anywhere: in a step, while a checkpoint is written, while it is renamed.
                for _ in range(wait):
                    pass
                os.kill(child, signal.SIGKILL)
                child = None
            elif word == "ended":
                return int(number)
        raise AssertionError("the server ended")


@pytest.fixture(scope="module")
def runs():
    server = Runs()
    yield server
    server.close()


def tensors(voice):
    return {
        (path.name, name): tensor
        for path in voice.newest("text2mel").path.glob("*.safetensors")
        for name, tensor in load_file(path).items()
    }


def test_a_killed_run_repeats_lost_steps_bit_for_bit(make_voice, copy_voice, runs):
    straight = make_voice(text2mel=3, base_step=3)
    broken = copy_voice(straight, "broken")
    rng = random.Random(4)
    assert runs.run(straight.folder) == 0
    for start, end in ((4, 16), (16, 28), (28, 42)):
        at = rng.randrange(start, end)
        assert runs.run(broken.folder, at, rng.randrange(300_000)) == signal.SIGKILL
    assert runs.run(broken.folder) == 0
    assert broken.history("text2mel").read_bytes() == straight.history("text2mel").read_bytes()
    ours, theirs = tensors(broken), tensors(straight)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert torch.equal(ours[name], tensor), name
    # What was lost had been paid for, and is in the spend log.
    made = [s.last_step - s.first_step for s in broken.spend.entries if s.kind == "training"]
    assert sum(made) >= LAST - 3
