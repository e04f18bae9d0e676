"""What a check of a corpus found: figures about the whole, and findings clip by clip.

Plain values without torch or numpy, so that the screen, the command line and JSON show the same.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from engine.choices import NetworkName
from engine.text.unknown import UnknownCharacter as UnknownCharacter  # a part of the report

Severity = Literal["error", "warning", "note"]
"""`error` would harm training or leaves a clip out, `warning` may cost quality, `note` is for
information alone."""

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""The severities, gravest first."""


USUAL_STEPS: dict[NetworkName, int] = {"text2mel": 20_000, "ssrn": 10_000}
"""Steps that an estimate is of where nobody says how many: fine-tuning from a model of another
speaker. SSRN learns from all speakers alike and takes half as many."""

_HERE = "this machine"


def this_machine(device: str) -> str:
    """Name the machine that an estimate was measured on: `this machine (cpu)`."""
    return f"{_HERE} ({device})"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a person should know before paying for training."""

    kind: str
    """What it is, in a word or two with hyphens: `missing-recording`, `clipped`."""
    severity: Severity
    line: int | None
    """Line in `metadata.csv`, from 1; None where it is about no line."""
    clip_id: str
    """The clip, fit to be shown; empty where it is about none."""
    file: str
    """File below the dataset that it is about: `wavs/alice-0003.wav`, `metadata.csv`."""
    figure: str
    """What was measured or found, with its unit: `3.1 % of the samples at full scale`."""
    advice: str
    """What to do about it, as a sentence without its full stop."""
    value: float | None = None
    """The figure as a number in the unit that `figure` names, where there is one."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often values fall between edges."""

    edges: tuple[float, ...]
    """Ascending; one more than counts."""
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of a measure and how far it reaches."""

    low: float
    """5th percentile."""
    median: float
    high: float
    """95th percentile."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of English a corpus lets a voice hear."""

    characters: dict[str, int]
    """Times that the cleaned transcripts have each symbol of the voice, spaces left out."""
    absent_characters: tuple[str, ...]
    """Symbols of the voice that no transcript has."""
    phonemes: dict[str, float]
    """Share of each phoneme (ARPAbet without stress) in percent, by letter-to-sound rules; empty
    where the voice is not English."""
    rare_phonemes: tuple[str, ...]
    """Phonemes far rarer than in English at large, rarest first."""
    pairs: float | None
    """Share of English's pairs of phonemes, weighed by how common they are, that the corpus has
    at least once, from 0 to 1; None where the voice is not English."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What training one network would take on one machine."""

    network: NetworkName
    preset: str
    """The network's size: a preset's name, or widths of its own in words."""
    machine: str
    """What the speed is of: `this machine (cpu)`, `a V100, as the BBC measured it`."""
    batch_size: int
    steps: int
    steps_per_second: float
    hours: float
    usd: float | None
    """US dollars; None without a price."""

    @property
    def measured(self) -> bool:
        """Whether the speed was measured on the machine that is asked about."""
        return self.machine.startswith(_HERE)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A clip whose transcript a trained voice does or does not believe."""

    line: int
    clip_id: str
    text: str
    """The transcript, cleaned."""
    score: float
    """How much the voice disbelieves it; higher is worse, and 1 the limit of suspicion."""
    loss: float
    """Teacher-forced L1 loss with the transcript."""
    other_loss: float
    """The same with transcripts of other clips: no better than the clip's own where that is
    wrong."""
    focus: float
    """Mean over frames of the largest attention weight; 1 is best."""
    off_diagonal: float
    """Attention away from a steady pace; 0 is best."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All that is known about a corpus before training."""

    dataset: str
    rows: int
    """Rows of `metadata.csv` that are not blank."""
    usable: int
    """Clips that training would learn from."""
    hours: float
    """Duration of the usable clips, trimmed."""
    findings: tuple[Finding, ...]
    """Gravest first, then by line."""
    lengths: Histogram
    """Durations of the usable clips in seconds, trimmed."""
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
    doubts: tuple[Doubt, ...] = ()
    """The least believed first; empty without `--deep`."""

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
        return {**asdict(self), "harmful": self.harmful, "counts": self.counts()}
