"""What a person is warned of until they dismiss it, and in which order."""

from textwrap import wrap

from textual.content import Content

from engine.formatting import printable
from engine.run.snapshot import Event, Snapshot
from tui.widgets.money_words import budget_share_words

_GRAVEST = "error"
# Cells that a text has in its second line, however narrow the screen.
_MIN = 8


class Warnings:
    """The warnings that one screen still has to show: one at a time, each until it is dismissed.

    Errors come first, the newest of them before all; then the budget that runs out, then other
    warnings, the newest first.
    """

    def __init__(self, *, reading: bool = False) -> None:
        """Name no keys that steer where the person only looks on (`reading`)."""
        self._reading = reading
        self._dismissed: frozenset[Event] = frozenset()
        self._budget = 0.0

    def words(self, snapshot: Snapshot, width: int) -> Content:
        """Say the first warning, in two lines of `width` cells at most, or nothing."""
        left = self._left(snapshot)
        if not left:
            return Content("")
        keys = _keys(len(left) - 1)
        if left[0] is None:
            share = budget_share_words(snapshot)
            if self._reading:
                return Content.assemble(share, "  ", keys)
            return Content.assemble(share, "  ", ("s", "bold $training"), " raises it · ", keys)
        text = _in_two_lines(printable(left[0].text), width, keys.cell_length + 2)
        colour = "$error" if left[0].severity == _GRAVEST else "$warning"
        return Content.assemble((text, f"bold {colour}"), "  ", keys)

    def dismiss(self, snapshot: Snapshot) -> None:
        """Show the first warning no more; of another budget it is warned all the same."""
        left = self._left(snapshot)
        if left and left[0] is None:
            self._budget = snapshot.budget
        elif left and left[0] is not None:
            # Those that a snapshot has let go of come no more.
            self._dismissed = (self._dismissed & set(snapshot.warnings)) | {left[0]}

    def any(self, snapshot: Snapshot) -> bool:
        """Whether there is a warning to dismiss."""
        return bool(self._left(snapshot))

    def _left(self, snapshot: Snapshot) -> list[Event | None]:
        """What is not dismissed, in its order; None is the budget."""
        if snapshot.phase.ended:
            return []
        newest_first = [one for one in reversed(snapshot.warnings) if one not in self._dismissed]
        grave = [one for one in newest_first if one.severity == _GRAVEST]
        others = [one for one in newest_first if one.severity != _GRAVEST]
        warned = bool(budget_share_words(snapshot).plain) and snapshot.budget != self._budget
        return [*grave, *([None] if warned else []), *others]


def _keys(more: int) -> Content:
    counted = f" · +{more:,} more" if more else ""
    return Content.assemble(("d", "bold $training"), f" dismisses this{counted}")


def _in_two_lines(text: str, width: int, taken: int) -> str:
    """Shorten a text to what two lines hold, of whose second so many cells are `taken`."""
    first, *rest = wrap(text, width) or [""]
    if not rest:
        return text
    room = max(_MIN, width - taken)
    return f"{first} {wrap(' '.join(rest), room, max_lines=1, placeholder='…')[0]}"
