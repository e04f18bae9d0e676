"""A check's report in words, for the terminal and for the screen alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.check.report import (
    SEVERITIES,
    CheckReport,
    Coverage,
    Estimate,
    Finding,
    Histogram,
    Severity,
    Spread,
    UnknownCharacter,
)
from engine.choices import NetworkName
from engine.formatting import duration, printable
from tui import formatting

_NETWORKS: dict[NetworkName, str] = {"text2mel": "Text2Mel", "ssrn": "SSRN"}
UNKNOWN = "unknown-character"
"""The kind of findings of which the report has a table, too."""

MEASURING = "measuring what training takes…"
"""Said until the estimate is there."""

_MAX_BARS = 16
_MAX_PAIRS = 12


def counted(count: int, noun: str) -> str:
    """Write a number of things: `1 error`, `12 warnings`, `no errors`."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun}s" if count else f"no {noun}s"


def tally(report: CheckReport) -> str:
    """Write how many findings there are of each severity: `no errors, 3 warnings`.

    Errors are counted even where there are none, for they decide; others where there are some.
    """
    counts = report.counts()
    return ", ".join(
        counted(counts[severity], severity)
        for severity in SEVERITIES
        if counts[severity] or severity == "error"
    )


def verdict(report: CheckReport) -> str:
    """Answer in one sentence whether a voice can be trained on this."""
    rows = counted(report.rows, "row")
    if not report.usable:
        return f"No clip can be used: {tally(report)} in {rows}. Mend the errors first."
    clips = f"{tally(report)} in {rows}"
    if report.harmful:
        return f"Not ready: {clips}. Mend the errors first."
    if report.findings:
        return f"Ready to train: {clips}."
    return f"Ready to train: nothing was found in {rows}."


def facts(report: CheckReport) -> list[tuple[str, str]]:
    """Return what is measured of the whole: a name and a figure with its unit."""
    listed = [
        ("clips", f"{report.usable:,} usable of {counted(report.rows, 'row')}"),
        ("speech", hours(report)),
    ]
    for name, spread, unit, places in (
        ("speaking rate", report.speaking_rate, "characters/s", 1),
        ("loudness", report.loudness, "dBFS", 1),
        ("signal to noise", report.noise, "dB", 0),
    ):
        if spread is not None:
            listed.append((name, _spread(spread, unit, places)))
    return listed


def hours(report: CheckReport) -> str:
    """Write how much speech there is, and how long a clip is in the middle."""
    if not report.usable:
        return "none"
    mean = report.hours * 3600 / report.usable
    return f"{duration(report.hours * 3600)}, {mean:.1f} s a clip on average"


def _spread(spread: Spread, unit: str, places: int) -> str:
    low, median, high = (
        # The screen's minus sign is as wide as a digit; a hyphen would read as a dash.
        f"{value:.{places}f}".replace("-", "−")
        for value in (spread.low, spread.median, spread.high)
    )
    return f"{median} {unit} ({low} to {high})"


def short_facts(report: CheckReport, width: int) -> str:
    """Write the same in a line for a narrow screen, and what training takes in others.

    Of these the speed is left out where a line of `width` cells does not hold it.
    """
    words = [f"{report.usable:,} usable clips"]
    if report.usable:
        words.append(duration(report.hours * 3600))
    for spread, unit in ((report.speaking_rate, "characters/s"), (report.noise, "dB over noise")):
        if spread is not None:
            words.append(f"{spread.median:.0f} {unit}")
    estimates = [_estimate_in(width, one) for one in report.estimates if one.measured]
    return "\n".join([" · ".join(words), *estimates])


