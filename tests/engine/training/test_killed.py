"""kill -9 in the middle of a run: what is made again is made the same, and is told."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.training.lost_steps import lost_steps, sentence_about
from engine.voice.spend import SpendEntry

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
            cwd=Path(__file__).parents[3],
        )

    def close(self):
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait()

    def run(self, folder, kill_from=None, wait=0, when=lambda: True, stop=LAST):
        """Train to the last step, or to a moment after a step; return how the process ended.

        Args:
            folder: of the voice.
            stop: the last step.
            kill_from: the first step after which it may be killed.
            wait: how long after that, in turns of a loop.
            when: what must be true besides.
        """
        self._server.stdin.write(f"{folder} {stop} {EVERY}\n")
        self._server.stdin.flush()
        child = None
        for line in self._server.stdout:
            word, number = line.split(maxsplit=1)
            if word == "pid":
                child = int(number)
            elif word == "failed":
                raise AssertionError(line)
            elif (
                word == "step"
                and child
                and kill_from is not None
                and int(number) >= kill_from
                and when()
            ):
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


def test_what_a_killed_run_lost_is_made_again_bit_by_bit(make_voice, copy_voice, runs):
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
    # What was lost had been paid for, and is in the ledger.
    made = [s.last_step - s.first_step for s in broken.spend.entries if s.kind == "training"]
    assert sum(made) >= LAST - 3


def test_a_killed_run_still_ends_where_it_was_to(make_voice, runs):
    voice = make_voice(text2mel=3, base_step=3)
    for _ in range(2):
        begin = voice.newest("text2mel").step
        saved = lambda begin=begin: voice.newest("text2mel").step > begin  # noqa: E731
        assert runs.run(voice.folder, begin, when=saved, stop="+42") == signal.SIGKILL
    assert voice.newest("text2mel").step < LAST
    assert runs.run(voice.folder, stop="+42") == 0
    assert voice.newest("text2mel").step == LAST
    # It is there: the same words count anew.
    assert runs.run(voice.folder, stop="+2") == 0
    assert voice.newest("text2mel").step == LAST + 2


def stretch(first, last, seconds=100.0, price=3.6, network="text2mel", kind="training"):
    return SpendEntry("", "", network, first, last, seconds, price, kind)


@pytest.mark.parametrize(
    ("ledger", "step", "logged", "sentence"),
    [
        ([stretch(0, 400)], 400, 400, None),
        ([], 400, 410, "10 steps since checkpoint 400 were lost, and are made again"),
        (
            [stretch(0, 400), stretch(400, 812, 118.0, 0.99)],
            400,
            810,
            "412 steps since checkpoint 400 were lost: 1m58s, $0.03, and are made again",
        ),
        # Half of a stretch led to the checkpoint.
        (
            [stretch(300, 500), stretch(500, 600)],
            400,
            None,
            "200 steps since checkpoint 400 were lost: 2m30s, $0.15, and are made again",
        ),
        # What was lost before and has been made again is told once.
        (
            [stretch(0, 400), stretch(400, 900), stretch(400, 401, 1.0)],
            400,
            None,
            "1 step since checkpoint 400 was lost: 1s, $0.00, and is made again",
        ),
        # The other network's steps, and time in which none were made, lead nowhere.
        (
            [stretch(0, 400), stretch(0, 9000, network="ssrn"), stretch(400, 400, kind="idle")],
            400,
            None,
            None,
        ),
        ([stretch(0, 9, 7200.0, 0.0)], 0, 9, "9 steps from the first on were lost: 2h00m, and"),
    ],
)
def test_what_was_lost_is_told_with_what_it_cost(ledger, step, logged, sentence):
    lost = lost_steps(ledger, "text2mel", step, logged)
    if sentence is None:
        assert lost is None
    else:
        assert sentence_about(lost).startswith(sentence)


def test_a_run_after_a_killed_one_says_what_was_lost(make_voice, training, runs):
    voice = make_voice(text2mel=3, base_step=3, price=36.0)
    history = voice.history("text2mel")

    def has_logged_more_than_it_saved():
        lines = history.read_text().splitlines() if history.exists() else []
        return lines and json.loads(lines[-1])["step"] > voice.newest("text2mel").step

    # The history comes to the disk beside the steps.
    killed = runs.run(voice.folder, 10, when=has_logged_more_than_it_saved)
    assert killed == signal.SIGKILL
    saved = voice.newest("text2mel").step
    session = training.start(voice, "+1")
    snapshot = training.end(session)
    assert snapshot.lost.since == saved
    assert snapshot.lost.count > 0
    assert sentence_about(snapshot.lost) in training.texts(snapshot)
