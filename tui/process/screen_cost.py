"""What the screen takes of the machine that trains, measured on a run that only seems to train."""

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from textual.drivers.headless_driver import HeadlessDriver

from engine.run.commands import Command
from engine.run.curves import AttentionPlot, LossCurve, Losses
from engine.run.snapshot import Event, Phase, Snapshot
from tui.app import VoicecoachApp
from tui.audio.listening import Listening
from tui.audio.sound_card import PlayerStatus, SoundCard

_SIZE = (120, 40)
_STEPS_PER_SECOND = 40.0
_BASE_STEP = 855_000
_POINTS = 200
_START_SECONDS = 1.5
"""In which a screen opens; they are not counted."""


def screen_cost(seconds: float) -> float:
    """Show a run for so many seconds; return the CPU seconds that the screen takes per second."""
    return asyncio.run(_cost(seconds))


async def _cost(seconds: float) -> float:
    app = VoicecoachApp(_Run(), Listening(_NoSound(), lambda voice, path, title: 0))
    app.driver_class = _Unread
    running = asyncio.create_task(app.run_async(size=_SIZE))
    await asyncio.sleep(_START_SECONDS)
    cpu, start = time.thread_time(), time.monotonic()
    await asyncio.sleep(seconds)
    cost = (time.thread_time() - cpu) / (time.monotonic() - start)
    app.exit()
    await running
    return cost


class _Unread(HeadlessDriver):
    """A terminal that takes everything and shows it to nobody."""

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        with Path(os.devnull).open("w") as null:
            null.write(data)


class _NoSound(SoundCard):
    """Looks for no loudspeaker, which takes a process."""

    def __init__(self) -> None:
        self.status = PlayerStatus(playing=None, unavailable="this is a benchmark")


class _Run:
    """Steps, losses, attention and a log that change as time passes."""

    attached = reading = False

    def __init__(self) -> None:
        self._start = time.time()
        n, t = np.mgrid[0:60, 0:130]
        weights = np.exp(-((n - t * 59 / 129) ** 2) / 6).astype(np.float32)
        text = "printing in the only sense with which we are at presentE"
        self._plot = AttentionPlot(_BASE_STEP, text, weights / weights.sum(0), "held-out")
        self._first = Snapshot(
            Phase.TRAINING, "benchmark", Path("voices/benchmark"), "text2mel", "bbc", "standard",
            device="cpu", precision="bf16", base_step=_BASE_STEP, first_step=_BASE_STEP,
            steps_per_second=_STEPS_PER_SECOND, learning_rate=6.8e-5, price=0.99,
            attention=(self._plot,), sentences=(text[:-1],),
        )  # fmt: skip

    def send(self, command: Command) -> None:
        pass

    def snapshot(self) -> Snapshot:
        seconds = time.time() - self._start
        made = int(seconds * _STEPS_PER_SECOND) // 10 * 10
        steps = np.linspace(_BASE_STEP, _BASE_STEP + 10_000 + made, _POINTS).astype(int).tolist()
        losses = (0.1 + np.exp(-np.arange(_POINTS) / 50) + 0.01 * np.sin(steps)).tolist()
        every = slice(None, None, 10)
        curve = LossCurve(
            tuple(steps), tuple(losses), tuple(steps[every]), tuple(losses[every]), losses[-1],
            steps[-1], tuple(steps[-50:]), tuple(losses[-50:]),
        )  # fmt: skip
        saved = Event(self._start, f"checkpoint {_BASE_STEP + made // 1000 * 1000:,} saved")
        return replace(
            self._first, step=steps[-1], curve=curve, run_seconds=seconds, held_out=losses[-1],
            losses=Losses(losses[-1], 0.04, 0.05, 0.004), spent=seconds / 3600, events=(saved,),
            attention=(replace(self._plot, step=steps[-1] // 100 * 100),),
        )  # fmt: skip
