"""One recording, measured as training hears it, with everything that is wrong with it."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.check.fingerprint import Fingerprint, fingerprint
from engine.check.levels import level_faults, measure_levels, pause_faults
from engine.check.report import Fault
from engine.check.sound_file import Sound, read_sound
from engine.check.spectrum import spectrum_faults
from engine.check.waveform import channel_faults, waveform_faults
from engine.data.audio import AudioSpec
from engine.data.clips import Limits
from engine.data.spectrograms import coarse_frames, is_silent, trim_bounds
from engine.formatting import plural

# Coarse frames below which there is hardly room for a word, and for a syllable.
_SHORT, _TOO_SHORT = 10, 5
# Sample rate in Hz below which speech lacks what makes consonants clear.
_MIN_RATE = 16_000


@dataclass(frozen=True, slots=True)
class Recording:
    """What was measured of a recording; None where nothing could be."""

    path: Path
    usable: bool
    """Whether training takes it, as far as the recording goes."""
    seconds: float | None
    """Duration, trimmed as training trims."""
    rate: int
    """Sample rate of the file in Hz; 0 where it cannot be read."""
    loudness: float | None
    """Level of the speech in dB of full scale."""
    signal_to_noise: float | None
    """In dB; see `engine.check.levels.Levels`."""
    digest: bytes = field(repr=False)
    """The same for recordings of the same samples; empty where it is not known."""
    faults: tuple[Fault, ...]
    fingerprint: Fingerprint | None = field(default=None, repr=False, compare=False)
    """None for recordings too short to be told apart by it."""


def examine(path: Path, audio: AudioSpec, limits: Limits) -> Recording:
    """Measure a recording and find its faults, reading it once and at most a minute of it.

    Never raises, whatever the file holds.
    """
    sound = read_sound(path)
    if not len(sound.samples):
        return Recording(path, False, None, sound.rate, None, None, b"", sound.faults)
    mono = _resampled(sound.samples.mean(axis=1), sound.rate, audio.sample_rate)
    loudest = sound.samples[:, int(sound.samples.std(axis=0).argmax())]
    loudest = _resampled(loudest, sound.rate, audio.sample_rate)
    # Silence may have a DC offset.
    if not len(mono) or not len(loudest) or is_silent(loudest - loudest.mean()):
        return _silent(path, sound)
    if is_silent(mono):
        # Channels that cancel each other: what they hold is measured all the same.
        return replace(_measured(path, sound, loudest, audio, limits), usable=False)
    return _measured(path, sound, mono, audio, limits)


def _resampled(mono: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    if rate == wanted:
        return mono
    converted: NDArray[np.float32] = soxr.resample(mono, rate, wanted, quality="HQ")
    return converted


def _silent(path: Path, sound: Sound) -> Recording:
    peak = float(np.abs(sound.samples).max())
    figure = f"no sample differs from the others by 0.01 % of full scale (peak {100 * peak:.2g} %)"
    advice = "record or export it again, or leave the clip out"
    fault = Fault("silent", "error", figure, advice, peak)
    faults = (*sound.faults, *channel_faults(sound.samples), fault)
    # Training takes a DC offset for a sound.
    usable = sound.readable and not is_silent(sound.samples.mean(axis=1))
    return Recording(path, usable, None, sound.rate, None, None, b"", faults)


def _measured(
    path: Path, sound: Sound, mono: NDArray[np.float32], audio: AudioSpec, limits: Limits
) -> Recording:
    start, end = trim_bounds(mono, audio.trim_db)
    levels = measure_levels(mono, audio.sample_rate)
    unread = max(0.0, sound.seconds - len(sound.samples) / sound.rate)
    cut_before = start / audio.sample_rate
    cut_after = (len(mono) - end) / audio.sample_rate
    seconds = (end - start) / audio.sample_rate + unread
    frames = coarse_frames(int(seconds * audio.sample_rate), audio)
    faults = (
        *sound.faults,
        *_rate_faults(sound.rate, audio.sample_rate),
        *_length_faults(frames, seconds, limits, audio),
        *channel_faults(sound.samples),
        *waveform_faults(sound.samples, sound.rate, levels),
        *level_faults(levels, seconds),
        *([] if unread else pause_faults(levels, cut_before, cut_after)),
        *spectrum_faults(mono, audio.sample_rate, sound.rate, levels),
    )
    samples: NDArray[np.float32] = sound.samples.mean(axis=1)
    return Recording(
        path=path,
        usable=sound.readable and frames <= limits.max_coarse_frames,
        seconds=seconds,
        rate=sound.rate,
        loudness=levels.speech,
        signal_to_noise=levels.signal_to_noise,
        digest=hashlib.sha256(samples.tobytes()).digest(),
        faults=faults,
        fingerprint=fingerprint(levels, cut_before, end / audio.sample_rate),
    )


def _rate_faults(rate: int, wanted: int) -> list[Fault]:
    if rate == wanted:
        return []
    if rate > wanted:
        figure = f"{rate:,} Hz, converted to {wanted:,} Hz"
        return [Fault("other-rate", "note", figure, "nothing to do", float(rate))]
    figure = f"{rate:,} Hz: no sound above {rate / 2000:.1f} kHz"
    if rate < min(_MIN_RATE, wanted):
        advice = "export it again from the original recording; converting it restores no highs"
        return [Fault("low-rate", "error", figure, advice, float(rate))]
    advice = f"export it at {wanted:,} Hz from the original recording, if that has more"
    return [Fault("low-rate", "warning", figure, advice, float(rate))]


def _length_faults(frames: int, seconds: float, limits: Limits, audio: AudioSpec) -> list[Fault]:
    if frames > limits.max_coarse_frames:
        limit = limits.max_coarse_frames * audio.coarse_frame_seconds
        figure = f"{seconds:.1f} s long; the limit is {limit:.1f} s"
        advice = "split it at a pause into two clips, and its text with it"
        return [Fault("too-long", "error", figure, advice, seconds)]
    if frames >= _SHORT:
        return []
    figure = f"{seconds:.2f} s ({plural(frames, 'coarse frame')})"
    if frames < _TOO_SHORT:
        advice = "leave the clip out, or join it to another"
        return [Fault("too-short", "error", figure, advice, seconds)]
    advice = "join it to another clip, unless it is a complete word"
    return [Fault("too-short", "warning", figure, advice, seconds)]
