"""The status: where the run is, when it ends, what it costs, how it learns."""

import math
import re
from dataclasses import replace
from datetime import datetime

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from engine.choices import NETWORK_TITLES, NETWORKS
from engine.formatting import duration, printable
from engine.run.curves import LossCurve
from engine.run.snapshot import Phase, Snapshot
from tui import formatting
from tui.widgets.advice_line import AdviceLine
from tui.widgets.status_line import Part, StatusLine, fitting, join, line

_MIN_BAR = 6
"""Cells of the shortest bar."""
_BESIDE_BAR = 3
"""Cells between the bar's line and what stands at the other end."""
_TREND_POINTS = 6
"""Evaluations whose first and last are compared."""
_NO_CHANGE = 0.05
"""Per cent that are shown as 0.0."""
_NOISE_OF_DEVICES = re.compile(r"NVIDIA |GeForce | \d+GB( HBM\w*)?")
_STALLED_SECONDS = 15.0
"""A checkpoint or an evaluation takes less."""
_TWO_LINES_FROM, _TWO_LINES_AT_STOP_FROM = 20, 30
"""Rows of a screen that make room for a second line of advice; at the stop more is said below."""
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
    """Where the run is, when it ends, what it costs, how it learns, and whether to go on."""

    def __init__(self, *, reading: bool = False) -> None:
        super().__init__(id="status")
        self._reading = reading
        self._width = 0
        names = ("title", "step", "other-step", "money", "loss")
        self._lines = {name: StatusLine(f"status-{name}") for name in names}
        self._advice = AdviceLine()

    def compose(self) -> ComposeResult:
        yield from self._lines.values()
        yield self._advice

    def show(
        self, snapshot: Snapshot, now: datetime, time: str, silent: float | None, *, losses: bool
    ) -> None:
        """Show a snapshot.

        `silent` is how long no step was made, if that is worth saying. The line of losses, in
        which every figure changes at once, is only renewed with `losses`.
        """
        width = self.app.size.width - self.gutter.width
        lines = {
            "title": title_line(snapshot, time, width, reading=self._reading),
            "money": money_line(snapshot, silent, width),
        }
        networks = sorted(snapshot.both, key=lambda one: NETWORKS.index(one.network))
        for name, one in zip(("step", "other-step"), networks, strict=False):
            lines[name] = step_line(one, now, width, reading=self._reading, shown=one is snapshot)
        self._lines["other-step"].display = "other-step" in lines
        if losses or width != self._width:
            lines["loss"] = loss_line(snapshot, width)
            at_stop = snapshot.phase is Phase.AT_STOP
            enough = _TWO_LINES_AT_STOP_FROM if at_stop else _TWO_LINES_FROM
            self._advice.show(snapshot.advice, width, 2 if self.app.size.height >= enough else 1)
        self._width = width
        for name, text in lines.items():
            self._lines[name].show(text)


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
    """Show the voice, the network, the device and how busy it is, the phase and the time."""
    left = [
        Part(printable(snapshot.voice), "bold $primary"),
        *_networks(snapshot),
        Part(snapshot.preset, rank=5),
        Part(f"{snapshot.recipe} recipe" if snapshot.recipe else "", rank=7),
        Part(_NOISE_OF_DEVICES.sub("", snapshot.device), rank=2),
        Part(snapshot.precision, rank=6),
        *_gpu(snapshot),
        Part(printable(snapshot.machine.words) if snapshot.machine else "", rank=3),
    ]
    right = [
        Part("read-only" if reading else "", "bold $accent"),
        Part(snapshot.phase_words, _PHASE_STYLES[snapshot.phase]),
        Part(time, "$quiet", rank=1),
    ]
    return line(left, right, width)


def _networks(snapshot: Snapshot) -> list[Part]:
    """Name the network that is trained; of two, mark the one that the screen shows."""
    title, other = NETWORK_TITLES[snapshot.network], snapshot.other
    if other is None:
        return [Part(title, "bold")]
    labels = {snapshot.network: "bold reverse $primary", other.network: "$quiet"}
    return [
        Part(f" {NETWORK_TITLES[name]} ", labels[name], gap="" if place else " · ")
        for place, name in enumerate(NETWORKS)
    ]


