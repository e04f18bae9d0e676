"""Processes that share a batch by NCCL, one on each GPU: the losses of a process alone."""

import json
import os
import subprocess
import sys

import pytest
import torch
from paths import ROOT

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.process,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]
TRAIN = ["-m", "tui", "train", "--headless", "--stop-at", "20", "--precision", "fp32", "--voice"]


def first_losses(voice, *program):
    subprocess.run(
        [sys.executable, *program, *TRAIN, voice.folder],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    lines = voice.history("text2mel").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_ranks_on_gpus_make_the_steps_of_one(make_voice):
    alone, together = make_voice("alone"), make_voice("together")
    torchrun = ["-m", "torch.distributed.run", "--standalone"]
    torchrun.append(f"--nproc-per-node={torch.cuda.device_count()}")
    losses = first_losses(together, *torchrun)
    assert len(losses) == 2
    assert losses == pytest.approx(first_losses(alone), rel=1e-3)
