"""The five lines of the status: where are we, when does it end, what does it cost."""

import math
import re
from datetime import datetime

from engine.choices import NetworkName
from engine.formatting import duration, printable
from engine.run.snapshot import Phase, Snapshot
from tui import formatting
from tui.widgets.mirror_words import mirror_part
from tui.widgets.parts import Line, Part, line

NETWORKS: dict[NetworkName, str] = {"text2mel": "Text2Mel", "ssrn": "SSRN"}
"""The networks as they are called in speech."""

_PHASE_STYLES = {
    Phase.PREPARING: "$secondary",
    Phase.CHECKED: "bold $accent",
    Phase.TRAINING: "$success",
    Phase.PAUSED: "bold $warning",
    Phase.AT_STOP: "bold $accent",
    Phase.STOPPING: "$warning",
    Phase.STOPPED: "$quiet",
    Phase.FAILED: "bold $error",
}


def title_line(snapshot: Snapshot, time: str, width: int, *, reading: bool = False) -> Line:
    """Say whose voice, which network, on what, what it is doing, and the time.

    A screen that only reads says that as well.
    """
    left = [
        Part(printable(snapshot.voice), "bold $primary"),
        Part(NETWORKS[snapshot.network], "bold"),
        Part(snapshot.preset, rank=4),
        Part(f"{snapshot.recipe} recipe" if snapshot.recipe else "", rank=6),
        Part(re.sub(r"NVIDIA |GeForce ", "", snapshot.device), rank=3),
        Part(snapshot.precision, rank=5),
        Part(printable(snapshot.machine.words) if snapshot.machine else "", rank=3),
    ]
    right = [
        Part("read-only" if reading else "", "bold $accent"),
        Part(snapshot.phase_words, _PHASE_STYLES[snapshot.phase]),
        Part(time, "$quiet", rank=2),
    ]
    return line(left, right, width)


def step_line(snapshot: Snapshot, silent: float | None, width: int) -> Line:
    """Say the global step, the steps since the base, the speed and the time they took."""
    if snapshot.phase.before_steps:
        # The base and the time so far are read with the checkpoint: nothing is said of them yet.
        known = Part(f"{snapshot.step:,}", "bold $foreground", label="step")
        unknown = Part("not known yet", "$quiet", label="step")
        return line([known if snapshot.step else unknown], [], width)
    if snapshot.base_step:
        since = f"{snapshot.step - snapshot.base_step:,} since base "
        base = f"{since}{snapshot.base_step:,}"
    else:
        base = "from scratch"
    left = [
        Part(f"{snapshot.step:,}", "bold $foreground", label="step"),
        Part(base, rank=1, gap="   "),
        mirror_part(snapshot),
    ]
    right = [_speed(snapshot, silent), *_times(snapshot)]
    return line(left, right, width)


def _speed(snapshot: Snapshot, silent: float | None) -> Part:
    if silent is not None:
        return Part(f"no step for {duration(silent)}", "bold $warning", rank=1)
    if snapshot.steps_per_second and snapshot.phase is Phase.TRAINING:
        return Part(formatting.speed(snapshot.steps_per_second), "bold", rank=1)
    return Part("")


def _times(snapshot: Snapshot) -> list[Part]:
    run = duration(snapshot.run_seconds)
    if snapshot.voice_seconds - snapshot.run_seconds < 1:
        return [Part(f"{run} of training", "$quiet", rank=2)]
    return [
        Part(f"{run} this run", "$quiet", rank=2),
        Part(f"{duration(snapshot.voice_seconds)} in all", "$quiet", rank=3),
    ]


def stop_line(
    snapshot: Snapshot, now: datetime, width: int, *, ascii_only: bool, reading: bool = False
) -> Line:
    """Say how far it is to the stop, as a bar, a share and a time of day."""
    share = snapshot.progress_to_stop
    if share is None:
        asked = f"stop at {snapshot.stop_text}" if snapshot.stop_text else "no stop set"
        hint = "" if snapshot.phase.before_steps or reading else "s sets one"
        return line([Part(asked), Part("" if snapshot.stop_text else hint)], [], width)
    if snapshot.budget_comes_first:
        asked = f"budget {formatting.dollars(snapshot.budget)}"
    else:
        asked = f"stop at {stop_point(snapshot)}"
    words = [Part(asked, "bold", gap="")]
    seconds = snapshot.seconds_to_stop
    if snapshot.phase is Phase.TRAINING and seconds is not None:
        words.append(Part(formatting.arrival(now, seconds), "bold $primary"))
        words.append(Part(f"in {duration(seconds)}", "$quiet", gap="  "))
    bar_width = max(8, width - sum(len(part.text) + 3 for part in words) - 8)
    percent = f"{int(share * 100):>3} %"
    left = [*_bar(share, bar_width, ascii_only), Part(percent, "bold", gap=" ")]
    return line(left, words, width)


