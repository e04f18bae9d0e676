"""What was measured of a checkpoint, which one is best, and whether it pays to go on."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from engine.choices import NetworkName
from engine.formatting import printable
from engine.run.stop import Step

BestBy = Literal["held-out", "judge", "listening"]
"""What makes a checkpoint the best: its held-out loss, what `evaluate` measured, or what a person
answered in blind comparisons."""


_Figure = Annotated[float, Meta(ge=-1e9, le=1e9)]
"""No measure comes near the limits, and a curve of those that did could not be drawn."""


@dataclass(frozen=True, slots=True)
class Misreading:
    """A word that the attention of a sample passed over, went back to, or got stuck at."""

    kind: Literal["skipped", "repeated", "stuck"]
    word: str
    start: int
    """Its first symbol in the sentence as the voice read it."""
    end: int
    """The symbol after its last."""
    seconds: float
    """Where in the sample it happens; of a skipped word, where it should be heard."""
    until: float
    """Where it ends."""

    @property
    def words(self) -> str:
        """What happens, and when: `skips “birch” at 0.8 s`."""
        word = f"“{printable(self.word)}”"
        if self.kind == "stuck":
            return f"stuck on {word} from {self.seconds:.1f} to {self.until:.1f} s"
        return f"{'skips' if self.kind == 'skipped' else 'repeats'} {word} at {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class SentenceMeasures:
    """What was measured of one sentence that a checkpoint spoke."""

    sentence: str
    clip_id: str = ""
    """The held-out clip whose text it is; empty where there is no recording of it."""
    measures: dict[str, _Figure] = field(default_factory=dict)
    """By their names in `engine.advice.measures`; without those that could not be taken."""
    misreadings: tuple[Misreading, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured of a checkpoint: a line of `evaluation.jsonl`."""

    network: NetworkName
    """The network that is evaluated. Text2Mel speaks sentences through `ssrn_step`; SSRN
    resynthesises held-out recordings."""
    step: Step
    time: Annotated[float, Meta(ge=0, le=1e11)]
    """Seconds since the epoch."""
    sentences: tuple[SentenceMeasures, ...]
    ssrn_step: Step | None = None
    """Of the SSRN that made the sound; None without one."""
    weights: str = ""
    """SHA-256 of the file of the weights that spoke: a step may be made again with others."""
    held_out: _Figure | None = None
    """Held-out loss of the EMA weights, those that speak."""
    held_out_training: _Figure | None = None
    """The same of the weights in training."""
    ceilings: dict[str, _Figure] = field(default_factory=dict)
    """What the recordings score themselves, as far as that was measured."""
    judges: tuple[str, ...] = ()
    """The models that took part, with their versions."""
    seconds: float = 0.0
    """Processor time that it took."""


class Score(Struct, frozen=True):
    """A measure of a checkpoint: the mean over sentences, and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CheckpointScores:
    """An evaluation in figures, as screens show it."""

    network: NetworkName
    step: int
    scores: dict[str, Score]
    """By their names in `engine.advice.measures`."""
    sentences: int
    """How many were measured."""
    misread: int = 0
    """In how many of them a word was skipped, repeated or stuck."""
    ceilings: dict[str, float] = field(default_factory=dict)
    """What the recordings of these sentences score themselves, where a measure can say so."""


class Recommendation(Struct, frozen=True):
    """The checkpoint to export."""

    network: NetworkName
    step: int
    reasons: tuple[str, ...]
    """Why, each a clause: `lowest held-out loss (0.577)`."""
    certainty: str
    """How sure that is, in a clause: `clearly better than 17,855 in 3 of 4 measures`."""

    @property
    def words(self) -> str:
        """The step, why it and how sure, in a sentence without its full stop."""
        return f"{self.step:,}: {'; '.join((*self.reasons, self.certainty))}"

    def export_command(self, folder: Path, voice: str) -> str:
        """The shell command that exports it from the folder of a voice of this name."""
        option = "--ssrn-step" if self.network == "ssrn" else "--step"
        out = shlex.quote(f"{voice}-{self.step}")
        return f"voicecoach export {shlex.quote(str(folder))} {option} {self.step} --out {out}"


AdviceKind = Literal["improving", "flat", "worse", "misread", "unknown"]


class Advice(Struct, frozen=True):
    """Whether it pays to go on, with the price of it."""

    kind: AdviceKind
    text: str
    """One line for the screen, without its full stop."""
    reasons: tuple[str, ...] = ()
    """What it rests on, a sentence each, the strongest first."""
    step: int = 0
    """The step at which it was given."""
    flat_since: int | None = None
    """The step since which nothing has improved; `--stop-when flat` goes by it."""


NoticeKind = Literal["stop", "budget", "diverged", "hangs", "spot", "disk", "verdict", "failed"]


class Notice(Struct, frozen=True):
    """What a person away from the screen wants to know: the terminal rings, `--notify` sends it."""

    time: float
    """Seconds since the epoch."""
    kind: NoticeKind
    text: str
    """A sentence without its full stop."""
