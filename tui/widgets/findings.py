"""What a check found, the most severe first."""

from collections.abc import Iterable
from itertools import chain

from rich.cells import cell_len, chop_cells
from rich.console import JustifyMethod
from rich.style import Style
from rich.text import Text
from textual.color import Color
from textual.content import Content

from engine.check.report import CheckReport, Finding, in_order
from engine.data.metadata import LEFT_OUT, shown
from engine.formatting import printable
from tui.reports import check_words as words
from tui.widgets.table import Table

_MAX = 1000
"""Rows: a table of many thousands takes seconds to fill."""

_NARROWEST_CLIP, _FIGURE, _KIND = 16, 18, 14
"""Cells of a clip's name, at least, and what longer ones leave: of the figure, or where that has
no room, of the kind."""
_Identity = tuple[str, str, int | None, str, str]
_COLOURS = {"error": "error", "warning": "warning", "note": "quiet"}


class Findings(Table):
    """One finding a row: severity, line, clip, kind and figure."""

    BORDER_TITLE = "findings"

    def __init__(self) -> None:
        super().__init__(id="findings", classes="panel", cursor_type="row", show_header=False)
        self._shown: tuple[str, int, list[_Identity]] | None = None
        self._listed: list[Finding] = []
        self._report: CheckReport | None = None
        self._left_out: frozenset[str] = frozenset()
        self._clip_width, self._figure_width = _NARROWEST_CLIP, _FIGURE

    @property
    def chosen(self) -> Finding | None:
        """The highlighted finding."""
        there = 0 <= self.cursor_row < len(self._listed)
        return self._listed[self.cursor_row] if there else None

    def is_left_out(self, finding: Finding) -> bool:
        """Whether the person left out the clip that a finding is about."""
        return shown(finding.clip_id) in self._left_out

    def show(self, report: CheckReport, left_out: Iterable[str]) -> None:
        """List what a report has, in the theme's colours; `left_out` are ids of clips."""
        marks = frozenset(map(shown, left_out))
        chosen = self.chosen
        changed = report is not self._report or marks != self._left_out
        if changed:
            same = self._report is not None and self._report.dataset == report.dataset
            self._left_out, self._report = marks, report
            self._listed = self._in_order(report, self._listed if same else [])
            left = len(report.findings) - len(self._listed)
            more = f" · {left:,} more in check.json" if left > 0 else ""
            self.border_title = Content(f"findings · {words.tally(report)}{more}")
        state = (self.app.theme, self.content_size.width, [*map(_identity, self._listed)])
        if state != self._shown:
            self._shown = state
            self._list(chosen)
        elif changed:
            # In their places, so that the list does not jump.
            self.change([self._cells(finding) for finding in self._listed])

    def _in_order(self, report: CheckReport, before: list[Finding]) -> list[Finding]:
        """The findings to list: those of a clip that was left out meanwhile stay in their place."""
        now = set(map(_identity, report.findings))
        stay = [
            one
            for one in before
            if self.is_left_out(one) and one.kind != LEFT_OUT and _identity(one) not in now
        ]
        named = {one.clip_id for one in stay}
        new = (one for one in report.findings if one.kind != LEFT_OUT or one.clip_id not in named)
        return list(chain(*words.by_kind(in_order([*new, *stay]))))[:_MAX]

    def _list(self, chosen: Finding | None) -> None:
        place = self.cursor_row
        self._share_width()
        self.fill([self._cells(finding) for finding in self._listed])
        there = {_identity(one): row for row, one in enumerate(self._listed)}
        row = there.get(_identity(chosen)) if chosen else None
        last = max(0, len(self._listed) - 1)
        self.move_cursor(row=min(place, last) if row is None else row)

    def action_scroll_home(self) -> None:
        """Go to the first finding: sideways there is little to see."""
        self.action_scroll_top()

    def action_scroll_end(self) -> None:
        """Go to the last finding."""
        self.action_scroll_bottom()

    def _cells(self, finding: Finding) -> list[Text]:
        out = self.is_left_out(finding)
        severity = "left out" if out else finding.severity
        clip = self._clip(finding)
        figure = self._coloured(printable(finding.figure), "quiet")
        figure.truncate(self._figure_width, overflow="ellipsis")
        return [
            self._coloured(severity, _COLOURS.get(severity, "quiet")),
            self._coloured(_line(finding), "quiet", justify="right"),
            Text(clip, style="strike dim" if out else ""),
            Text(words.kind(finding.kind)),
            figure,
        ]

    def _clip(self, finding: Finding) -> str:
        return middle_cut(printable(finding.clip_id or finding.file), self._clip_width)

    def _share_width(self) -> None:
        """Divide a row between clip and figure; the line below the list has both whole."""
        lines = max((len(_line(one)) for one in self._listed), default=0)
        kinds = max((len(words.kind(one.kind)) for one in self._listed), default=0)
        room = self.content_size.width - len("left out") - lines - 2 * self.cell_padding * 5
        left = room - kinds - _FIGURE
        narrow = max(_NARROWEST_CLIP, room - _KIND)
        self._clip_width = left if left >= _NARROWEST_CLIP else narrow
        clips = max((cell_len(self._clip(one)) for one in self._listed), default=0)
        self._figure_width = max(1, room - kinds - clips)

    def _coloured(self, text: str, name: str, justify: JustifyMethod | None = None) -> Text:
        """Text in a colour of the theme."""
        colour = Color.parse(self.app.theme_variables[name]).rich_color
        return Text(text, style=Style(color=colour), justify=justify)


def _identity(finding: Finding) -> _Identity:
    """What stays the same of a finding when figures of the whole corpus change."""
    return finding.kind, finding.severity, finding.line, finding.clip_id, finding.file


def _line(finding: Finding) -> str:
    return "" if finding.line is None else f"{finding.line:,}"


def middle_cut(name: str, width: int) -> str:
    """Shorten a name in its middle: what tells clips apart stands at their end."""
    if cell_len(name) <= width:
        return name
    tail = 2 * (width - 1) // 3
    head = chop_cells(name, width - 1 - tail)[0]
    end = chop_cells(name[::-1], tail)[0][::-1]
    return f"{head}…{end}"


def detail(finding: Finding | None) -> Content:
    """Describe a finding, and what to do about it."""
    if finding is None:
        return Content("No findings.")
    line = "" if finding.line is None else f"line {finding.line:,}"
    place = [words.kind(finding.kind), line, printable(finding.file or finding.clip_id)]
    return Content.assemble(
        ("".join(f"{part} · " for part in place if part), "$quiet"),
        printable(finding.figure),
        "\n",
        (words.sentence(finding.advice), "bold"),
    )
