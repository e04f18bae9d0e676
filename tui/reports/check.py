"""What `voicecoach check` prints: whether a corpus can be trained on, and what to fix."""

import sys
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
_MAX_UNKNOWN = 12
_MAX_SCORES = 25
_WIDEST_CLIP = 24
_WIDEST = 120
"""Columns that are still easy to follow."""

_STYLES: dict[Severity, str] = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def print_check(report: CheckReport, next_command: str = "") -> None:
    """Print a report to standard output, as wide as the terminal, without colour in a pipe.

    The answer comes first, then figures, then the findings, the most severe first; at the end,
    where it is in sight, the answer again and the next command.
    """
    console = Console(markup=False, highlight=False, emoji=False)
    console.width = min(console.width, _WIDEST)
    with console.capture() as capture:
        _View(console, report).print()
        _print_end(console, report, next_command)
    text = "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
    if console.options.ascii_only:
        from tui.ascii_filter import in_ascii

        text = in_ascii(text)
    sys.stdout.write(text)


def _print_end(console: Console, report: CheckReport, next_command: str) -> None:
    console.print()
    console.print(_verdict(report))
    if next_command:
        # In one line, however long, so that it can be copied.
        console.print(f"next: {next_command}", soft_wrap=True)


def _verdict(report: CheckReport) -> Text:
    style = "bold red" if report.harmful or not report.usable else "bold green"
    return Text(words.verdict(report), style=style)


class _View:
    """Prints one report, part by part; a part without content leaves no gap."""

    def __init__(self, console: Console, report: CheckReport) -> None:
        self._console = console
        self._report = report

    def print(self) -> None:
        report = self._report
        self._console.print(Text(printable(report.dataset), style="bold"))
        self._console.print(_verdict(report))
        self._part("", words.facts(report))
        self._part("clips by length", self._lengths(), right=(0, 1))
        unknown = [one for one in report.findings if one.kind == words.UNKNOWN]
        for group in words.by_kind(one for one in report.findings if one.kind != words.UNKNOWN):
            self._group(group)
        self._unknown(words.by_kind(unknown)[0][0] if unknown else None)
        self._part("English coverage", words.coverage(report.coverage))
        self._part("training estimate", map(words.estimate, report.estimates))
        self._transcripts()

    def _lengths(self) -> Iterable[tuple[str, str, str]]:
        room = max(8, min(60, self._console.width - 26))
        for bar in words.bars(self._report.lengths):
            yield bar.label, f"{bar.count:,}", "█" * bar.cells(room)

    def _group(self, group: Sequence[Finding]) -> None:
        """The findings of one kind, above their advice."""
        title: Text | None = Text.assemble(
            (group[0].severity, _STYLES[group[0].severity]),
            (f"  {words.kind(group[0].kind)}", "bold"),
            f"  {len(group):,}",
        )
        advised = words.grouped(group, lambda finding: finding.advice)
        few = len(group) <= _MAX_OF_A_KIND
        per_advice = _MAX_OF_A_KIND if few else max(1, _MAX_OF_A_KIND // len(advised))
        for findings in advised[:_MAX_OF_A_KIND]:
            rows = map(_finding, findings[:per_advice])
            self._part(title, rows, right=(0,), narrow=1)
            self._more(len(findings) - per_advice)
            self._advise(findings[0].advice)
            title = None
        self._more(sum(map(len, advised[_MAX_OF_A_KIND:])))

    def _advise(self, advice: str) -> None:
        if "--vocabulary" in advice:
            # Whole, to be copied: a line end or a space in it would be part of the option.
            line = f"  → {words.sentence(advice)}"
            self._console.print(Text(line, "italic"), soft_wrap=True)
        elif advice:
            self._indented(f"→ {words.sentence(advice)}", "italic")

    def _unknown(self, worst: Finding | None) -> None:
        """One table of characters, under the most severe finding about them."""
        title = Text("characters outside the vocabulary", "bold")
        if worst:
            title = Text.assemble((worst.severity, _STYLES[worst.severity]), "  ", title)
        title.append(f"  {len(self._report.unknown):,}", "not bold")
        rows = [
            (*words.unknown(one), f"line {one.line:,}", printable(one.example))
            for one in self._report.unknown[:_MAX_UNKNOWN]
        ]
        self._part(title, rows, right=(1, 3), cut=True)
        self._more(len(self._report.unknown) - _MAX_UNKNOWN)
        self._advise(worst.advice if worst else "")

    def _transcripts(self) -> None:
        scores = self._report.doubts
        rows = [_score(place, scored) for place, scored in enumerate(scores[:_MAX_SCORES], 1)]
        if rows:
            rows.insert(0, ("", "score", "line", "clip", "loss", "other", "focus", "transcript"))
        title = "transcripts that fit worst (1.00 or more: listen to it; training uses it)"
        self._part(title, rows, right=(0, 1, 2, 4, 5, 6), cut=True)
        self._more(len(scores) - _MAX_SCORES)

    def _part(
        self,
        title: str | Text | None,
        rows: Iterable[Sequence[str]],
        *,
        right: tuple[int, ...] = (),
        narrow: int | None = None,
        cut: bool = False,
    ) -> None:
        """Print a table below its title, which stands apart from what precedes it.

        The columns of `right` are right-aligned, `narrow` is folded at a third of the width, and
        the last column is folded, or else `cut` where the line ends. None is no title.
        """
        listed = list(rows)
        if not listed:
            return
        if title is not None:
            self._console.print()
        if title:
            self._console.print(title if isinstance(title, Text) else Text(title, style="bold"))
        table = Table.grid(padding=(0, 2, 0, 0), expand=cut)
        last = len(listed[0]) - 1
        for place in range(last + 1):
            table.add_column(
                justify="right" if place in right else "left",
                style="dim" if place == 0 else "",
                no_wrap=place not in (last, narrow) or cut,
                overflow="ellipsis" if cut else "fold",
                max_width=max(20, self._console.width // 3) if place == narrow else None,
                ratio=1 if cut and place == last else None,
            )
        for row in listed:
            table.add_row(*map(Text, row))
        self._console.print(Padding(table, (0, 0, 0, 2), expand=False))

    def _more(self, left: int) -> None:
        if left > 0:
            self._indented(f"and {left:,} more (see --json)", "dim")

    def _indented(self, line: str, style: str) -> None:
        self._console.print(Padding(Text(line, style), (0, 0, 0, 2), expand=False))


def _finding(finding: Finding) -> tuple[str, str, str]:
    line = f"line {finding.line:,}" if finding.line is not None else ""
    return line, words.subject(finding), printable(finding.figure)


def _score(place: int, scored: TranscriptScore) -> tuple[str, ...]:
    clip = printable(scored.clip_id)
    return (
        f"{place}.",
        f"{scored.score:.2f}",
        f"{scored.line:,}",
        set_cell_size(clip, min(_WIDEST_CLIP, cell_len(clip))),
        formatting.loss(scored.loss),
        formatting.loss(scored.other_loss),
        f"{scored.focus:.2f}",
        printable(scored.text),
    )
