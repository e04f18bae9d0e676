"""What a check found, the most severe first."""

from itertools import chain

from rich.console import JustifyMethod
from rich.style import Style
from rich.text import Text
from textual.color import Color
from textual.content import Content
from textual.widgets import DataTable

from engine.check.report import CheckReport, Finding
from engine.formatting import printable
from tui.reports import check_words as words

_MAX = 1000
"""Rows: a table of many thousands takes seconds to fill."""

_WIDEST_CLIP = 20
_COLOURS = {"error": "error", "warning": "warning", "note": "quiet"}


class Findings(DataTable[Text]):
    """One finding a row: severity, line, clip, kind and figure."""

    BORDER_TITLE = "findings"

    def __init__(self) -> None:
        super().__init__(id="findings", classes="panel", cursor_type="row", show_header=False)
        self._shown: tuple[CheckReport, str] | None = None
        self._listed: list[Finding] = []

    @property
    def chosen(self) -> Finding | None:
        """The highlighted finding."""
        return self._listed[self.cursor_row] if self.cursor_row < len(self._listed) else None

    def show(self, report: CheckReport) -> None:
        """List what a report has, in the theme's colours."""
        shown = (report, self.app.theme)
        if self._shown == shown:
            return
        place = self.cursor_row
        self._shown = shown
        self._listed = list(chain(*words.by_kind(report.findings)))[:_MAX]
        self.clear(columns=True)
        self.add_columns("", "", "", "", "")
        for finding in self._listed:
            self.add_row(*self._cells(finding))
        self.move_cursor(row=min(place, max(0, len(self._listed) - 1)))
        left = len(report.findings) - len(self._listed)
        more = f" · {left:,} more in check.json" if left > 0 else ""
        self.border_title = Content(f"findings · {words.tally(report)}{more}")

    def action_scroll_home(self) -> None:
        """Go to the first finding: sideways there is little to see."""
        self.action_scroll_top()

    def action_scroll_end(self) -> None:
        """Go to the last finding."""
        self.action_scroll_bottom()

    def _cells(self, finding: Finding) -> list[Text]:
        line = "" if finding.line is None else f"{finding.line:,}"
        clip = Text(printable(finding.clip_id or finding.file))
        clip.truncate(_WIDEST_CLIP, overflow="ellipsis")
        return [
            self._coloured(finding.severity, _COLOURS[finding.severity]),
            self._coloured(line, "quiet", justify="right"),
            clip,
            Text(words.kind(finding.kind)),
            self._coloured(printable(finding.figure), "quiet"),
        ]

    def _coloured(self, text: str, name: str, justify: JustifyMethod | None = None) -> Text:
        """Text in a colour of the theme."""
        colour = Color.parse(self.app.theme_variables[name]).rich_color
        return Text(text, style=Style(color=colour), justify=justify)


def detail(finding: Finding | None) -> Content:
    """Describe a finding, and what to do about it."""
    if finding is None:
        return Content("No findings.")
    line = f"line {finding.line:,} · " if finding.line is not None else ""
    about = printable(finding.file or finding.clip_id)
    return Content.assemble(
        (f"{line}{about}{' · ' if about else ''}", "$quiet"),
        printable(finding.figure),
        "\n",
        (words.sentence(finding.advice), "bold"),
    )
