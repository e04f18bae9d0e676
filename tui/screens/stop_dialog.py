"""The question behind `s`."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from engine.choices import NETWORK_TITLES
from engine.errors import InputError
from engine.formatting import duration
from engine.run.snapshot import Snapshot
from engine.run.stop import (
    NONE,
    STOP_FORMS,
    SetBudget,
    StopAt,
    StopPoint,
    parse_budget,
    parse_stop,
)
from tui.formatting import arrival, clock, clock_stop, dollars
from tui.screens.dialog import InputDialog

_BUDGET = "budget"
_NEW_BUDGET = f"{_BUDGET} $"
"""The answer to begin with where the budget has ended the run."""


class StopDialog(InputDialog[StopAt | SetBudget]):
    """Sets the stop, or the budget by `budget 40`, and shows at once what an answer means."""

    heading = "stop at"
    HINTS = (STOP_FORMS, f"{NONE}, budget 40 (US$ for the voice in all), budget {NONE}")

    def __init__(self, snapshot: Snapshot, now: Callable[[], datetime]) -> None:
        """Ask about the run of a snapshot; `show` takes later ones."""
        if snapshot.other is not None:
            self.heading = f"stop {NETWORK_TITLES[snapshot.network]} at"
        self._snapshot = snapshot
        self._now = now
        self._current = current_answer(snapshot)
        asks_budget = snapshot.budget_is_used_up
        super().__init__(
            _NEW_BUDGET if asks_budget else self._current,
            placeholder=f"{NONE}: no stop",
            select=not asks_budget,
        )

    def show(self, snapshot: Snapshot) -> None:
        """Say what the answer means now that the run has come so far."""
        super().show(snapshot)
        self._snapshot = snapshot
        self.on_input_changed()

    def on_mount(self) -> None:
        # An empty answer is no change of the input.
        self._read()

    def on_input_changed(self) -> None:
        self._read()

    def on_input_submitted(self) -> None:
        """Close with the answer, unless it cannot be taken."""
        if self.text == self._current:
            self.dismiss(None)
        elif (answer := self._read()) is not None:
            self.dismiss(answer)

    def _read(self) -> StopAt | SetBudget | None:
        try:
            answer, meaning = read_answer(self.text, self._snapshot, self._now())
        except InputError as error:
            self.say(str(error), trouble=True)
            return None
        self.say(meaning)
        return answer


def current_answer(snapshot: Snapshot) -> str:
    """Write the present stop as an answer."""
    if snapshot.phase.before_steps:
        return snapshot.stop_text
    stop = snapshot.stop
    if stop is None or stop.reached(snapshot.step, snapshot.voice_seconds, snapshot.spent):
        return ""
    if stop.step is not None:
        return f"{stop.step:,}"
    if stop.usd is not None:
        return f"${stop.usd:g}"
    if stop.at is not None:
        return clock(stop.at)
    left = (stop.training_seconds or 0.0) - snapshot.voice_seconds
    hours, minutes = divmod(max(1, round(left / 60)), 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m"


def read_answer(
    text: str, snapshot: Snapshot, now: datetime
) -> tuple[StopAt | SetBudget | None, str]:
    """Return what an answer asks of the run, None for nothing yet, and what it means.

    Raises:
        InputError: it cannot be read, or is in the past.
    """
    if not text:
        # One key too many must not remove the stop: that takes a word.
        current = current_answer(snapshot)
        kept = f"{NONE} trains without a stop; esc keeps {current}"
        return None, kept if current else f"no change; {NONE} trains until you stop it"
    if text == _NEW_BUDGET.strip():
        return None, f"{dollars(snapshot.spent)} is spent: enter a new total"
    if text.lower() == NONE:
        return StopAt(None), "no stop: trains until you stop it"
    word, _, rest = text.partition(" ")
    if word.lower() == _BUDGET:
        # The dollar sign may stand before the answer already.
        without = rest.replace("$", "", 1).strip().lower() == NONE
        return _read_budget(NONE if without else rest, snapshot, now)
    rule = parse_stop(text, now=now)
    point = rule.resolve(snapshot.step, snapshot.voice_seconds, snapshot.spent, snapshot.price)
    words = _where_and_when(point, snapshot, now)
    if replace(snapshot, stop=point).budget_comes_first:
        words += f" · but the budget of {dollars(snapshot.budget)} comes first"
    return StopAt(rule), words


def _read_budget(text: str, snapshot: Snapshot, now: datetime) -> tuple[SetBudget, str]:
    usd = parse_budget(text)
    if not usd:
        return SetBudget(usd), "no budget"
    if snapshot.price <= 0:
        raise InputError("a budget needs a price, and this run has none: start it with --price")
    if usd <= snapshot.spent:
        raise InputError(f"{dollars(snapshot.spent)} is already spent; give a larger budget")
    there = _where_and_when(StopPoint(usd=usd), snapshot, now)
    return SetBudget(usd), f"budget {dollars(usd)}: {there}"


def _where_and_when(point: StopPoint, snapshot: Snapshot, now: datetime) -> str:
    seconds = replace(snapshot, stop=point, budget=0.0).seconds_to_stop
    words = []
    if point.at is not None:
        seconds = point.at - now.timestamp()
        words.append(f"{clock_stop(point.at, now)} (in {duration(seconds)})")
    if point.step is not None:
        words.append(f"step {point.step:,}")
    elif seconds is not None and snapshot.steps_per_second:
        step = snapshot.step + seconds * snapshot.steps_per_second
        words.append(f"about step {round(step):,}")
    if snapshot.phase.before_steps:
        return " · ".join([*words, "takes effect at the first step"])
    if seconds is None:
        words.append("time unknown until it trains")
    elif point.at is None:
        words.append(f"{arrival(now, seconds)} (in {duration(seconds)})")
    if snapshot.price > 0 and seconds is not None:
        words.append(f"{dollars(snapshot.spent + snapshot.price * seconds / 3600)} spent")
    return " · ".join(words)
