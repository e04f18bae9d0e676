"""What the screen takes of the machine that trains, measured on a run that only seems to train."""

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from textual.drivers.headless_driver import HeadlessDriver

from engine.run.commands import Command
from engine.run.curves import AttentionPlot, Losses
from engine.run.snapshot import Event, Phase, Snapshot
from tui.app import VoicecoachApp
from tui.audio.listening import Listening
from tui.audio.sound_card import PlayerStatus, SoundCard

_SIZE = (120, 40)
_STEPS_PER_SECOND = 40.0
_BASE_STEP, _EARLIER_STEPS = 855_000, 10_000
_LOG_EVERY, _EVALUATE_EVERY, _SAVE_EVERY = 10, 100, 1_000
"""Steps after which a run has another curve, another held-out loss and another attention plot."""
_POINTS = 200
_OPENS_WITHIN = 60.0
"""Seconds; the first picture is not counted."""


def screen_cost(seconds: float) -> float:
    """Show a run for so many seconds; return the CPU seconds that its thread takes per second."""
    return asyncio.run(_cost(seconds))


async def _cost(seconds: float) -> float:
    app = VoicecoachApp(_Run(seconds), Listening(_NoSound(), lambda voice, path, title: 0))
    app.driver_class = _Unread
    opened = asyncio.Event()
    app.after_first_picture = opened.set
    running = asyncio.create_task(app.run_async(size=_SIZE))
    await asyncio.wait_for(opened.wait(), _OPENS_WITHIN)
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
    """A run whose steps are counted by the clock; all that it logs was made before."""

    attached = reading = False

    def __init__(self, seconds: float) -> None:
        n, t = np.mgrid[0:60, 0:130]
        weights = np.exp(-((n - t * 59 / 129) ** 2) / 6).astype(np.float32)
        text = "printing in the only sense with which we are at presentE"
        plot = AttentionPlot(_BASE_STEP, text, weights / weights.sum(0), "held-out")
        first = Snapshot(
            Phase.TRAINING, "benchmark", Path("voices/benchmark"), "text2mel", "bbc", "standard",
            device="cpu", precision="bf16", base_step=_BASE_STEP, first_step=_BASE_STEP,
            steps_per_second=_STEPS_PER_SECOND, learning_rate=6.8e-5, price=0.99,
            attention=(plot,), sentences=(text[:-1],),
        )  # fmt: skip
        self._logged = [first]
        for made in range(0, int(seconds * _STEPS_PER_SECOND) + _SAVE_EVERY, _LOG_EVERY):
            self._logged.append(_log(self._logged[-1], made))
        self._start = time.time()

    def send(self, command: Command) -> None:
        pass

    def snapshot(self) -> Snapshot:
        seconds = time.time() - self._start
        made = int(seconds * _STEPS_PER_SECOND)
        logged = self._logged[min(1 + made // _LOG_EVERY, len(self._logged) - 1)]
        return replace(
            logged, step=logged.base_step + _EARLIER_STEPS + made, run_seconds=seconds,
            spent=seconds / 3600,
        )  # fmt: skip


def _log(before: Snapshot, made: int) -> Snapshot:
    """Log what a run logs after so many steps: most of it is as it was."""
    steps = (
        np.linspace(_BASE_STEP, _BASE_STEP + _EARLIER_STEPS + made, _POINTS).astype(int).tolist()
    )
    losses = (0.1 + np.exp(-np.arange(_POINTS) / 50) + 0.01 * np.sin(steps)).tolist()
    curve = replace(
        before.curve, steps=tuple(steps), losses=tuple(losses),
        recent_steps=tuple(steps[-50:]), recent_losses=tuple(losses[-50:]),
    )  # fmt: skip
    changes: dict[str, Any] = {}
    if made % _EVALUATE_EVERY == 0:
        evaluated = {"held_out_steps": tuple(steps[::10]), "held_out": tuple(losses[::10])}
        curve = replace(curve, **evaluated, best=losses[-1], best_step=steps[-1])
        changes["held_out"] = losses[-1]
    if made % _SAVE_EVERY == 0:
        saved = Event(time.time(), f"checkpoint {steps[-1]:,} saved")
        changes["events"] = (*before.events, saved)
        changes["attention"] = (replace(before.attention[-1], step=steps[-1]),)
    return replace(before, curve=curve, losses=Losses(losses[-1], 0.04, 0.05, 0.004), **changes)
