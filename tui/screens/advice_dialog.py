"""The page behind `w`: what the advice rests on, and which checkpoint to export."""

from textwrap import TextWrapper
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.formatting import printable
from engine.jobs.demo import next_commands
from engine.run.evaluation import Recommendation
from engine.run.snapshot import Snapshot
from tui.screens.dialog import Dialog
from tui.widgets.advice_line import STYLES

_MIN_WIDTH, _MAX_WIDTH, _BORDERS = 16, 74, 5
"""Columns of the dialog, and those of them that are not for text."""
_MAX_SAMPLES = 6


class AdviceDialog(Dialog[bool]):
    """Whether it pays to go on, which checkpoint to export, and why.

    Answers whether the person wants to see the scores.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        ("w,q", "dismiss", "close"),
        ("v", "scores", "scores"),
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
        self._snapshot = snapshot
        page = self._page()
        if page != self._said.content:
            self._said.update(page)

    def action_scores(self) -> None:
        self.dismiss(True)

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
        misread = misread_samples(snapshot)
        if misread:
            lines += [Content("Attention broke in these samples:"), *self._reasons(misread)]
        if best is not None:
            lines += [Content(""), recommended_words(best), *self._reasons(best.reasons)]
        if command:
            lines += [_key("y", "copies the command that does it:"), Content(printable(command))]
        for what, following in next_commands(snapshot)[:1]:
            lines += [Content(""), Content(f"Next, {what}:"), Content(printable(following))]
        lines += [Content(""), _key("v", "shows the measures of every checkpoint.")]
        if not snapshot.price:
            lines.append(_hint("Without --price there is no cost beside the steps."))
        return Content("\n").join(lines)

    def _reasons(self, reasons: tuple[str, ...]) -> list[Content]:
        room = max(_MIN_WIDTH, min(_MAX_WIDTH, self.app.size.width * 96 // 100) - _BORDERS)
        indented = TextWrapper(room, initial_indent=" · ", subsequent_indent="   ")
        return [Content(indented.fill(printable(reason))) for reason in reasons]


def misread_samples(snapshot: Snapshot) -> tuple[str, ...]:
    """Say which words the newest samples misread, each with its sentence: these are to be heard."""
    samples = [one for one in snapshot.samples if one.network == snapshot.network]
    newest = {one.sentence: one for one in samples if not one.for_comparison}
    return tuple(
        f"{one.step:,} {', '.join(each.words for each in one.misreadings)}: “{one.sentence}”"
        for one in newest.values()
        if one.misreadings
    )[:_MAX_SAMPLES]


def recommended_words(best: Recommendation) -> Content:
    """Say which checkpoint to export, and how sure that is."""
    sure = f": {printable(best.certainty)}" if best.certainty else ""
    return Content.styled(f"★ Export {best.step:,}{sure}.", "bold $held-out")


def _key(key: str, does: str) -> Content:
    return Content.assemble((key, "bold $training"), (f" {does}", "$quiet"))


def _hint(words: str) -> Content:
    return Content.styled(words, "$quiet")
