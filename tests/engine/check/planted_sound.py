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


def inserted(samples: Samples, pause: Samples) -> Samples:
    """A pause at the quietest tenth of a second that is not near an end."""
    tenth = RATE // 10
    power = np.convolve(samples**2, np.ones(tenth), "same")[4 * tenth : -4 * tenth]
    place = 4 * tenth + int(power.argmin())
    return np.concatenate([samples[:place], pause, samples[place:]])


def squeezed(samples: Samples, share: float) -> Samples:
    peak = share * np.abs(samples).max()
    return np.clip(samples, -peak, peak)


def through(rate: int) -> Callable[[Samples], Samples]:
    return lambda x: soxr.resample(to_rate(rate)(x), rate, RATE)


def with_clicks(samples: Samples, *places: float) -> Samples:
    """Single samples at full scale, so many seconds from the start."""
    clicked = samples.copy()
    for place in (int(second * RATE) for second in places):
        clicked[place] = -0.99 if clicked[place] > 0 else 0.99
    return clicked


def with_gap(samples: Samples, seconds: float) -> Samples:
    """Zeros over the loudest part."""
    count = int(seconds * RATE)
    place = int(np.convolve(samples**2, np.ones(count), "valid").argmax())
    return np.concatenate([samples[:place], np.zeros(count), samples[place + count :]])


def cut_in_a_word(samples: Samples) -> Samples:
    power = np.convolve(samples**2, np.ones(400), "same")
    return samples[: RATE + int(power[RATE : -RATE // 4].argmax())]


def two(left: Samples, right: Samples) -> Samples:
    count = min(len(left), len(right))
    return np.stack([left[:count], right[:count]], axis=1)


def after(pause: Samples) -> Callable[[Samples], Samples]:
    return lambda x: np.concatenate([pause, x])


def before(pause: Samples) -> Callable[[Samples], Samples]:
    return lambda x: np.concatenate([x, pause])


def seconds_of(x: Samples) -> Samples:
    return np.arange(len(x)) / RATE


CHANGES: dict[str, tuple[Callable[[Samples], Samples], str, str]] = {
    "zeros": (np.zeros_like, "silent", "error"),
    "one value": (lambda x: np.full_like(x, 0.25), "silent", "error"),
    "far too quiet": (lambda x: 0.01 * x, "nearly-silent", "error"),
    "too quiet": (lambda x: 0.08 * x, "quiet", "warning"),
    "a beep": (lambda x: 0.2 * np.sin(2e3 * np.pi * seconds_of(x)), "tone", "error"),
    "two tones": (
        lambda x: 0.2 * np.sin(1394 * np.pi * seconds_of(x)) * (1 - 2 * (seconds_of(x) % 1 > 0.5)),
        "tone",
        "error",
    ),
    "clipped": (lambda x: np.clip(4 * x, -1, 1), "clipped", "error"),
    "clipped a little": (lambda x: np.clip(2 * x, -1, 1), "clipped", "warning"),
    "clipped, then lowered": (lambda x: squeezed(x, 0.3), "clipped", "error"),
    "clipped, then converted": (lambda x: through(44_100)(squeezed(x, 0.2)), "clipped", "warning"),
    "driven, then converted": (lambda x: through(48_000)(squeezed(x, 0.1)), "clipped", "warning"),
    "limited softly": (lambda x: 0.5 * np.tanh(12 * x), "clipped", "error"),
    "full-scale noise": (lambda x: noise(x, -14), "too-loud", "error"),
    "by telephone": (through(8_000), "upsampled", "warning"),
    "from 16 kHz": (through(16_000), "upsampled", "warning"),
    "offset": (lambda x: x + 0.05, "dc-offset", "warning"),
    "far offset": (lambda x: 0.5 * x - 0.3, "dc-offset", "error"),
    "in noise": (lambda x: x + noise(x, 8), "noisy", "error"),
    "with noise": (lambda x: x + noise(x, 18), "noisy", "warning"),
    "noise alone": (lambda x: noise(x, 0), "noisy", "error"),
    "hum of 50 Hz": (lambda x: x + 0.01 * np.sin(100 * np.pi * seconds_of(x)), "hum", "warning"),
    "hum of 60 Hz": (lambda x: x + 0.01 * np.sin(120 * np.pi * seconds_of(x)), "hum", "warning"),
    "late": (after(room(0.8)), "leading-pause", "warning"),
    "late, in silence": (after(0 * room(0.8)), "leading-pause", "note"),
    "late, in another room": (after(6 * room(1.5)), "leading-pause", "warning"),
    "very late": (after(room(2.5)), "leading-pause", "error"),
    "long after": (before(room(0.8)), "trailing-pause", "warning"),
    "after, in silence": (before(0 * room(0.8)), "trailing-pause", "note"),
    "pause": (lambda x: inserted(x, room(0.7)), "inner-pause", "warning"),
    "silent pause": (lambda x: inserted(x, 0 * room(0.7)), "inner-pause", "warning"),
    "long pause": (lambda x: inserted(x, room(2.5)), "inner-pause", "error"),
    "too long": (lambda x: np.tile(x, 5), "too-long", "error"),
    "far too long": (lambda x: np.tile(x, 30), "too-long", "error"),
    "a blink": (lambda x: x[RATE : RATE + 4_000], "too-short", "error"),
    "a word": (lambda x: x[RATE : RATE + 9_000], "too-short", "warning"),
    "a gap": (lambda x: with_gap(x, 0.01), "dropout", "warning"),
    "a long gap": (lambda x: with_gap(x, 0.08), "dropout", "error"),
    "a click": (lambda x: with_clicks(x, 1.0), "click", "warning"),
    "clicks": (lambda x: with_clicks(x, 0.7, 1.3, 2.0), "click", "warning"),
    "cut in a word": (cut_in_a_word, "cut-off", "warning"),
    "cut, then silence": (lambda x: before(0 * room(0.4))(cut_in_a_word(x)), "cut-off", "warning"),
    "few bits": (lambda x: np.round(x * 128) / 128, "8-bit", "warning"),
    "stereo": (lambda x: two(x, x), "stereo", "note"),
    "turned": (lambda x: two(x, -x), "opposed-channels", "error"),
    "turned in part": (lambda x: two(x, -0.6 * x), "opposed-channels", "error"),
    "one dead": (lambda x: two(x, 0 * x), "dead-channel", "warning"),
    "two sounds": (lambda x: two(x, speech("LJ001-0002")), "different-channels", "error"),
    "two rooms": (lambda x: two(x, x + noise(x, 4)), "different-channels", "warning"),
}


def timed(line: int, text: str, seconds: float) -> Recording:
    """A recording of which only text and duration are known."""
    clip = Clip(line, f"clip-{line}", Path(f"wavs/clip-{line}.wav"), text)
    return Recording(clip, usable=True, rate=RATE, findings=(), seconds=seconds)


def read_speech() -> list[Recording]:
    """Texts and durations of real speech, in lines 1 to 32."""
    clips = [clip.split("/") for clip in _READ_SPEECH.split()]
    return [timed(n, "x" * int(text), float(long)) for n, (text, long) in enumerate(clips, 1)]
