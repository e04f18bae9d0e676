"""One network trained by several processes: `train --gpus`, and torchrun under it, on a CPU."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.run.options import TrainOptions
from engine.run.stop import parse_stop
from engine.session import Session
from engine.voice.folder import Voice
from tui.cli import app

CPU = ["--device", "cpu", "--precision", "fp32", "--headless"]


def first_losses(voice: Voice) -> list[float]:
    lines = voice.history("text2mel").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines[:2]]


def children(process: int) -> list[int]:
    return [*map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())]


def ranks(torchrun: int) -> list[int]:
    """The processes that train, by their rank."""
    by_rank = {}
    for child in children(torchrun):
        if rank := re.search(rb"\0RANK=(\d+)\0", Path(f"/proc/{child}/environ").read_bytes()):
            by_rank[int(rank[1])] = child
    return [by_rank[rank] for rank in sorted(by_rank)]


@pytest.mark.process
@pytest.mark.slow
def test_a_lost_rank_restarts_all_and_a_signal_saves(runs, make_voice) -> None:
    voice, alone = make_voice(), make_voice("alone")
    written = runs.folder / "written"
    command = [sys.executable, "-m", "tui", "train", "--voice", str(voice.folder), *CPU]
    with written.open("w") as output:
        run = subprocess.Popen(
            [*command, "--gpus", "2", "--checkpoint-every", "10"],
            **{"stdout": output, "stderr": output, "env": runs.environment()},
        )

    def newest() -> int:
        return max((entry.step for entry in voice.checkpoints("text2mel")), default=0)

    try:
        runs.wait_until(lambda: newest() >= 20, "step 20")
        [torchrun] = children(run.pid)
        leader, follower = ranks(torchrun)
        os.kill(random.choice((leader, follower)), signal.SIGKILL)
        runs.wait_until(lambda: "restarted them 1 time" in written.read_text(), "a restart")
        lost_at = newest()
        runs.wait_until(lambda: newest() > lost_at, "a further step")
        run.terminate()
        assert run.wait(60) == 0, written.read_text()
        assert not runs.is_alive(torchrun)
    finally:
        if run.poll() is None:
            os.killpg(children(run.pid)[0], signal.SIGKILL)
            run.kill()
    assert f"saved at step {newest():,}" in written.read_text()
    session = Session(
        TrainOptions(alone.folder, device="cpu", precision="fp32", stop=parse_stop("20"))
    )
    session.start()
    assert session.join(60)
    assert first_losses(voice) == pytest.approx(first_losses(alone), rel=1e-4)


@pytest.mark.process
@pytest.mark.slow
def test_a_signal_while_the_processes_start_ends_them(runs, make_voice) -> None:
    command = [sys.executable, "-m", "tui", "train", "--voice", str(make_voice().folder), *CPU]
    run = subprocess.Popen(
        [*command, "--gpus", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=runs.environment(),
    )
    try:
        runs.wait_until(lambda: children(run.pid), "torchrun")
        [torchrun] = children(run.pid)
        runs.wait_until(lambda: children(torchrun), "a process of training")
        run.terminate()
        said = run.communicate(timeout=60)[1]
        assert (run.returncode, said.splitlines()) == (
            0, ["voicecoach: asked to end while training was starting; nothing is lost"]
        )  # fmt: skip
        assert not runs.is_alive(torchrun)
    finally:
        run.kill()


@pytest.mark.process
@pytest.mark.slow
def test_a_signal_before_the_screen_opens_ends_the_processes(runs, make_voice) -> None:
    command = [sys.executable, "-m", "tui", "train", "--voice", str(make_voice().folder), *CPU]
    run = runs.start([*command[:-1], "--gpus", "2"])
    run.wait_for("starting 2 processes")
    [worker] = children(run.process.pid)
    [torchrun] = children(worker)
    run.process.terminate()
    assert run.wait() == 0
    run.wait_for("asked to end while training was starting; nothing is lost")
    assert not runs.is_alive(torchrun)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--gpus", "2"], "--gpus is 2, but this machine has 1 GPU; give --gpus 1."),
        (["--gpus", "two"], "--gpus is 'two'; give the number of GPUs, or auto for all."),
        (["--gpus", "0"], "--gpus is '0'; give the number of GPUs, or auto for all."),
        (["--gpus", "auto", "--device", "cpu"], "with --device cpu give a number"),
        (["--gpus", "2", "--device", "cpu", "--network", "both"], "text2mel or --network ssrn"),
        (["--gpus", "2", "--device", "cuda:1"], "leave out --device cuda:1"),
        (["--gpus", "999", "--device", "cpu"], "--gpus is 999, but this machine has "),
    ],
)
def test_gpus_that_there_are_not_are_one_sentence(given, sentence, monkeypatch) -> None:
    monkeypatch.setattr("tui.process.ranks.usable_gpus", lambda: 1)
    done = CliRunner().invoke(app, ["train", "--voice", "alice", "--headless", *given])
    assert (done.exit_code, done.stdout) == (2, "")
    assert sentence in done.stderr
