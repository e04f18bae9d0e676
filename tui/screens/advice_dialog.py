"""The page behind `w`: what the advice rests on, and which checkpoint to export."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.formatting import printable
from engine.run.evaluation import Advice, Recommendation
from engine.run.snapshot import Snapshot
from tui.screens.dialog import Dialog
from tui.widgets.advice_line import STYLES


class AdviceDialog(Dialog[None]):
    """Whether it pays to go on, which checkpoint to export, and why."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("w,q", "dismiss", "close"),
        ("y", "copy", "copy"),
    ]

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self._snapshot = snapshot
        self._said = Static(_page(snapshot), markup=False)

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog -tall") as box:
            box.border_title = "is it worth going on?"
            box.border_subtitle = "↑ ↓ scroll · esc closes"
            yield self._said

    def show(self, snapshot: Snapshot) -> None:
        """Follow the advice."""
        said = (snapshot.advice, snapshot.recommended)
        if said != (self._snapshot.advice, self._snapshot.recommended):
            self._said.update(_page(snapshot))
        self._snapshot = snapshot

    def action_copy(self) -> None:
        """Copy the command that exports the recommended checkpoint."""
        if self._snapshot.export_command:
            self.app.copy_to_clipboard(self._snapshot.export_command)


def _page(snapshot: Snapshot) -> Content:
    advice, best = snapshot.advice, snapshot.recommended
    parts = [] if advice is None else _advice(advice)
    if best is not None:
        parts += [*([Content("")] if parts else []), *_recommended(best, snapshot.export_command)]
    if not snapshot.price:
        parts.append(_hint("Without a price (train --price) there is no cost beside the steps."))
    return Content("\n").join([*parts, _hint("v shows the measures over the checkpoints.")])


def _advice(advice: Advice) -> list[Content]:
    said = Content.styled(f"{printable(advice.text)}.", STYLES[advice.kind])
    given = _hint(f"As of step {advice.step:,}.") if advice.step else Content("")
    return [said, *map(_reason, advice.reasons), *([given] if given.plain else [])]


def _recommended(best: Recommendation, command: str) -> list[Content]:
    lines = [
        Content.styled(f"★ Export {best.step:,}: {printable(best.certainty)}.", "bold $held-out")
    ]
    lines += map(_reason, best.reasons)
    if command:
        lines.append(
            Content.assemble(printable(command), ("  y", "bold $training"), (" copy", "$quiet"))
        )
    return lines


def _reason(text: str) -> Content:
    return Content(f" · {printable(text)}")


def _hint(words: str) -> Content:
    return Content.styled(words, "$quiet")
