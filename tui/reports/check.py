"""What `voicecoach check` prints: whether a corpus can be trained on, and what to fix."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from engine.check.report import CheckReport, Finding, Severity, TranscriptScore
from engine.formatting import printable
from tui import formatting
from tui.reports import check_words as words

_MAX_OF_A_KIND = 10
_MAX_ADVICE = 3
_MAX_UNKNOWN = 12
_MAX_SCORES = 25
_WIDEST_CLIP = 24
_WIDEST = 120
"""Columns: lines longer than this are hard to follow on any terminal."""

_STYLES: dict[Severity, str] = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def print_check(report: CheckReport) -> None:
    """Print a report to standard output, as wide as the terminal, without colour in a pipe.

    The answer comes first, then figures, then the findings, the most severe first.
    """
    console = Console(markup=False, highlight=False, emoji=False)
    _View(console, report).print()


class _View:
    """Prints one report, part by part; a part without content leaves no gap."""

    def __init__(self, console: Console, report: CheckReport) -> None:
        self._console = console
        self._report = report
        self._width = min(console.width, _WIDEST)
        self._ascii = console.options.ascii_only

    def print(self) -> None:
        report = self._report
        style = "bold red" if report.harmful or not report.usable else "bold green"
        self._put(Text(printable(report.dataset), style="bold"))
        self._put(Text(words.verdict(report), style=style))
        self._facts("", words.facts(report))
        self._lengths()
        groups = words.grouped(report.findings)
        for group in groups:
            if group.kind != words.UNKNOWN:
                self._group(group)
        self._unknown([group for group in groups if group.kind == words.UNKNOWN])
        self._facts("English coverage", words.coverage(report.coverage))
        self._facts("training estimate", map(words.estimate, report.estimates))
        self._transcripts()

    def _facts(self, title: str, listed: Iterable[tuple[str, str]]) -> None:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, figure in listed:
            table.add_row(self._text(name, "dim"), self._text(figure))
        self._part(title, table)

    def _lengths(self) -> None:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(justify="right", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True)
        room = max(8, min(60, self._width - 26))
        for bar in words.bars(self._report.lengths):
            full = "#" if self._ascii else "█"
            length = max(1, round(bar.share * room)) if bar.count else 0
            table.add_row(
                self._text(bar.label, "dim"), self._text(f"{bar.count:,}"), Text(full * length)
            )
        self._part("clips by length", table)

    def _group(self, group: words.Group) -> None:
        title = Text.assemble(
            (group.severity, _STYLES[group.severity]),
            (f"  {words.kind(group.kind)}", "bold"),
            f"  {len(group.findings):,}",
        )
        advised = group.by_advice
        few = len(group.findings) <= _MAX_OF_A_KIND
        per_advice = _MAX_OF_A_KIND if few else max(1, _MAX_OF_A_KIND // len(advised))
        for findings in advised[:_MAX_OF_A_KIND]:
            self._part(title, self._findings(findings[:per_advice]), apart=bool(title))
            self._more(len(findings) - per_advice)
            self._advise([findings[0].advice])
            title = Text()
        self._more(sum(map(len, advised[_MAX_OF_A_KIND:])))

    def _advise(self, advised: Iterable[str]) -> None:
        mark = "->" if self._ascii else "→"
        for advice in filter(None, advised):
            self._indented(f"{mark} {words.sentence(advice)}", "italic")

    def _findings(self, findings: Iterable[Finding]) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(justify="right", no_wrap=True)
        table.add_column(max_width=max(20, self._width // 3), overflow="fold")
        table.add_column(overflow="fold")
        for finding in findings:
            line = f"line {finding.line:,}" if finding.line is not None else ""
            figure = printable(finding.figure)
            table.add_row(
                self._text(line, "dim"), self._text(words.subject(finding)), self._text(figure)
            )
        return table

    def _unknown(self, groups: Sequence[words.Group]) -> None:
        """One table of characters, under the most severe finding about them."""
        rows = []
        for character in self._report.unknown[:_MAX_UNKNOWN]:
            symbol, times, becomes = words.unknown(character)
            example = printable(character.example)
            rows.append([symbol, times, becomes, f"line {character.line:,}", example])
        title = Text("characters outside the vocabulary", "bold")
        for worst in groups[:1]:
            title = Text.assemble((worst.severity, _STYLES[worst.severity]), "  ", title)
        title.append(f"  {len(self._report.unknown):,}", "not bold")
        self._part(title, self._lines(rows, right=(1, 3)))
        self._more(len(self._report.unknown) - _MAX_UNKNOWN)
        every = dict.fromkeys(f.advice for group in groups for f in group.findings)
        self._advise(list(every)[:_MAX_ADVICE])

    def _transcripts(self) -> None:
        scores = self._report.doubts
        rows = [_cells(place, scored) for place, scored in enumerate(scores[:_MAX_SCORES], 1)]
        if rows:
            heads = ["", "score", "line", "clip", "loss", "other", "focus", "transcript"]
            rows.insert(0, heads)
        title = "suspicious transcripts (score 1.00 or more: probably wrong)"
        self._part(title, self._lines(rows, right=(0, 1, 2, 4, 5, 6)))
        self._more(len(scores) - _MAX_SCORES)

    def _lines(self, rows: list[list[str]], right: tuple[int, ...]) -> Table:
        """Align columns, those of `right` to the right; cut lines at the end, not the figures."""
        widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
        table = Table.grid()
        table.add_column(no_wrap=True)
        for row in rows:
            cells = [
                " " * (width - cell_len(cell)) + cell if place in right
                else cell + " " * (width - cell_len(cell))
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]  # fmt: skip
            line = self._text("  ".join(cells).rstrip())
            line.truncate(self._width - 2, overflow="crop" if self._ascii else "ellipsis")
            table.add_row(line)
        return table

    def _more(self, left: int) -> None:
        if left > 0:
            self._indented(f"and {left:,} more (see --json)", "dim")

    def _part(self, title: str | Text, table: Table, *, apart: bool = True) -> None:
        if not table.row_count:
            return
        if apart:
            self._console.print()
        if title:
            self._put(title if isinstance(title, Text) else Text(title, style="bold"))
        self._put(Padding(table, (0, 0, 0, 2), expand=False))

    def _indented(self, line: str, style: str) -> None:
        self._put(Padding(self._text(line, style), (0, 0, 0, 2), expand=False))

    def _put(self, what: Text | Padding) -> None:
        if isinstance(what, Text) and self._ascii:
            what = self._text(what.plain)
        self._console.print(what, width=self._width)

    def _text(self, text: str, style: str = "") -> Text:
        if self._ascii:
            from tui.ascii_filter import in_ascii

            text = in_ascii(text)
        return Text(text, style=style)


def _cells(place: int, scored: TranscriptScore) -> list[str]:
    clip = printable(scored.clip_id)
    return [
        f"{place}.",
        f"{scored.score:.2f}",
        f"{scored.line:,}",
        set_cell_size(clip, min(_WIDEST_CLIP, cell_len(clip))),
        formatting.loss(scored.loss),
        formatting.loss(scored.other_loss),
        f"{scored.focus:.2f}",
        printable(scored.text),
    ]
