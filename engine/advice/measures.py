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
    judge: bool = False
    """Whether it needs a model of `voicecoach[judge]`."""


MEASURES: dict[str, Measure] = {
    "held_out": Measure(
        "held-out loss", "lower", "How well the weights that speak predict unheard clips."
    ),
    "held_out_training": Measure(
        "held-out loss in training",
        "lower",
        "The same of the weights in training, which the EMA smooths.",
    ),
    "finished": Measure(
        "finished", "higher", "Share of the sentences that were spoken to their end.", "%"
    ),
    "focus": Measure(
        "attention focus", "higher", "How sharply each frame attends to one character."
    ),
    "off_diagonal": Measure("off the diagonal", "lower", "Attention away from a steady pace."),
    "skipped": Measure("skipped", "lower", "Share of the characters passed over.", "%"),
    "repeated": Measure("repeated", "lower", "Share of the characters read twice.", "%"),
    "stuck": Measure("stuck", "lower", "Share of the time spent on one character too long.", "%"),
    "pace": Measure("pace", "lower", "How far the length is from what the text should take.", "%"),
    "silence": Measure("longest silence", "lower", "The longest pause inside a sentence.", "s"),
    "clipping": Measure("clipping", "lower", "Share of the samples at full scale.", "%"),
    "looping": Measure("looping", "lower", "Share of the sound that repeats itself.", "%"),
    "mel_distortion": Measure(
        "mel distortion", "lower", "Distance to the recording (MCD with DTW).", "dB"
    ),
    "error_rate": Measure(
        "recognition errors",
        "lower",
        "Errors of a speech recogniser beyond those on the recordings.",
        "%",
        judge=True,
    ),
    "naturalness": Measure(
        "naturalness", "higher", "Predicted naturalness; the recordings' own is the ceiling.",
        judge=True,
    ),
    "similarity": Measure(
        "similarity to the speaker", "higher", "Likeness to the recordings' speaker.", judge=True
    ),
}  # fmt: skip
