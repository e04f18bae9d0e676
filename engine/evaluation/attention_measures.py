"""How a sentence was read, measured from the attention of Text2Mel alone."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.teacher_forcing import measure_attention
from engine.run.evaluation import Misreading
from engine.speech.misreadings import Reading, misreadings
from engine.speech.synthesizer import Spoken


def measure_reading(parts: Sequence[Spoken], seconds_per_frame: float) -> dict[str, float]:
    """Measure how a text was read, from the attention of its sentences.

    Returns:
        By their names in `engine.advice.measures`; longer sentences count more.
    """
    found = {"finished": 100.0 * all(part.finished for part in parts)}
    measured = [
        measure_attention_of(part.text + "E", part.attention, seconds_per_frame)
        for part in parts
        if part.attention.size
    ]
    frames = [part.attention.shape[1] for part in parts if part.attention.size]
    for name in measured[0] if measured else ():
        found[name] = float(np.average([one[name] for one in measured], weights=frames))
    return found


def measure_attention_of(
    text: str, attention: NDArray[np.float32], seconds_per_frame: float
) -> dict[str, float]:
    """Measure the attention `(N, T)` of one sentence to the N symbols of its text.

    Raises:
        ValueError: the matrix is empty.
    """
    focus, stray = measure_attention(attention)
    n, frames = attention.shape
    shares = attention.sum(axis=1, dtype=np.float64) * n / frames
    words = Reading(text, attention, seconds_per_frame).words
    letters = sum(end - start for start, end in words)
    found = misreadings(text, attention, seconds_per_frame)
    return {
        "focus": focus,
        # Summed over the text, so that its length does not count.
        "off_diagonal": stray * n,
        "coverage": float(np.log1p((1 - shares) ** 2).mean()),
        "forced": 100 * float((np.count_nonzero(attention, axis=0) == 1).mean()),
        "skipped": 100 * _letters(found, "skipped") / max(1, letters),
        "repeated": 100 * _letters(found, "repeated") / max(1, letters),
        "stuck": 100 * _seconds(found, "stuck") / (frames * seconds_per_frame),
    }


def _letters(found: Iterable[Misreading], kind: str) -> int:
    return sum(one.end - one.start for one in found if one.kind == kind)


def _seconds(found: Iterable[Misreading], kind: str) -> float:
    return sum(one.until - one.seconds for one in found if one.kind == kind)
