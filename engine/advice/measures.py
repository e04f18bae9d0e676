"""The measures of an evaluation: what each means, and which way is better. Needs no torch."""

from dataclasses import dataclass
from typing import Literal


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
