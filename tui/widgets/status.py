"""The status: where the run is, when it ends, what it costs, how it learns."""

import math
import re
from datetime import datetime

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from engine.formatting import duration, printable
from engine.run.snapshot import Phase, Snapshot
from tui import formatting
from tui.formatting import NETWORKS
from tui.widgets.status_line import Part, StatusLine, line

_STALLED_SECONDS = 15.0
"""A checkpoint or an evaluation takes less."""
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


class Status(Vertical):
    """Where the run is, when it ends, what it costs and how it learns."""

    def __init__(self, *, reading: bool = False) -> None:
        super().__init__(id="status")
        self._reading = reading
        self._width = 0
        names = ("title", "step", "stop", "money", "loss")
        self._lines = tuple(StatusLine(f"status-{name}") for name in names)

    def compose(self) -> ComposeResult:
        yield from self._lines

    def show(
        self, snapshot: Snapshot, now: datetime, time: str, silent: float | None, *, losses: bool
    ) -> None:
        """Show a snapshot.

        `silent` is how long no step was made, if that is worth saying. The line of losses, in
        which every figure changes at once, is only renewed with `losses`.
        """
        width = self.content_size.width
        if width == 0:
            return
        lines = [
            title_line(snapshot, time, width, reading=self._reading),
            step_line(snapshot, silent, width),
            stop_line(snapshot, now, width, reading=self._reading),
            money_line(snapshot, width),
        ]
        if losses or width != self._width:
            lines.append(loss_line(snapshot, width))
        self._width = width
        for widget, text in zip(self._lines, lines, strict=False):
            widget.show(text)


class StallTimer:
    """Measures how long a run that should train has made no step."""

    def __init__(self) -> None:
        self._step: int | None = None
        self._since: datetime | None = None

    def update(self, snapshot: Snapshot, now: datetime) -> float | None:
        """Return the seconds without a step, in coarse strides; None while all is well."""
        moved = snapshot.step != self._step or snapshot.phase is not Phase.TRAINING
        if moved or self._since is None:
            self._step, self._since = snapshot.step, now
            return None
        still = (now - self._since).total_seconds()
        usual = 20 / snapshot.steps_per_second if snapshot.steps_per_second else 0.0
        if still < max(_STALLED_SECONDS, usual):
            return None
        # Coarse, so that the line is not drawn anew four times a second.
        stride = 5 if still < 60 else 60
        return still // stride * stride


def title_line(snapshot: Snapshot, time: str, width: int, *, reading: bool = False) -> Content:
    """Show the voice, the network, the device, the phase and the time."""
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


def step_line(snapshot: Snapshot, silent: float | None, width: int) -> Content:
    """Show the global step, the steps since the base, the speed and the time they took."""
    step = Part(f"{snapshot.step:,}", "bold $foreground", label="step")
    if snapshot.phase.before_steps:
        unknown = Part("not known yet", "$quiet", label="step")
        return line([step if snapshot.step else unknown], [], width)
    base = "from scratch"
    if snapshot.base_step:
        base = f"{snapshot.step - snapshot.base_step:,} since base {snapshot.base_step:,}"
    left = [step, Part(base, rank=1, gap="   "), _mirror(snapshot)]
    speed = Part("")
    if silent is not None:
        speed = Part(f"no step for {duration(silent)}", "bold $warning", rank=1)
    elif snapshot.steps_per_second and snapshot.phase is Phase.TRAINING:
        speed = Part(formatting.speed(snapshot.steps_per_second), "bold", rank=1)
    run, voice = duration(snapshot.run_seconds), duration(snapshot.voice_seconds)
    if snapshot.voice_seconds - snapshot.run_seconds < 1:
        return line(left, [speed, Part(f"{run} of training", "$quiet", rank=2)], width)
    times = [Part(f"{run} this run", "$quiet", rank=2), Part(f"{voice} in all", "$quiet", rank=3)]
    return line(left, [speed, *times], width)


def _mirror(snapshot: Snapshot) -> Part:
    """Show which step is safe in the mirror, or that it is behind or not used."""
    mirror = snapshot.mirror
    if mirror is None:
        return Part("")
    if mirror.trouble or mirror.unused:
        trouble = "nothing copied" if mirror.unused else "mirror behind"
        return Part(trouble, "bold $warning", rank=1)
    safe = "nothing yet" if mirror.safe_step is None else f"{mirror.safe_step:,}"
    return Part(safe, "$quiet", rank=3, label="mirror")


