"""Warnings that stay on top of the screen until they are dismissed."""

from textwrap import wrap

from textual.content import Content

from engine.formatting import printable
from engine.run.snapshot import Event, Snapshot
from engine.run.stop import BUDGET_WARNING_SHARE
from tui import formatting

_MIN_WIDTH = 8
"""Cells that a text has in its second line, however narrow the screen."""


def budget_is_short(snapshot: Snapshot) -> bool:
    """Whether so much of the budget is spent that the person must know."""
    return 0 < BUDGET_WARNING_SHARE * snapshot.budget <= snapshot.spent and not snapshot.phase.ended


class Warnings:
    """The warnings that one screen still has to show, one at a time.

    Errors come first, the newest of them before all; then the budget that runs out, then other
    warnings, the newest first.
    """

    def __init__(self, *, reading: bool = False) -> None:
        self._reading = reading
        self._dismissed: frozenset[Event] = frozenset()
        self._budget = 0.0

    def words(self, snapshot: Snapshot, width: int) -> Content:
        """Return the first warning, in two lines of `width` cells at most, or nothing."""
        left = self._left(snapshot)
        if not left:
            return Content("")
        more = f" · +{len(left) - 1:,} more" if len(left) > 1 else ""
        keys = Content.assemble(("d", "bold $training"), f" dismiss{more}")
        warning = left[0]
        if warning is None:
            share = int(100 * snapshot.spent / snapshot.budget)
            budget = formatting.dollars(snapshot.budget)
            text = Content.styled(f"{share} % of the budget of {budget} is spent.", "bold $warning")
            if not self._reading:
                keys = Content.assemble(("s", "bold $training"), " raise it · ", keys)
            return Content.assemble(text, "  ", keys)
        words = _in_two_lines(printable(warning.text), width, keys.cell_length + 2)
        colour = "$error" if warning.severity == "error" else "$warning"
        return Content.assemble((words, f"bold {colour}"), "  ", keys)

    def dismiss(self, snapshot: Snapshot) -> None:
        """Drop the first warning; another budget is warned of again."""
        for warning in self._left(snapshot)[:1]:
            if warning is None:
                self._budget = snapshot.budget
            else:
                # Those that a snapshot has let go of do not return.
                self._dismissed = (self._dismissed & set(snapshot.warnings)) | {warning}

    def any(self, snapshot: Snapshot) -> bool:
        """Whether there is a warning to dismiss."""
        return bool(self._left(snapshot))

    def _left(self, snapshot: Snapshot) -> list[Event | None]:
        """What is not dismissed, in its order; None is the budget."""
        if snapshot.phase.ended:
            return []
        newest_first = [one for one in reversed(snapshot.warnings) if one not in self._dismissed]
        errors = [one for one in newest_first if one.severity == "error"]
        others = [one for one in newest_first if one.severity != "error"]
        short = budget_is_short(snapshot) and not snapshot.budget_is_used_up
        budget = short and snapshot.budget != self._budget
        return [*errors, *([None] if budget else []), *others]


def _in_two_lines(text: str, width: int, taken: int) -> str:
    """Shorten a text to two lines, with `taken` cells of the second left free."""
    first, *rest = wrap(text, width) or [""]
    if not rest:
        return text
    room = max(_MIN_WIDTH, width - taken)
    return f"{first} {wrap(' '.join(rest), room, max_lines=1, placeholder='…')[0]}"