def stop_point(snapshot: Snapshot) -> str:
    """Name the stop on its own counter."""
    stop = snapshot.stop
    if stop is None:
        return "no step"
    if stop.step is not None:
        return f"{stop.step:,}"
    if stop.training_seconds is not None:
        return f"{duration(stop.training_seconds)} of training"
    return f"{formatting.dollars(stop.usd or 0)} spent"


def _bar(share: float, width: int, ascii_only: bool) -> list[Part]:
    done = int(share * width)
    full, empty = ("#", "-") if ascii_only else ("━", "━")
    return [
        Part(full * done, "$primary"),
        Part(empty * (width - done), "$line", gap=""),
    ]


def money_line(snapshot: Snapshot, width: int) -> Line:
    """Say what it has cost and will have cost, the price behind it, and how busy the GPU is."""
    left = []
    if snapshot.price > 0 or snapshot.spent > 0:
        left.append(Part(f"spent {formatting.dollars(snapshot.spent)}", "bold"))
        if snapshot.spent_at_stop is not None and snapshot.phase is Phase.TRAINING:
            where = "budget" if snapshot.budget_comes_first else "stop"
            left.append(Part(f"{formatting.dollars(snapshot.spent_at_stop)} at the {where}"))
        if snapshot.idle_usd >= 0.01:
            left.append(Part(f"{formatting.dollars(snapshot.idle_usd)} idle", "$quiet", 3))
        if snapshot.budget > 0 and not snapshot.budget_comes_first:
            left.append(Part(f"budget {formatting.dollars(snapshot.budget)}", "$quiet", 2))
    left.append(Part(formatting.price(snapshot.price), "$quiet"))
    if snapshot.price > 0:
        left.append(Part(printable(snapshot.price_source), "$quiet", 1, gap=", "))
    return line(left, _gpu(snapshot), width)


def _gpu(snapshot: Snapshot) -> list[Part]:
    gpu = snapshot.gpu
    if gpu is None:
        return [Part(f"GPU: {snapshot.gpu_absent}" if snapshot.gpu_absent else "", "$quiet", 2)]
    parts = [
        Part(f"{gpu.utilisation} %", label="GPU"),
        Part(formatting.gigabytes(gpu.memory_used, gpu.memory_total), rank=2, gap="  "),
    ]
    if gpu.temperature is not None:
        hot = "bold $warning" if gpu.temperature >= 85 else ""
        parts.append(Part(f"{gpu.temperature} °C", hot, rank=3, gap="  "))
    if gpu.power is not None:
        parts.append(Part(f"{gpu.power:.0f} W", rank=4, gap="  "))
    return parts


def loss_line(snapshot: Snapshot, width: int) -> Line:
    """Say the loss with its parts, the loss on what was held out, and the learning rate."""
    losses = snapshot.losses
    if losses is None:
        left = [Part("none logged yet", "$quiet", label="loss")]
    else:
        style = "bold $training" if math.isfinite(losses.total) else "bold $error"
        left = [
            Part(formatting.loss(losses.total), style, label="loss"),
            *_named("L1", losses.l1, rank=2),
            *_named("div", losses.divergence, rank=3),
            *_named("att", losses.attention, rank=4),
        ]
    if snapshot.held_out is not None:
        held_out = formatting.loss(snapshot.held_out)
        left.append(Part(held_out, "bold $held-out", gap="   ", label="held-out"))
    rate = snapshot.learning_rate
    right = []
    if rate is not None:
        right = [
            Part(f"{snapshot.skipped:,} skipped" if snapshot.skipped else "", "$warning", rank=3),
            Part(formatting.learning_rate(rate), rank=1, label="lr"),
            Part(formatting.rate_factor(snapshot.rate_factor), "$warning", rank=2, gap=" "),
        ]
    return line(left, right, width)


def _named(name: str, value: float | None, rank: int) -> list[Part]:
    if value is None:
        return []
    return [Part(formatting.loss(value), rank=rank, gap="  ", label=name)]
