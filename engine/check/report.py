"""What a check of a corpus found: figures about the whole, and findings clip by clip.

Plain values without torch or numpy, so that the screen, the command line and JSON show the same.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from msgspec import Struct

from engine.choices import NetworkName
from engine.data.metadata import LEFT_OUT, Rejected
from engine.formatting import plural
from engine.serialization import to_plain
from engine.text.unknown import UnknownCharacter as UnknownCharacter  # a part of the report

Severity = Literal["error", "warning", "note"]
"""`error` leaves a clip out, because its text is not what is heard or it cannot be read; `warning`
may cost quality, `note` is for information only."""

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""The severities, most severe first."""

USUAL_STEPS: dict[NetworkName, int] = {"text2mel": 20_000, "ssrn": 10_000}
"""Default steps of an estimate: fine-tuning from a model of another speaker. SSRN is less
speaker-dependent and takes half as many."""

_HERE = "this machine"


def this_machine(device: str) -> str:
    """Name the machine that an estimate was measured on: `this machine (cpu)`."""
    return f"{_HERE} ({device})"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know before paying for training."""

    kind: str
    """With hyphens: `missing-recording`, `clipped`."""
    severity: Severity
    line: int | None
    """Line in `metadata.csv`, from 1; None where it is about no line."""
    clip_id: str
    """Fit to be shown; empty where it is about none."""
    file: str
    """Below the dataset: `wavs/alice-0003.wav`, `metadata.csv`."""
    figure: str
    """What was measured or found, with its unit: `3.1 % of samples at full scale`."""
    advice: str
    """What to do about it, as a sentence without its full stop."""
    value: float | None = None
    """The figure as a number in the unit that `figure` names, where there is one."""

    def at(self, file: str, line: int | None = None, clip_id: str = "") -> "Finding":
        """The same about a file, a line and a clip."""
        return replace(self, file=file, line=line, clip_id=clip_id)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings most severe first, then by line; those about no line come before the others."""
    ranks = {severity: rank for rank, severity in enumerate(SEVERITIES)}
    return tuple(sorted(findings, key=lambda each: (ranks[each.severity], each.line or 0)))


class Histogram(Struct, frozen=True):
    """How often values fall between edges, which are one more than the counts."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Spread(Struct, frozen=True):
    """The middle of a measure, and its 5th and 95th percentile."""

    low: float
    median: float
    high: float


class Coverage(Struct, frozen=True):
    """How much of English a corpus covers."""

    characters: dict[str, int]
    """Times that the cleaned transcripts have each symbol of the voice, spaces left out."""
    absent_characters: tuple[str, ...]
    """Symbols of the voice that no transcript has."""
    absent_pairs: tuple[str, ...]
    """Letter pairs of English that a corpus of this size should have, commonest first."""
    pairs: float | None
    """Share of English's letter pairs, weighted by how common they are, that the corpus has at
    least once, from 0 to 1; None where the voice is not English."""


class Estimate(Struct, frozen=True):
    """What training one network would take on one machine."""

    network: NetworkName
    preset: str
    """The network's size: a preset's name, or widths of its own in words."""
    machine: str
    """`this machine (cpu)`, `a V100, as the BBC measured it`."""
    batch_size: int
    steps: int
    steps_per_second: float
    hours: float
    usd: float | None
    """US dollars; None without a price."""
    precision: str = ""
    """In which the steps were made; empty where that is not known."""

    @property
    def measured(self) -> bool:
        """Whether the speed was measured on the machine that is asked about."""
        return self.machine.startswith(_HERE)


class TranscriptScore(Struct, frozen=True):
    """How well a clip's transcript fits its recording, as a trained voice hears it."""

    line: int
    clip_id: str
    text: str
    """The transcript, cleaned."""
    score: float
    """How badly the transcript fits; higher is worse, from 1 on it is suspicious."""
    loss: float
    """Teacher-forced L1 loss with the transcript."""
    other_loss: float
    """The same with transcripts of other clips."""
    focus: float
    """Mean over frames of the largest attention weight; 1 is best."""
    off_diagonal: float
    """Attention away from a steady pace; 0 is best."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Everything known about a corpus before training."""

    dataset: str
    rows: int
    usable: int
    """Clips that training uses, the held-out ones included."""
    hours: float
    """Of the usable clips, trimmed."""
    findings: tuple[Finding, ...]
    """Most severe first, then by line."""
    lengths: Histogram
    """In seconds."""
    speaking_rate: Spread | None
    """Characters a second; None without a usable clip, as below."""
    loudness: Spread | None
    """Level of the voiced parts in dB of full scale."""
    noise: Spread | None
    """Estimated signal-to-noise ratio in dB."""
    unknown: tuple[UnknownCharacter, ...]
    """Most frequent first."""
    coverage: Coverage
    estimates: tuple[Estimate, ...] = ()
    doubts: tuple[TranscriptScore, ...] = ()
    """The worst fitting transcripts first; empty without `--deep`."""
    left_out: tuple[Rejected, ...] = ()
    """The clips that training does not use, in the order of their lines."""
    with_errors: int = 0
    """Clips with an error of their own; `--keep-errors` uses those of them that it can."""

    @property
    def by_hand(self) -> int:
        """Clips that the person left out."""
        return sum(row.kind == LEFT_OUT for row in self.left_out)

    @property
    def clips(self) -> int:
        """Clips of the list, used or not."""
        return self.usable + len(self.left_out)

    def errors_sentence(self) -> str:
        """Say how many clips have errors: `31 of 449 clips have errors`."""
        if not self.with_errors:
            return f"none of {plural(self.clips, 'clip')} has an error"
        have = "has an error" if self.with_errors == 1 else "have errors"
        return f"{self.with_errors:,} of {plural(self.clips, 'clip')} {have}"

    @property
    def harmful(self) -> bool:
        """Whether anything would harm training."""
        return any(finding.severity == "error" for finding in self.findings)

    def counts(self) -> dict[Severity, int]:
        """How many findings there are of each severity."""
        found = Counter(finding.severity for finding in self.findings)
        return {severity: found[severity] for severity in SEVERITIES}

    def as_json(self) -> dict[str, Any]:
        """The report as plain values for JSON."""
        return {**to_plain(self), "harmful": self.harmful, "counts": self.counts()}
