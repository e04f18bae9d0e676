"""The page behind `w`: what the advice rests on, and which checkpoint to export."""

from textwrap import TextWrapper
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.formatting import printable
from engine.run.evaluation import Recommendation
from engine.run.snapshot import Snapshot
from tui.screens.dialog import Dialog
from tui.widgets.advice_line import STYLES

_MIN_WIDTH, _MAX_WIDTH, _BORDERS = 16, 74, 5
"""Columns of the dialog, and those of them that are not for text."""


class AdviceDialog(Dialog[None]):
    """Whether it pays to go on, which checkpoint to export, and why."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("w,q", "dismiss", "close"),
        ("y", "copy", "copy"),
    ]

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self._snapshot = snapshot
        self._said = Static("", markup=False)

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog -tall") as box:
            box.border_title = "is it worth going on?"
            box.border_subtitle = "↑ ↓ scroll · esc closes"
            yield self._said

    def on_resize(self) -> None:
        """Indent anew for another width."""
        self._said.update(self._page())

    def show(self, snapshot: Snapshot) -> None:
        """Follow the advice."""
        before, self._snapshot = self._snapshot, snapshot
        if (before.advice, before.recommended) != (snapshot.advice, snapshot.recommended):
            self._said.update(self._page())

    def action_copy(self) -> None:
        """Copy the command that exports the recommended checkpoint."""
        if self._snapshot.export_command:
            self.app.copy_to_clipboard(self._snapshot.export_command)

    def _page(self) -> Content:
        snapshot = self._snapshot
        advice, best, command = snapshot.advice, snapshot.recommended, snapshot.export_command
        lines = []
        if advice is not None:
            lines.append(Content.styled(f"{printable(advice.text)}.", STYLES[advice.kind]))
            lines += self._reasons(advice.reasons)
            lines.append(_hint(f"As of step {advice.step:,}." if advice.step else ""))
        if best is not None:
            lines += [Content(""), recommended_words(best), *self._reasons(best.reasons)]
        if command:
            key = (("  y", "bold $training"), (" copy", "$quiet"))
            lines.append(Content.assemble(printable(command), *key))
        lines += [Content(""), _hint("v shows the measures of every checkpoint.")]
        if not snapshot.price:
            lines.append(_hint("Without --price there is no cost beside the steps."))
        return Content("\n").join(lines)

    def _reasons(self, reasons: tuple[str, ...]) -> list[Content]:
        room = max(_MIN_WIDTH, min(_MAX_WIDTH, self.app.size.width * 96 // 100) - _BORDERS)
        indented = TextWrapper(room, initial_indent=" · ", subsequent_indent="   ")
        return [Content(indented.fill(printable(reason))) for reason in reasons]


def recommended_words(best: Recommendation) -> Content:
    """Say which checkpoint to export, and how sure that is."""
    sure = f": {printable(best.certainty)}" if best.certainty else ""
    return Content.styled(f"★ Export {best.step:,}{sure}.", "bold $held-out")


def _hint(words: str) -> Content:
    return Content.styled(words, "$quiet")
