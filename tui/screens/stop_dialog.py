"""The question behind `s`."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from engine.errors import InputError
from engine.formatting import duration
from engine.run.snapshot import Snapshot
from engine.run.stop import NONE, STOP_FORMS, SetBudget, StopAt, StopPoint, parse_budget, parse_stop
from tui import formatting
from tui.screens.dialog import Dialog

_BUDGET = "budget"
_NEW_BUDGET = f"{_BUDGET} $"
"""The answer to begin with where the budget has ended the run."""


class StopDialog(Dialog[StopAt | SetBudget]):
    """Sets the stop, or the budget by `budget 40`, and shows at once what an answer means."""

    def __init__(self, latest: Callable[[], Snapshot], now: Callable[[], datetime]) -> None:
        """Take what returns the newest snapshot."""
        super().__init__()
        self._latest = latest
        self._now = now
        snapshot = latest()
        self._current = current_answer(snapshot)
        asks_budget = snapshot.budget_is_used_up
        self._input = Input(
            _NEW_BUDGET if asks_budget else self._current,
            placeholder=f"{NONE}: no stop",
            select_on_focus=not asks_budget,
        )
        self._meaning = Static("", id="meaning", markup=False)
        budget = "budget 40 (US dollars for the voice in all), budget none"
        self._forms = (
            Static(STOP_FORMS, id="forms", classes="hint", markup=False),
            Static(budget, id="budget-forms", classes="hint", markup=False),
        )

    def compose(self) -> ComposeResult:
        """Set the answer over its meaning."""
        with Vertical(classes="dialog") as box:
            box.border_title = "stop at"
            yield self._input
            yield self._meaning
            yield from self._forms
            yield Static("enter accepts · esc cancels", classes="hint")

    def on_mount(self) -> None:
        """Update the meaning as the run continues."""
        self._say_meaning()
        self.set_interval(1, self._say_meaning)

    def on_input_changed(self) -> None:
        """Say what the answer means."""
        self._say_meaning()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close with the answer, unless it cannot be taken."""
        text = event.value.strip()
        if text == self._current:
            self.dismiss(None)
            return
        if not text:
            # One key too many must not remove the stop: that takes a word.
            return
        try:
            answer = read_answer(text, self._latest())
        except InputError:
            # The dialog already says why.
            self._say_meaning()
            return
        self.dismiss(answer)

    def _say_meaning(self) -> None:
        text = self._input.value.strip()
        words, trouble = meaning(text, self._latest(), self._now())
        if words != str(self._meaning.content):
            self._meaning.update(words)
            self._meaning.set_class(trouble, "-trouble")
            # A complaint names the forms itself.
            for forms in self._forms:
                forms.display = not trouble


def current_answer(snapshot: Snapshot) -> str:
    """Write the present stop as an answer."""
    stop = snapshot.stop
    if stop is None or stop.reached(snapshot.step, snapshot.voice_seconds, snapshot.spent):
        return ""
    if stop.step is not None:
        return f"{stop.step:,}"
    if stop.usd is not None:
        return f"${stop.usd:g}"
    left = (stop.training_seconds or 0.0) - snapshot.voice_seconds
    hours, minutes = divmod(max(1, round(left / 60)), 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m"


def meaning(text: str, snapshot: Snapshot, now: datetime) -> tuple[str, bool]:
    """Say what an answer means; or what is wrong with it, and True."""
    if not text:
        return _about_nothing(snapshot), False
    if text.lower() == NONE:
        return "no stop: trains until you stop it", False
    if text == _NEW_BUDGET.strip():
        spent = formatting.dollars(snapshot.spent)
        return f"{spent} is spent: enter a new total", False
    try:
        answer = read_answer(text, snapshot)
        if isinstance(answer, SetBudget):
            return _about_budget(answer.usd, snapshot, now), False
        assert answer.rule is not None
        point = answer.rule.resolve(
            snapshot.step, snapshot.voice_seconds, snapshot.spent, snapshot.price
        )
    except InputError as error:
        return str(error), True
    words = _where_and_when(point, snapshot, now)
    if replace(snapshot, stop=point).budget_comes_first:
        words += f" · but the budget of {formatting.dollars(snapshot.budget)} comes first"
    return words, False


def read_answer(text: str, snapshot: Snapshot) -> StopAt | SetBudget:
    """Read an answer that is not empty; `none` is no stop.

    Raises:
        InputError: it cannot be read, or is in the past.
    """
    word, _, rest = text.partition(" ")
    if word.lower() == _BUDGET:
        usd = parse_budget(rest)
        _require_budget(usd, snapshot)
        return SetBudget(usd)
    if text.lower() == NONE:
        return StopAt(None)
    rule = parse_stop(text)
    rule.resolve(snapshot.step, snapshot.voice_seconds, snapshot.spent, snapshot.price)
    return StopAt(rule)


def _about_nothing(snapshot: Snapshot) -> str:
    current = current_answer(snapshot)
    if current:
        return f"{NONE} trains without a stop; esc keeps {current}"
    return f"no change; {NONE} trains until you stop it"


def _require_budget(usd: float, snapshot: Snapshot) -> None:
    if usd > 0 and snapshot.price <= 0:
        raise InputError("a budget needs a price, and this run has none: start it with --price")
    if 0 < usd <= snapshot.spent:
        raise InputError(
            f"{formatting.dollars(snapshot.spent)} is already spent; give a larger budget"
        )


def _about_budget(usd: float, snapshot: Snapshot, now: datetime) -> str:
    if usd <= 0:
        return "no budget"
    there = _where_and_when(StopPoint(usd=usd), replace(snapshot, budget=0.0), now)
    return f"budget {formatting.dollars(usd)}: {there}"


def _where_and_when(point: StopPoint, snapshot: Snapshot, now: datetime) -> str:
    there = replace(snapshot, stop=point, budget=0.0)
    seconds, speed = there.seconds_to_stop, snapshot.steps_per_second
    words = []
    if point.step is not None:
        words.append(f"step {point.step:,}")
    elif seconds is not None and speed:
        words.append(f"about step {round(snapshot.step + seconds * speed):,}")
    if seconds is None:
        words.append("time unknown until it trains")
    else:
        words.append(f"{formatting.arrival(now, seconds)} (in {duration(seconds)})")
    if snapshot.price > 0 and there.spent_at_stop is not None:
        words.append(f"{formatting.dollars(there.spent_at_stop)} spent")
    return " · ".join(words)