def _estimate_in(width: int, one: Estimate) -> str:
    *cost, speed = (part for line in estimate_in_lines(one) for part in line if part)
    whole = " · ".join([*cost, speed])
    return whole if len(whole) <= width else " · ".join(cost)


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a histogram."""

    label: str
    count: int
    share: float
    """Length of the bar: 1 for the longest."""


def bars(lengths: Histogram) -> list[Bar]:
    """Turn a histogram of seconds into rows, without the empty ones at both ends."""
    edges, counts = list(lengths.edges), list(lengths.counts)
    while len(counts) > _MAX_BARS:
        counts = [sum(counts[i : i + 2]) for i in range(0, len(counts), 2)]
        edges = [*edges[:-1:2], edges[-1]]
    filled = [index for index, count in enumerate(counts) if count]
    if not filled:
        return []
    most = max(counts)
    return [
        Bar(f"{edges[i]:g}–{edges[i + 1]:g} s", counts[i], counts[i] / most)
        for i in range(filled[0], filled[-1] + 1)
    ]


@dataclass(frozen=True, slots=True)
class Group:
    """All findings of one kind."""

    severity: Severity
    kind: str
    findings: tuple[Finding, ...]

    @property
    def by_advice(self) -> list[tuple[Finding, ...]]:
        """The findings about which the same is to be done, in their order."""
        advised: dict[str, list[Finding]] = {}
        for finding in self.findings:
            advised.setdefault(finding.advice, []).append(finding)
        return [tuple(findings) for findings in advised.values()]


def grouped(findings: Sequence[Finding]) -> list[Group]:
    """Gather findings of one kind and severity, the gravest first, as they come within."""
    kinds: dict[tuple[Severity, str], list[Finding]] = {}
    for finding in findings:
        kinds.setdefault((finding.severity, finding.kind), []).append(finding)
    groups = [Group(severity, kind, tuple(found)) for (severity, kind), found in kinds.items()]
    return sorted(groups, key=lambda group: SEVERITIES.index(group.severity))


def kind(name: str) -> str:
    """Write a kind of finding as words: `missing recording`."""
    return printable(name).replace("-", " ")


def subject(finding: Finding) -> str:
    """Name what a finding is about: its file, or the clip where the file is the list."""
    name = finding.file
    if finding.clip_id and (not name or "/" not in name):
        name = finding.clip_id
    return printable(name)


def line_number(line: int | None) -> str:
    """Write a line of the list, or nothing."""
    return "" if line is None else f"{line:,}"


def sentence(advice: str) -> str:
    """Write an advice as a sentence: with a capital and a full stop."""
    said = printable(advice).strip()
    return said if not said else said[0].upper() + said[1:].rstrip(".") + "."


def unknown(character: UnknownCharacter) -> tuple[str, str, str]:
    """Write a character that the voice lacks: itself, how often it comes, what it becomes."""
    symbol = character.character
    shown = symbol if symbol.isprintable() and symbol.strip() else f"U+{ord(symbol[0]):04X}"
    return shown, f"{character.count:,}×", _reading(printable(character.becomes))


def _reading(becomes: str) -> str:
    if not becomes:
        return "left out"
    return f"read as {becomes}" if becomes.strip() else "read as a space"


def coverage(found: Coverage) -> list[tuple[str, str]]:
    """Return how much of English the corpus covers, as names and figures."""
    listed = []
    if found.pairs is not None:
        listed.append(("letter pairs", f"{100 * found.pairs:.0f} % of English"))
    if found.absent_pairs:
        missing = ", ".join(found.absent_pairs[:_MAX_PAIRS])
        left = len(found.absent_pairs) - _MAX_PAIRS
        listed.append(("missing pairs", missing + (f" and {left} more" if left > 0 else "")))
    return listed


def estimate(one: Estimate) -> tuple[str, str]:
    """Write what a network would take: its name, and steps, speed, time and money."""
    name = f"{_NETWORKS[one.network]} {one.preset}"
    words = f"{one.steps:,} steps at {formatting.speed(one.steps_per_second)}"
    words += f", batch {one.batch_size}: {duration(one.hours * 3600)}"
    if one.usd is not None and one.hours > 0:
        words += f", {formatting.dollars(one.usd)} at {formatting.price(one.usd / one.hours)}"
    return name, f"{words} on {printable(one.machine)}"


def short_estimate(one: Estimate) -> str:
    """Write only what it costs: `20,000 steps: 10h41m, $10.58`."""
    cost = "" if one.usd is None else f", {formatting.dollars(one.usd)}"
    return f"{counted(one.steps, 'step')}: {duration(one.hours * 3600)}{cost}"


def estimate_in_lines(one: Estimate) -> list[tuple[str, str]]:
    """Write the same for a narrow panel: what it costs, and below it how fast it is where."""
    speed = f"{formatting.speed(one.steps_per_second)}, {printable(one.machine)}"
    return [(f"{_NETWORKS[one.network]} {one.preset}", short_estimate(one)), ("", speed)]