def stop_line(snapshot: Snapshot, now: datetime, width: int, *, reading: bool = False) -> Content:
    """Show how far it is to the stop, as a bar, a share and a time of day."""
    share = snapshot.progress_to_stop
    if snapshot.end_point is None or share is None:
        if snapshot.stop_text:
            return line([Part(f"stop at {snapshot.stop_text}")], [], width)
        return line([Part("no stop set"), Part("" if reading else "s sets one")], [], width)
    end = f"stop at {snapshot.end_point.words}"
    if snapshot.budget_comes_first:
        end = f"budget {formatting.dollars(snapshot.budget)}"
    at = snapshot.end_point.at
    if at is not None:
        end = f"stop at {formatting.clock_stop(at, now)}"
    words = [Part(end, "bold", gap="")]
    seconds = snapshot.seconds_to_stop
    if snapshot.phase is Phase.TRAINING and seconds is not None:
        if at is None:
            words.append(Part(formatting.arrival(now, seconds), "bold $primary"))
        words.append(Part(f"in {duration(seconds)}", "$quiet", gap="  "))
    bar_width = max(8, width - sum(len(part.text) + 3 for part in words) - 8)
    percent = f"{int(share * 100):>3} %"
    done = int(share * bar_width)
    left = [
        Part("━" * done, "$primary"),
        Part("─" * (bar_width - done), "$line", gap=""),
        Part(percent, "bold", gap=" "),
    ]
    return line(left, words, width)


def money_line(snapshot: Snapshot, width: int) -> Content:
    """Show the spend so far and at the stop, the price behind it, and how busy the GPU is."""
    left = []
    if snapshot.price > 0 or snapshot.spent > 0:
        budget = f" of {formatting.dollars(snapshot.budget)}" if snapshot.budget > 0 else ""
        left.append(Part(f"spent {formatting.dollars(snapshot.spent)}{budget}", "bold"))
        if snapshot.idle_usd >= 0.01:
            idle = formatting.dollars(snapshot.idle_usd)
            left.append(Part(f"({idle} idle)", "$quiet", 3, gap=" "))
        if snapshot.spent_at_stop is not None and snapshot.phase is Phase.TRAINING:
            where = "budget" if snapshot.budget_comes_first else "stop"
            left.append(Part(f"{formatting.dollars(snapshot.spent_at_stop)} at the {where}"))
    left.append(Part(formatting.price(snapshot.price), "$quiet"))
    if snapshot.price > 0:
        left.append(Part(printable(snapshot.price_source), "$quiet", 1, gap=", "))
    return line(left, _gpu(snapshot), width)


def _gpu(snapshot: Snapshot) -> list[Part]:
    gpu = snapshot.gpu
    if gpu is None:
        return [Part(f"no GPU: {snapshot.gpu_absent}" if snapshot.gpu_absent else "", "$quiet", 2)]
    hot = "bold $warning" if gpu.temperature is not None and gpu.temperature >= 85 else ""
    temperature = "" if gpu.temperature is None else f"{gpu.temperature} °C"
    power = "" if gpu.power is None else f"{gpu.power:.0f} W"
    return [
        Part(f"{gpu.utilisation} %", rank=1, label="GPU"),
        Part(formatting.gigabytes(gpu.memory_used, gpu.memory_total), rank=2, gap="  "),
        Part(temperature, hot, rank=3, gap="  "),
        Part(power, rank=4, gap="  "),
    ]


def loss_line(snapshot: Snapshot, width: int) -> Content:
    """Show the loss with its parts, the held-out loss, and the learning rate."""
    losses, rate = snapshot.losses, snapshot.learning_rate
    left = [Part("–", "$quiet", label="loss")]
    if losses is not None:
        style = "bold $training" if math.isfinite(losses.total) else "bold $error"
        parts = [("L1", losses.l1, 2), ("div", losses.divergence, 3), ("att", losses.attention, 4)]
        left = [
            Part(formatting.loss(losses.total), style, label="loss"),
            *(
                Part(formatting.loss(value), rank=rank, gap="  ", label=name)
                for name, value, rank in parts
                if value is not None
            ),
        ]
    if snapshot.held_out is not None:
        held_out = formatting.loss(snapshot.held_out)
        left.append(Part(held_out, "bold $held-out", gap="   ", label="held-out"))
    if rate is None:
        return line(left, [], width)
    right = [
        Part(f"{snapshot.skipped:,} skipped" if snapshot.skipped else "", "$warning", rank=3),
        Part(formatting.learning_rate(rate), rank=1, label="lr"),
        Part(formatting.rate_factor(snapshot.rate_factor), "$warning", rank=2, gap=" "),
    ]
    return line(left, right, width)