def _gpu(snapshot: Snapshot) -> list[Part]:
    gpu = snapshot.gpu
    if gpu is None:
        return [Part(f"no GPU: {snapshot.gpu_absent}" if snapshot.gpu_absent else "", "$quiet", 4)]
    hot = "bold $warning" if gpu.temperature is not None and gpu.temperature >= 85 else ""
    temperature = "" if gpu.temperature is None else f"{gpu.temperature} °C"
    power = "" if gpu.power is None else f"{gpu.power:.0f} W"
    return [
        Part("" if gpu.utilisation is None else f"{gpu.utilisation} %", rank=3),
        Part(formatting.gigabytes(gpu.memory_used, gpu.memory_total), rank=4, gap="  "),
        Part(temperature, hot, rank=5, gap="  "),
        Part(power, rank=6, gap="  "),
    ]


def step_line(
    snapshot: Snapshot, now: datetime, width: int, *, reading: bool = False, shown: bool = True
) -> Content:
    """Show the global step, the steps since the base, and how far and how long it is to the stop.

    What is left of the width is a bar. Where both networks are trained, each has such a line; that
    of the network which is not `shown` says what it does.
    """
    share = snapshot.progress_to_stop
    percent = bar = Part("")
    if snapshot.end_point is not None and share is not None:
        percent = Part(f"{int(share * 100)} %", "bold", rank=2, gap="  ")
        bar = Part("━" * _MIN_BAR, rank=5, gap="  ")
    left = [*_step(snapshot, shown=shown), _mirror(snapshot), bar, percent]
    left, right = fitting(left, _stop(snapshot, now, hint=shown and not reading), width)
    if bar in left:
        room = width - join(left).cell_length - join(right).cell_length - _BESIDE_BAR
        cells = _MIN_BAR + max(0, room)
        done = int((share or 0) * cells)
        drawn = [
            Part("━" * done, "$primary", gap="  "),
            Part("─" * (cells - done), "$line", gap=""),
        ]
        place = left.index(bar)
        left[place : place + 1] = drawn if done else [replace(drawn[1], gap="  ")]
    return line(left, right, width)


def _step(snapshot: Snapshot, *, shown: bool) -> list[Part]:
    """Return the step, and how many there have been since the base."""
    parts = [Part("step", "$quiet", rank=4)]
    if snapshot.other is not None or not shown:
        title = NETWORK_TITLES[snapshot.network].ljust(max(map(len, NETWORK_TITLES.values())))
        parts = [Part(title, "bold" if shown else "$quiet")]
    if not snapshot.step and snapshot.phase.before_steps:
        return [*parts, Part("not known yet", "$quiet", gap=" ")]
    parts.append(Part(f"{snapshot.step:,}", "bold $foreground", gap=" "))
    if not shown and snapshot.phase is not Phase.TRAINING:
        parts.append(Part(snapshot.phase_words, _PHASE_STYLES[snapshot.phase], rank=2, gap="  "))
    if snapshot.phase.before_steps:
        return parts
    if not snapshot.base_step:
        return [*parts, Part("from scratch", rank=6)]
    made = Part(f"{snapshot.step - snapshot.base_step:+,}", rank=3, gap="  ")
    return [*parts, made, Part(f"since base {snapshot.base_step:,}", "$quiet", rank=7, gap=" ")]


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


def _stop(snapshot: Snapshot, now: datetime, *, hint: bool) -> list[Part]:
    """Return where the run stops, at what time and in how long."""
    if snapshot.end_point is None or snapshot.progress_to_stop is None:
        if snapshot.stop_text:
            return [Part(f"stop at {snapshot.stop_text}", rank=1)]
        if snapshot.stop_when:
            return [Part("stop when flat", rank=1)]
        return [Part("no stop set", rank=1), Part("s sets one" if hint else "", rank=2)]
    end = f"stop at {snapshot.end_point.words}"
    if snapshot.budget_comes_first:
        end = f"budget {formatting.dollars(snapshot.budget)}"
    at = snapshot.end_point.at
    if at is not None:
        end = f"stop at {formatting.clock_stop(at, now)}"
    words = [Part(end, "bold", rank=1)]
    seconds = snapshot.seconds_to_stop
    if snapshot.phase is Phase.TRAINING and seconds is not None:
        if at is None:
            words.append(Part(formatting.arrival(now, seconds), "bold $primary", rank=1))
        words.append(Part(f"({duration(seconds)})", "$quiet", rank=4, gap=" "))
    return words


