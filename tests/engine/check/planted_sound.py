"""Real speech, faults to plant in it, and recordings that need no sound."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from paths import SPEECH

from engine.check.recordings import Recording, examine
from engine.data.audio import AudioSpec
from engine.data.clips import Clip, Limits

RATE = 22_050
Samples = NDArray[np.float64]
# Characters and seconds of the first 32 clips of LJ Speech.
_READ_SPEECH = """
151/9.66  30/1.90  155/9.67  89/5.14  143/8.11  74/5.68  114/8.39  25/1.78  104/7.55  116/8.82
74/4.51  108/8.24  43/2.58  168/9.95  166/9.24  79/5.27  137/7.02  124/7.48  110/6.42  63/4.67
126/8.61  110/7.05  132/8.45  117/7.86  110/8.87  86/6.09  139/9.64  69/5.93  75/5.32  95/6.92
99/7.86  105/7.08
"""


def speech(name: str = "LJ001-0013") -> Samples:
    return soundfile.read(SPEECH / "wavs" / f"{name}.flac")[0]


def examined(path: Path) -> Recording:
    return examine(Clip(1, path.stem, path, "text"), AudioSpec(), Limits())


def noise(samples: Samples, below: float) -> Samples:
    """White noise so many dB below the mean power of samples."""
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-below / 20)
    return level * np.random.default_rng(3).standard_normal(len(samples))


def room(seconds: float, level: float = 0.0005) -> Samples:
    return level * np.random.default_rng(4).standard_normal(int(seconds * RATE))


def to_rate(rate: int) -> Callable[[Samples], Samples]:
    return lambda samples: soxr.resample(samples, RATE, rate)


def timed(line: int, text: str, seconds: float) -> Recording:
    """A recording of which only text and duration are known."""
    clip = Clip(line, f"clip-{line}", Path(f"wavs/clip-{line}.wav"), text)
    return Recording(clip, usable=True, rate=RATE, findings=(), seconds=seconds)


def read_speech() -> list[Recording]:
    """Texts and durations of real speech, in lines 1 to 32."""
    clips = [clip.split("/") for clip in _READ_SPEECH.split()]
    return [timed(n, "x" * int(text), float(long)) for n, (text, long) in enumerate(clips, 1)]
