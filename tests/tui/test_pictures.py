"""Pictures of the screen; `pytest --snapshot-update` takes them anew, to be looked at."""

import math
from dataclasses import replace

import pytest
from check_reports import BROKEN, CLEAN
from fake_session import (
    NOON,
    FakeSession,
    curve,
    event,
    judged,
    preparing,
    sample,
    series,
    training,
)
from seeing import app_on
from textual.widgets import Input

from engine.machine.cloud.machine import Machine, SpotNotice
from engine.run.curves import Losses
from engine.run.snapshot import Phase, Progress
from engine.run.stop import StopPoint

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_measures_of_the_tests")]


def diverged():
    whole = curve(0, 4000, lambda x: 3 * math.exp(-6 * x) + 0.1)
    losses = [math.nan if i in (50, 160) else math.inf if i == 70 else loss
              for i, loss in enumerate(whole.losses)]  # fmt: skip
    return training(
        step=4000, base_step=0, first_step=0, stop=StopPoint(step=20_000),
        curve=replace(whole, losses=tuple(losses)),
        losses=Losses(math.nan, math.inf, 0.04, math.nan),
    )  # fmt: skip


def late():
    """Days into a run, with more samples and troubles than the panels hold."""
    return training(
        stop=StopPoint(usd=1250.0), spent=1133.65, first_spent=1058.85,
        run_seconds=272_000, voice_seconds=923_000,
        samples=tuple(
            sample(855_000 + 1000 * i, "no SSRN yet: from the mel alone" if i == 15 else "")
            for i in range(17)
        ),
        events=(
            event(3, "spot notice: this machine will be taken away at 14:06", "warning"),
            event(0, "checkpoint failed: no space left on /data; free some and press c", "error"),
        ),
    )  # fmt: skip


SCENES = {
    "training": training,
    "series": series,
    "preparing": lambda: preparing(
        progress=Progress("computing features", 3275, 13_100), device="cpu",
        gpu_absent="no NVIDIA driver", stop_text="900k",
    ),
    "paused": lambda: training(phase=Phase.PAUSED),
    "at-the-stop": lambda: training(
        phase=Phase.AT_STOP, step=900_000, checkpoint_step=900_000
    ),
    "failed": lambda: training(
        phase=Phase.FAILED,
        failure="out of memory on cuda:0 at step 871,204: take smaller batches",
    ),
    "cpu": lambda: training(
        device="cpu", gpu=None, gpu_absent="no NVIDIA driver", price=0.0, spent=0.0,
        steps_per_second=3.71, stop=None, stop_text="",
    ),
    "diverged": diverged,
    "late": late,
    "checked": lambda: preparing(
        phase=Phase.CHECKED, check=BROKEN, seconds_to_start=47, device="cpu", price=0.99
    ),
    "sound": lambda: training(check=CLEAN),
    "budget": lambda: training(budget=0.8, spent=0.65, idle_usd=0.12),
    "budget-used-up": lambda: training(
        phase=Phase.AT_STOP, checkpoint_step=871_204, budget=0.8, spent=0.8, idle_usd=0.12,
        wait_seconds=424.0, wait_usd=0.12,
    ),
    "idle": lambda: training(
        phase=Phase.PAUSED, wait_seconds=424.0, wait_usd=0.12, idle_usd=0.12
    ),
    "taken-away": lambda: training(
        machine=Machine("aws", "g5.xlarge", "us-east-1b", "us-east-1", spot=True),
        price_source="AWS spot us-east-1b, 14:00",
        spot_notice=SpotNotice("AWS terminates this machine", NOON.timestamp() + 107.0, 0.0),
    ),
    "judged": judged,
    "ssrn": lambda: training(network="ssrn", attention=(), losses=Losses(0.09, 0.04, 0.05, None)),
}  # fmt: skip


TINY, NARROW, SHORT, USUAL = (40, 15), (53, 20), (60, 15), (80, 24)
WIDE, HUGE = (120, 40), (200, 50)
SHOTS = [
    *((scene, USUAL, ()) for scene in SCENES if scene != "sound"),
    *(("series", size, ()) for size in (TINY, NARROW, WIDE, HUGE)), ("late", WIDE, ()),
    ("series", TINY, ("tab", "tab")), ("series", USUAL, ("tab", "z", "z")),
    *(("checked", size, ()) for size in (TINY, NARROW, SHORT, WIDE, HUGE)),
    ("budget", NARROW, ()), ("taken-away", WIDE, ()),
    ("training", USUAL, ("s",)), ("training", USUAL, ("s", "backspace", "x")),
    ("training", USUAL, ("e",)), ("training", USUAL, ("q",)), ("training", USUAL, ("t",)),
    ("training", USUAL, ("question_mark",)), ("training", USUAL, ("x",)),
    ("judged", TINY, ()), ("judged", USUAL, ("v",)), ("judged", WIDE, ("v",)),
    ("judged", NARROW, ("w",)), ("training", USUAL, ("ascii",)),
    ("checked", USUAL, ("tab",)), ("checked", USUAL, ("q",)),
    ("checked", USUAL, ("t",)), ("checked", USUAL, ("ascii", "down")), ("sound", WIDE, ("k",)),
]  # fmt: skip
"""A scene, the size of the terminal, and what is pressed; `ascii` is the option."""
NAMES = ["-".join([scene, f"{width}x{height}", *keys]) for scene, (width, height), keys in SHOTS]


@pytest.mark.parametrize(("scene", "size", "keys"), SHOTS, ids=NAMES)
def test_scene(snap_compare, scene, size, keys):
    async def press(pilot):
        await pilot.pause()
        await pilot.press(*(key for key in keys if key != "ascii"))
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False
        pilot.app.poll()
        # The bottom line, and all colours of another theme, are drawn a turn or two later.
        for _ in range(4):
            await pilot.pause()

    app = app_on(FakeSession(SCENES[scene]()), ascii_only="ascii" in keys)
    assert snap_compare(app, run_before=press, terminal_size=size)