def money_line(snapshot: Snapshot, silent: float | None, width: int) -> Content:
    """Show the spend so far and at the stop, the price behind it, the speed and the times."""
    left = []
    if snapshot.price > 0 or snapshot.spent > 0:
        budget = f" of {formatting.dollars(snapshot.budget)}" if snapshot.budget > 0 else ""
        left.append(Part(f"spent {formatting.dollars(snapshot.spent)}{budget}", "bold"))
        if snapshot.idle_usd >= 0.01:
            idle = formatting.dollars(snapshot.idle_usd)
            left.append(Part(f"({idle} idle)", "$quiet", 3, gap=" "))
        left.append(_spent_at_stop(snapshot))
    left.append(Part(formatting.price(snapshot.price), "$quiet", rank=1))
    if snapshot.price > 0:
        left.append(Part(printable(snapshot.price_source), "$quiet", 3, gap=", "))
    return line(left, [*_speed(snapshot, silent), *_times(snapshot)], width)


def _spent_at_stop(snapshot: Snapshot) -> Part:
    """Return what will have been spent when the last network is at its stop."""
    training = [one for one in snapshot.both if one.phase is Phase.TRAINING]
    sums = [one.spent_at_stop for one in training]
    known = [usd for usd in sums if usd is not None]
    if not known or len(known) < len(sums):
        return Part("")
    where = "last stop" if len(known) > 1 else "stop"
    if any(one.budget_comes_first for one in training):
        where = "budget"
    return Part(f"{formatting.dollars(max(known))} at the {where}", rank=2)


def _speed(snapshot: Snapshot, silent: float | None) -> list[Part]:
    if silent is not None:
        return [Part(f"no step for {duration(silent)}", "bold $warning", rank=1)]
    if snapshot.phase is not Phase.TRAINING:
        return []
    if snapshot.warm_up:
        return [Part(snapshot.warm_up, "$quiet", rank=2)]
    if not snapshot.steps_per_second:
        return []
    return [Part(formatting.speed(snapshot.steps_per_second), "bold", rank=2)]


def _times(snapshot: Snapshot) -> list[Part]:
    """Return how long this run has trained, and all runs of the voice."""
    if snapshot.phase.before_steps:
        return []
    run, voice = duration(snapshot.run_seconds), duration(snapshot.voice_seconds)
    if snapshot.voice_seconds - snapshot.run_seconds < 1:
        return [Part(f"{run} of training", "$quiet", rank=4)]
    return [Part(f"{run} this run", "$quiet", rank=4), Part(f"{voice} in all", "$quiet", rank=5)]


def loss_line(snapshot: Snapshot, width: int) -> Content:
    """Show the loss with its parts, the held-out loss, and the learning rate."""
    losses, rate = snapshot.losses, snapshot.learning_rate
    left = [Part("–", "$quiet", label="loss")]
    if losses is not None:
        style = "bold $training" if math.isfinite(losses.total) else "bold $error"
        parts = [("L1", losses.l1, 3), ("div", losses.divergence, 4), ("att", losses.attention, 5)]
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
        left.append(Part(held_out, "bold $held-out", label="held-out"))
        change, span = trend(snapshot.curve)
        left += [Part(change, rank=1, gap=" "), Part(span, "$quiet", rank=3, gap=" ")]
    if rate is None:
        return line(left, [], width)
    right = [
        Part(f"{snapshot.skipped:,} skipped" if snapshot.skipped else "", "$warning", rank=3),
        Part(formatting.learning_rate(rate), rank=2, label="lr"),
        Part(formatting.rate_factor(snapshot.rate_factor), "$warning", rank=3, gap=" "),
    ]
    return line(left, right, width)


def trend(curve: LossCurve) -> tuple[str, str]:
    """Say how the held-out loss changed, and over which steps: `↓ 1.4 %`, `over 5,000 steps`.

    The newest evaluation is compared with that five before it, or the first.
    """
    losses, steps = curve.held_out[-_TREND_POINTS:], curve.held_out_steps[-_TREND_POINTS:]
    if len(losses) < 2 or not all(map(math.isfinite, losses)) or losses[0] <= 0:
        return "", ""
    change = 100 * (losses[-1] / losses[0] - 1)
    arrow = "→" if abs(change) < _NO_CHANGE else "↓" if change < 0 else "↑"
    return f"{arrow} {abs(change):.1f} %", f"over {steps[-1] - steps[0]:,} steps"
