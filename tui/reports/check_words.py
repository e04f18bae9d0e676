"""A check's report in words, for the terminal and for the screen alike."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.check.kinds import title
from engine.check.report import (
    SEVERITIES,
    CheckReport,
    Coverage,
    Estimate,
    Finding,
    Histogram,
    Spread,
    UnknownCharacter,
)
from engine.choices import NETWORK_TITLES, NETWORKS
from engine.formatting import duration, plural, printable, shell_command
from engine.formatting import sentence as sentence
from engine.voice.folder import Voice
from tui import formatting

UNKNOWN = "unknown-character"
"""The kind of findings of which the report has a table, too."""

_MAX_BARS = 16
_MAX_PAIRS = 12


def tally(report: CheckReport) -> str:
    """Write how many clips have what: `errors in 3 clips, warnings in 12, 1 note`.

    A number without clips is that of findings about the whole corpus.
    """
    parts: list[str] = []
    for severity in SEVERITIES:
        found = [one for one in report.findings if one.severity == severity]
        clips = len({one.line for one in found if one.line is not None})
        if severity == "error":
            clips = max(clips, report.with_errors)
        if found:
            in_clips = any("clip" in part for part in parts)
            many = f"{severity}s in {f'{clips:,}' if in_clips else plural(clips, 'clip')}"
            parts.append(many if clips else plural(len(found), severity))
    return ", ".join(parts if report.harmful else ["no errors", *parts])


def errors_words(report: CheckReport) -> str:
    """Write how many clips have errors: `31 of 449 clips have errors.`"""
    if report.with_errors:
        return f"{report.errors_sentence()}."
    if not report.harmful:
        return "No errors are left."
    return f"{plural(report.counts()['error'], 'error')} in {printable(report.dataset)}."


def verdict(report: CheckReport) -> str:
    """Answer in one sentence whether a voice can be trained on this."""
    if not report.usable:
        return f"No clip can be used: {tally(report)}. Fix the errors first."
    clips = plural(report.usable, "clip")
    by_hand = report.by_hand
    yours = f" You left out {plural(by_hand, 'clip')}." if by_hand else ""
    if len(report.left_out) > by_hand:
        them = "it" if report.with_errors == 1 else "them"
        return f"{errors_words(report)} Training leaves {them} out and uses {clips}.{yours}"
    if report.harmful:
        return f"Not ready: {errors_words(report)} Fix that first."
    return f"Ready to train: {clips}, {tally(report)}.{yours}"


def train_command(
    dataset: Path, against: Path | None, source: Path | None = None, **options: object
) -> str:
    """The shell command that trains on a corpus, with other options.

    The voice that it was checked against goes on if the corpus, or the `source` that it is a copy
    of, is its own, or if it has no weights yet; else a new voice starts from its weights.
    """
    if against is not None:
        voice = Voice.open(against)
        own = voice.settings.dataset and voice.dataset
        corpora = [path.resolve() for path in (dataset, source) if path is not None]
        goes_on = own in corpora or not any(map(voice.newest, NETWORKS))
        options = {"voice" if goes_on else "from": against, **options}
    return shell_command("voicecoach", "train", dataset, **options)


def facts(report: CheckReport) -> list[tuple[str, str]]:
    """Return the figures of the corpus: name and value with its unit."""
    speech = "none"
    if report.usable:
        mean = report.hours * 3600 / report.usable
        speech = f"{duration(report.hours * 3600)}, {mean:.1f} s a clip on average"
    listed = [("clips", f"{report.usable:,} of {report.clips:,} usable"), ("speech", speech)]
    for name, spread, unit, places in (
        ("speaking rate", report.speaking_rate, "characters/s", 1),
        ("loudness", report.loudness, "dBFS", 1),
        ("signal to noise", report.noise, "dB", 0),
    ):
        if spread is not None:
            listed.append((name, _spread(spread, unit, places)))
    return listed


def _spread(spread: Spread, unit: str, places: int) -> str:
    low, median, high = (
        # The screen's minus sign is as wide as a digit; a hyphen would read as a dash.
        f"{value:.{places}f}".replace("-", "−")
        for value in (spread.low, spread.median, spread.high)
    )
    return f"{median} {unit} ({low} to {high})"


@dataclass(frozen=True)
class Bar:
    """A row of a histogram; its length is a share of the longest bar's."""

    label: str
    count: int
    share: float

    def cells(self, room: int) -> int:
        """Return the length of the bar where the longest has `room` cells."""
        return max(1, round(self.share * room)) if self.count else 0


def bars(lengths: Histogram) -> list[Bar]:
    """Turn a histogram of seconds into rows, without the empty ones at both ends."""
    edges, counts = list(lengths.edges), list(lengths.counts)
    while len(counts) > _MAX_BARS:
        counts = [sum(counts[i : i + 2]) for i in range(0, len(counts), 2)]
        edges = [*edges[:-1:2], edges[-1]]
    filled = [index for index, count in enumerate(counts) if count]
    if not filled:
        return []
    highest = max(counts)
    return [
        Bar(f"{edges[i]:g}–{edges[i + 1]:g} s", counts[i], counts[i] / highest)
        for i in range(filled[0], filled[-1] + 1)
    ]


def by_kind(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Group findings by severity and kind, the most severe first."""
    ordered = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
    return grouped(ordered, lambda finding: (finding.severity, finding.kind))


def grouped(findings: Iterable[Finding], key: Callable[[Finding], Hashable]) -> list[list[Finding]]:
    """Group findings by a key, in the order of the first of each."""
    groups: dict[Hashable, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(key(finding), []).append(finding)
    return list(groups.values())


def kind(name: str) -> str:
    """Write a kind of finding as words: `missing recording`, `DC offset`."""
    return title(printable(name))


def subject(finding: Finding) -> str:
    """Name what a finding is about: its file, or the clip where the file is the list."""
    name = finding.file
    if finding.clip_id and (not name or "/" not in name):
        name = finding.clip_id
    return printable(name)


def unknown(character: UnknownCharacter) -> tuple[str, str, str]:
    """Write a character that the voice lacks: itself, how often it comes, what it becomes."""
    symbol = character.character
    shown = symbol if symbol.isprintable() and symbol.strip() else f"U+{ord(symbol[0]):04X}"
    becomes = printable(character.becomes)
    reading = f"read as {becomes if becomes.strip() else 'a space'}" if becomes else "left out"
    return shown, f"{character.count:,}×", reading


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
    words = f"{one.steps:,} steps at {formatting.speed(one.steps_per_second)}"
    words += f", batch {one.batch_size}: {duration(one.hours * 3600)}"
    if one.usd is not None and one.hours > 0:
        words += f", {formatting.dollars(one.usd)} at {formatting.price(one.usd / one.hours)}"
    return _network(one), f"{words} on {printable(one.machine)}"


def short_estimate(one: Estimate) -> list[tuple[str, str]]:
    """Write the same in two lines: time and money, and below them the speed and the machine."""
    cost = "" if one.usd is None else f", {formatting.dollars(one.usd)}"
    speed = f"{formatting.speed(one.steps_per_second)}, {printable(one.machine)}"
    total = f"{plural(one.steps, 'step')}: {duration(one.hours * 3600)}{cost}"
    return [(_network(one), total), ("", speed)]


def _network(one: Estimate) -> str:
    return f"{NETWORK_TITLES[one.network]} {one.preset}"
