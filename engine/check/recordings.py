"""One recording, measured as training hears it, with everything that is wrong with it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.check.kinds import finding
from engine.check.levels import Fingerprint, level_findings, measure_levels, pause_findings
from engine.check.report import Finding
from engine.check.sound_file import Sound, read_sound
from engine.check.waveform import channel_findings, spectrum_findings, waveform_findings
from engine.data.audio import AudioSpec
from engine.data.clips import Clip, Limits, max_seconds
from engine.data.spectrograms import coarse_frames, is_silent, trim_bounds
from engine.formatting import plural

# Coarse frames below which there is hardly room for a word, and for a syllable.
_SHORT, _TOO_SHORT = 10, 5


@dataclass(frozen=True, slots=True)
class Recording:
    """What was measured of a clip's recording; None where nothing could be."""

    clip: Clip
    usable: bool
    """Whether training takes it, as far as the recording goes."""
    rate: int
    """Sample rate of the file in Hz; 0 where it cannot be read."""
    findings: tuple[Finding, ...]
    """What is wrong with it, without its place."""
    seconds: float | None = None
    """Duration, trimmed as training trims."""
    loudness: float | None = None
    """Level of the speech in dB of full scale."""
    signal_to_noise: float | None = None
    """In dB; see `engine.check.levels.Levels`."""
    digest: bytes = field(default=b"", repr=False)
    """The same for recordings of the same samples; empty where it is not known."""
    fingerprint: Fingerprint | None = field(default=None, repr=False, compare=False)


def examine(clip: Clip, audio: AudioSpec, limits: Limits) -> Recording:
    """Measure a recording and find its faults, reading it once and at most a minute of it.

    Never raises, whatever the file holds.
    """
    sound = read_sound(clip.path)
    found = Recording(clip, False, sound.rate, sound.findings)
    if not len(sound.samples):
        return found
    mixed = sound.samples.mean(axis=1)
    mono = _resampled(mixed, sound.rate, audio.sample_rate)
    loudest = sound.samples[:, int(sound.samples.std(axis=0).argmax())]
    loudest = _resampled(loudest, sound.rate, audio.sample_rate)
    # Silence may have a DC offset.
    if not len(mono) or is_silent(loudest - loudest.mean()):
        peak = 100 * float(np.abs(sound.samples).max())
        figure = f"no sample differs from the others by 0.01 % of full scale (peak {peak:.2g} %)"
        silent = finding("silent", figure, peak / 100)
        findings = (*found.findings, *channel_findings(sound.samples), silent)
        # Training takes a DC offset for a sound.
        usable = sound.readable and not is_silent(mixed)
        return replace(found, usable=usable, findings=findings)
    if is_silent(mono):
        # Channels that cancel each other: what they hold is measured all the same.
        return replace(_measured(found, sound, loudest, audio, limits), usable=False)
    return _measured(found, sound, mono, audio, limits)


def _resampled(mono: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    if rate == wanted:
        return mono
    converted: NDArray[np.float32] = soxr.resample(mono, rate, wanted, quality="HQ")
    return converted


def _measured(
    found: Recording, sound: Sound, mono: NDArray[np.float32], audio: AudioSpec, limits: Limits
) -> Recording:
    start, end = trim_bounds(mono, audio.trim_db)
    levels = measure_levels(mono, audio.sample_rate)
    unread = max(0.0, sound.seconds - len(sound.samples) / sound.rate)
    cut_before = start / audio.sample_rate
    cut_after = (len(mono) - end) / audio.sample_rate
    seconds = (end - start) / audio.sample_rate + unread
    frames = coarse_frames(int(seconds * audio.sample_rate), audio)
    findings = (
        *found.findings,
        *_rate_findings(sound.rate, audio.sample_rate),
        *_length_findings(frames, seconds, limits, audio),
        *channel_findings(sound.samples),
        *waveform_findings(sound.samples, sound.rate, levels),
        *level_findings(levels, seconds),
        *([] if unread else pause_findings(levels, cut_before, cut_after)),
        *spectrum_findings(mono, audio.sample_rate, sound.rate, levels),
    )
    return replace(
        found,
        usable=sound.readable and frames <= limits.max_coarse_frames,
        findings=findings,
        seconds=seconds,
        loudness=levels.speech,
        signal_to_noise=levels.signal_to_noise,
        digest=hashlib.sha256(sound.samples.mean(axis=1).tobytes()).digest(),
        fingerprint=levels.fingerprint(cut_before, end / audio.sample_rate),
    )


def _rate_findings(rate: int, wanted: int) -> Iterator[Finding]:
    if rate > wanted:
        figure = f"{rate:,} Hz, converted to {wanted:,} Hz"
        yield finding("other-rate", figure, float(rate))
    elif rate < wanted:
        figure = f"{rate:,} Hz: no sound above {rate / 2000:.1f} kHz"
        yield finding("low-rate", figure, float(rate))


def _length_findings(
    frames: int, seconds: float, limits: Limits, audio: AudioSpec
) -> Iterator[Finding]:
    if frames > limits.max_coarse_frames:
        figure = f"{seconds:.1f} s long; the limit is {max_seconds(limits, audio):.1f} s"
        yield finding("too-long", figure, seconds)
    elif frames < _SHORT:
        figure = f"{seconds:.2f} s ({plural(frames, 'coarse frame')})"
        yield finding("too-short", figure, seconds, harmful=frames < _TOO_SHORT)
