"""Two sounds made alike in all that is no matter of quality: loudness, silence around, length."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.audio import RecordingFile, wav_bytes

Sound = NDArray[np.float32]

# Of both sounds, in LUFS, unless a peak would pass the limit: then both are as much quieter.
_LOUDNESS = -20.0
_MAX_PEAK = 0.95
# ITU-R BS.1770: blocks of 400 ms, a new one every 100 ms; those below the gates do not count.
_BLOCK_SECONDS, _HOP_SECONDS = 0.4, 0.1
_GATE_POWER, _RELATIVE_GATE = 10 ** ((-70 + 0.691) / 10), 0.1
# Before the first and after the last that is within so many dB of the loudest stays a bit more.
_SILENCE_DB, _SILENCE_BLOCK_SECONDS = 45.0, 0.01
_LEAD_SECONDS, _TAIL_SECONDS, _FADE_SECONDS = 0.05, 0.15, 0.01


def equally_loud(first: Path, second: Path) -> tuple[bytes, bytes]:
    """Read two recordings, and return them as mono WAV files of 16 bits that differ in nothing but
    what is heard: equally loud, equally long, and without a name.

    Raises:
        InputError: one of them cannot be read.
    """
    with RecordingFile(first) as recording:
        _, rate = recording.length()
        sounds = [recording.mono(rate)]
    with RecordingFile(second) as recording:
        sounds.append(recording.mono(rate))
    levelled = level_together([_without_silence(sound, rate) for sound in sounds], rate)
    length = max(map(len, levelled))
    one, other = (wav_bytes(np.pad(sound, (0, length - len(sound))), rate) for sound in levelled)
    return one, other


def level_together(sounds: list[Sound], rate: int) -> list[Sound]:
    """Bring sounds `(n,)` of a sample rate in Hz to one loudness, and no peak above 0.95."""
    powers = [loudness_power(sound, rate) for sound in sounds]
    target = 10 ** ((_LOUDNESS + 0.691) / 10)
    gains = [np.sqrt(target / power) if power else 1.0 for power in powers]
    peaks = [gain * np.abs(sound).max(initial=0) for gain, sound in zip(gains, sounds, strict=True)]
    turned_down = min(1.0, _MAX_PEAK / max(*peaks, 1e-9))
    return [
        (sound * (gain * turned_down)).astype(np.float32)
        for gain, sound in zip(gains, sounds, strict=True)
    ]


def loudness_power(sound: Sound, rate: int) -> float:
    """The gated mean square of a sound `(n,)` as the ear weighs it (ITU-R BS.1770).

    Loudness in LUFS is 10 log10 of it, less 0.691; 0 for silence.
    """
    squares = np.square(_as_heard(sound, rate))
    block, hop = round(_BLOCK_SECONDS * rate), round(_HOP_SECONDS * rate)
    sums = np.concatenate([[0.0], np.cumsum(squares)])
    starts = np.arange(0, max(1, len(squares) - block + 1), max(1, hop))
    ends = np.minimum(starts + block, len(squares))
    powers = (sums[ends] - sums[starts]) / np.maximum(1, ends - starts)
    powers = powers[powers > _GATE_POWER]
    if not len(powers):
        return 0.0
    return float(powers[powers > _RELATIVE_GATE * powers.mean()].mean())


def _as_heard(sound: Sound, rate: int) -> NDArray[np.float64]:
    """A sound through the weighting filters of BS.1770: a raised treble, and no rumble."""
    from scipy.signal import lfilter  # it takes a while

    shelf = _shelf(_warped(1681.974450955533, rate), 0.7071752369554196)
    high_pass = _high_pass(_warped(38.13547087602444, rate), 0.5003270373238773)
    heard: NDArray[np.float64] = sound.astype(np.float64)
    for numerator, denominator in (shelf, high_pass):
        heard = lfilter(numerator, denominator, heard)
    return heard


def _warped(frequency: float, rate: int) -> float:
    """A corner frequency in Hz as the bilinear transform needs it, below the highest there is."""
    return float(np.tan(np.pi * min(0.45, frequency / rate)))


_Filter = tuple[list[float], list[float]]


def _shelf(k: float, q: float) -> _Filter:
    """Four decibels more above 1.7 kHz."""
    high = 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    scale = 1 + k / q + k * k
    numerator = [high + middle * k / q + k * k, 2 * (k * k - high), high - middle * k / q + k * k]
    return [one / scale for one in numerator], _poles(k, q)


def _high_pass(k: float, q: float) -> _Filter:
    """Nothing below 38 Hz."""
    return [1.0, -2.0, 1.0], _poles(k, q)


def _poles(k: float, q: float) -> list[float]:
    scale = 1 + k / q + k * k
    return [1.0, 2 * (k * k - 1) / scale, (1 - k / q + k * k) / scale]


def _without_silence(sound: Sound, rate: int) -> Sound:
    """The sound from shortly before its first to shortly after its last voice, faded there."""
    size = max(1, round(_SILENCE_BLOCK_SECONDS * rate))
    blocks = np.pad(sound, (0, -len(sound) % size)).reshape(-1, size)
    powers = np.square(blocks, dtype=np.float64).mean(axis=1)
    voiced = np.flatnonzero(powers > powers.max(initial=0) * 10 ** (-_SILENCE_DB / 10))
    if not len(voiced):
        return sound
    start = max(0, int(voiced[0]) * size - round(_LEAD_SECONDS * rate))
    end = min(len(sound), (int(voiced[-1]) + 1) * size + round(_TAIL_SECONDS * rate))
    cut = sound[start:end].copy()
    fade = np.linspace(0, 1, min(len(cut) // 2, round(_FADE_SECONDS * rate)), dtype=np.float32)
    cut[: len(fade)] *= fade
    cut[len(cut) - len(fade) :] *= fade[::-1]
    return cut
