"""One recording, measured as training hears it, with all that is wrong with it."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.check.channels import channel_faults
from engine.check.faults import Fault
from engine.check.loudness import level_faults, measure_levels
from engine.check.outline import Outline, outline
from engine.check.pauses import pause_faults
from engine.check.sound_file import Sound, read_sound
from engine.check.spectrum import spectrum_faults
from engine.check.waveform import waveform_faults
from engine.data.audio import AudioSpec
from engine.data.clips import Limits
from engine.data.spectrograms import coarse_frames, is_silent, trim_bounds

# Coarse frames under which there is hardly room for a word, and for a syllable.
_SHORT, _TOO_SHORT = 10, 5
# Samples a second below which speech lacks what makes consonants clear.
_LOWEST_RATE = 16_000


@dataclass(frozen=True, slots=True)
class Recording:
    """What was measured of a recording; None where nothing could be."""

    path: Path
    usable: bool
    """Whether training takes it, as far as the recording goes."""
    seconds: float | None
    """Duration, trimmed as training trims."""
    rate: int
    """Samples a second in the file; 0 where it cannot be read."""
    loudness: float | None
    """Level of the speech in dB of full scale."""
    signal_to_noise: float | None
    """In dB; see `engine.check.loudness.Levels`."""
    digest: bytes = field(repr=False)
    """The same for recordings of the same samples; empty where nobody can say."""
    faults: tuple[Fault, ...]
    outline: Outline | None = field(default=None, repr=False, compare=False)
    """None of recordings too short to be told apart by it."""


def examine(path: Path, audio: AudioSpec, limits: Limits) -> Recording:
    """Measure a recording and find its faults, reading it once and at most a minute of it.

    Never raises for what a file holds or does not hold.
    """
    sound = read_sound(path)
    if not len(sound.samples):
        return Recording(path, False, None, sound.rate, None, None, b"", sound.faults)
    mono = _converted(sound.samples.mean(axis=1), sound.rate, audio.sample_rate)
    loudest = _loudest_channel(sound, audio.sample_rate)
    if not len(mono) or _still(loudest):
        return _silent(path, sound)
    if is_silent(mono):
        # Channels that cancel each other: what they hold is measured all the same.
        return replace(_speaking(path, sound, loudest, audio, limits), usable=False)
    return _speaking(path, sound, mono, audio, limits)


def _still(mono: NDArray[np.float32]) -> bool:
    """Whether nothing is left when direct current is taken away."""
    return is_silent(mono - mono.mean()) if len(mono) else True


def _loudest_channel(sound: Sound, rate: int) -> NDArray[np.float32]:
    channel = sound.samples[:, int(sound.samples.std(axis=0).argmax())]
    return _converted(channel, sound.rate, rate)


def _converted(mono: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    if rate == wanted:
        return mono
    converted: NDArray[np.float32] = soxr.resample(mono, rate, wanted, quality="HQ")
    return converted


def _silent(path: Path, sound: Sound) -> Recording:
    peak = float(np.abs(sound.samples).max())
    fault = Fault(
        "silent",
        "error",
        f"no sample differs from the others by 0.01 % of full scale (peak {100 * peak:.2g} %)",
        "record or export it again, or leave the clip out",
        peak,
    )
    faults = (*sound.faults, *channel_faults(sound.samples), fault)
    # Direct current is no silence to training, which takes it for a sound.
    usable = sound.readable and not is_silent(sound.samples.mean(axis=1))
    return Recording(path, usable, None, sound.rate, None, None, b"", faults)


def _speaking(
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
    return Recording(
        path=path,
        usable=sound.readable and frames <= limits.max_coarse_frames,
        seconds=seconds,
        rate=sound.rate,
        loudness=levels.speech,
        signal_to_noise=levels.signal_to_noise,
        digest=_digest(sound),
        faults=faults,
        outline=outline(levels, start / audio.sample_rate, end / audio.sample_rate),
    )


def _digest(sound: Sound) -> bytes:
    mono: NDArray[np.float32] = sound.samples.mean(axis=1)
    return hashlib.sha256(mono.tobytes()).digest()


def _rate_faults(rate: int, wanted: int) -> list[Fault]:
    figure = f"{rate:,} Hz"
    if rate == wanted:
        return []
    if rate < min(_LOWEST_RATE, wanted):
        figure += f": nothing above {rate / 2000:.1f} kHz is in it"
        advice = "export it again from the original recording; converting it up brings no highs"
        return [Fault("low-rate", "error", figure, advice, float(rate))]
    if rate < wanted:
        figure += f": nothing above {rate / 2000:.1f} kHz is in it"
        advice = f"export it at {wanted:,} Hz from the original recording, if that has more"
        return [Fault("low-rate", "warning", figure, advice, float(rate))]
    advice = "nothing has to be done"
    return [
        Fault("other-rate", "note", f"{figure}, converted to {wanted:,} Hz", advice, float(rate))
    ]


def _length_faults(frames: int, seconds: float, limits: Limits, audio: AudioSpec) -> list[Fault]:
    if frames > limits.max_coarse_frames:
        longest = limits.max_coarse_frames * audio.coarse_frame_seconds
        figure = (
            f"{seconds:.1f} s ({frames:,} coarse frames), but the limit is {longest:.1f} s "
            f"({limits.max_coarse_frames:,})"
        )
        advice = "split it at a pause into two clips, and its text with it"
        return [Fault("too-long", "error", figure, advice, seconds)]
    if frames >= _SHORT:
        return []
    plural = "" if frames == 1 else "s"
    figure = f"{seconds:.2f} s ({frames} coarse frame{plural})"
    if frames < _TOO_SHORT:
        advice = "leave the clip out, or join it to another"
        return [Fault("too-short", "error", figure, advice, seconds)]
    advice = "join it to another clip, if it is not a word by itself"
    return [Fault("too-short", "warning", figure, advice, seconds)]
