"""The measures of an evaluation: what each means, which way is better, how checkpoints did."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Literal

from engine.run.evaluation import CheckpointScores, Score


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure that is taken of a sentence, or of a whole checkpoint."""

    title: str
    better: Literal["higher", "lower"]
    means: str
    """What it says about the voice, in one sentence."""
    unit: str = ""
    """What its values are in; with `%` they run from 0 to 100."""
    judge: bool = False
    """Whether it needs a model of `voicecoach[judge]`."""
    sound: bool = False
    """Whether it is taken of the sound, to which the SSRN adds its share."""
    shown: bool = True
    """Whether screens show it: it orders checkpoints whose order is known (`assets/study`)."""
    ranked: bool = False
    """Whether it counts in the judge's rank: those together order every series of the study. Others
    take a clear voice for the better one even where it is another speaker's."""
    beside: str = ""
    """The measure in whose chart this one is drawn, too."""


MEASURES: dict[str, Measure] = {
    "held_out": Measure(
        "held-out loss",
        "lower",
        "Loss of the averaged weights on clips never trained on: a gap to the training loss is "
        "normal, a rise is overfitting.",
        ranked=True,
    ),
    "held_out_training": Measure(
        "held-out loss in training",
        "lower",
        "The same of the weights in training, which the EMA smooths.",
        beside="held_out",
    ),
    "finished": Measure(
        "finished",
        "higher",
        "Share of the sentences that were spoken to their end.",
        "%",
        ranked=True,
    ),
    "focus": Measure(
        "attention focus", "higher", "How sharply each frame attends to one character."
    ),
    "off_diagonal": Measure(
        "off the diagonal", "lower", "Attention away from a steady pace.", shown=False
    ),
    "coverage": Measure(
        "uneven attention",
        "lower",
        "How unevenly characters are attended to: too little or much.",
        shown=False,
    ),
    "forced": Measure(
        "attention put back",
        "lower",
        "Share of the frames in which attention left its place and was moved on by force.",
        "%",
    ),
    "skipped": Measure(
        "skipped", "lower", "Share of the text in words passed over.", "%", ranked=True
    ),
    "repeated": Measure(
        "repeated", "lower", "Share of the text in words read twice.", "%", ranked=True
    ),
    "stuck": Measure(
        "stuck", "lower", "Share of the time in which attention stood still.", "%", ranked=True
    ),
    "pace": Measure("pace", "lower", "How far the length is from what the text should take.", "%"),
    "silence": Measure(
        "longest silence",
        "lower",
        "The longest pause inside a sentence.",
        "s",
        sound=True,
        shown=False,
    ),
    "clipping": Measure(
        "clipping", "lower", "Share of the samples at full scale.", "%", sound=True, shown=False
    ),
    "looping": Measure(
        "looping", "lower", "Share of the sound that repeats itself.", "%", sound=True
    ),
    "mel_distortion": Measure(
        "mel distortion",
        "lower",
        "Distance to the recording (MCD with DTW).",
        "dB",
        sound=True,
        ranked=True,
    ),
    "error_rate": Measure(
        "recognition errors",
        "lower",
        "Letters that a speech recogniser gets wrong; the recordings' own show its part in it.",
        "%",
        judge=True,
        sound=True,
        ranked=True,
    ),
    "naturalness": Measure(
        "naturalness",
        "higher",
        "Predicted naturalness; the recordings' own is the ceiling.",
        judge=True,
        sound=True,
        shown=False,
    ),
    "similarity": Measure(
        "similarity to the speaker",
        "higher",
        "Likeness to the recordings' speaker.",
        sound=True,
    ),
}


@dataclass(frozen=True, slots=True)
class ScoreCurve:
    """A measure over the checkpoints of which it was taken."""

    measure: Measure
    scores: tuple[tuple[int, Score], ...]
    """By step, oldest first; at least one."""
    ceiling: float | None = None
    """What the recordings score themselves, where they can be measured so."""
    beside: "ScoreCurve | None" = None
    """The measure that is drawn in the same chart."""

    @property
    def is_steady(self) -> bool:
        """Whether it is the same at every checkpoint, of which there are several."""
        return len(self.scores) > 1 and len({score for _, score in self.scores}) == 1

    @property
    def best(self) -> tuple[int, Score]:
        """The best by this measure alone; of equal ones the earliest."""
        sign = -1 if self.measure.better == "higher" else 1
        return min(self.scores, key=lambda one: (sign * one[1].mean, one[0]))


def in_order(names: Iterable[str]) -> list[str]:
    """Put measures in the order in which they are shown: those of the judge's rank first."""
    wanted = set(names)
    ordered = sorted(MEASURES, key=lambda name: not MEASURES[name].ranked)
    return [name for name in ordered if name in wanted]


def score_curves(checkpoints: Sequence[CheckpointScores]) -> dict[str, ScoreCurve]:
    """What is shown of checkpoints, oldest first: a curve for each measure, by name and in order.

    Without what was not measured, is not to be shown, or is not finite.
    """
    curves: dict[str, ScoreCurve] = {}
    for name in in_order(MEASURES):
        measure = MEASURES[name]
        scores = tuple(
            (one.step, score)
            for one in checkpoints
            if (score := one.scores.get(name)) and isfinite(score.low + score.mean + score.high)
        )
        if scores and measure.shown:
            ceilings = [one.ceilings[name] for one in checkpoints if name in one.ceilings]
            curves[name] = ScoreCurve(measure, scores, ceilings[-1] if ceilings else None)
    for name, curve in list(curves.items()):
        if curve.measure.beside in curves:
            other = curves[curve.measure.beside]
            curves[curve.measure.beside] = replace(other, beside=curves.pop(name))
    return curves
