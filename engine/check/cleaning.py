"""Recordings made fit for training: rumble, ends, pauses, loudness; and what cannot be repaired."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.check.levels import LONGEST_PAUSE, hop_samples, measure_levels
from engine.check.recordings import Recording, examine
from engine.data.audio import AudioSpec, load_recording, wav_bytes
from engine.data.clips import Clip, Limits
from engine.data.metadata import Rejected
from engine.errors import InputError

MENDED = {
    *("dc-offset", "hum", "noisy", "over-full-scale", "too-long", "text-too-long"),
    *("inner-pause", "leading-pause", "trailing-pause"),
    *("spoken-too-fast", "spoken-too-slowly", "shifted-texts"),
}
"""Errors of `check` that repairing or splitting removes, or that only the result can tell; clips
with any other error are left out."""

SPEECH_LEVEL = -20.0
"""Level of the speech in a repaired recording, in dB of full scale: a decibel below LJ Speech,
from which most voices start; most speakers' peaks have room above it."""

# Below this, in Hz, there is no voice but the room, the desk and the mains.
_LOWEST = 100.0
_ORDER = 4
# Seconds kept before the first and after the last sound: breaths and the decay of a consonant.
KEPT_BEFORE, KEPT_AFTER = 0.1, 0.15
# Pauses are cut a little below the limit, because frames measure them to 20 ms.
CAPPED_PAUSE = LONGEST_PAUSE - 0.04
# Seconds of cross-fade where a pause was cut, so that the room does not jump.
_FADE = 0.02
# Cutting a pause changes the noise estimate a little, which can reveal another pause.
_ROUNDS = 4
_PEAK = 0.95


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to a recording of a line of the original's `metadata.csv`."""

    line: int
    clip_id: str
    trimmed: float
    """Seconds cut at both ends."""
    shortened: float
    """Seconds cut out of pauses."""
    gain: float
    """In dB."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A clip that the copy has, with its repaired recording."""

    recording: Recording
    change: Change


Outcome = Kept | Rejected


def repair_clip(clip: Clip, folder: Path, audio: AudioSpec, limits: Limits) -> Outcome:
    """Repair a clip's recording and write it below a folder, unless nothing would be left of it."""
    try:
        waveform = load_recording(clip.path, audio.sample_rate)
    except InputError as error:
        return Rejected(clip.line, clip.clip_id, str(error).rstrip("."))
    return repair_waveform(clip, waveform, folder, audio, limits)


def repair_waveform(
    clip: Clip, waveform: NDArray[np.float32], folder: Path, audio: AudioSpec, limits: Limits
) -> Outcome:
    """The same for samples `(N,)` at the voice's rate, all of the clip's recording or a part."""
    repaired, trimmed, shortened, gain = _repair(waveform, audio.sample_rate)
    if not len(repaired):
        return Rejected(clip.line, clip.clip_id, "has no sound that stands out from its noise")
    path = folder / f"{clip.clip_id}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav_bytes(repaired, audio.sample_rate))
    recording = examine(replace(clip, path=path), audio, limits)
    trimmed, shortened, gain = round(trimmed, 3), round(shortened, 3), round(gain, 2)
    return Kept(recording, Change(clip.line, clip.clip_id, trimmed, shortened, gain))


def _repair(
    waveform: NDArray[np.float32], sample_rate: int
) -> tuple[NDArray[np.float32], float, float, float]:
    """Repair mono samples `(N,)` of a rate in Hz.

    A high-pass of 100 Hz (Butterworth, forwards and backwards, so that no phase turns) removes
    rumble and DC offset; the ends are cut to a tenth of a second around the sound; pauses
    inside are capped at 0.5 s; the speech is brought to one level, or less where its peak would
    exceed 95 % of full scale. The same samples always give the same result.

    Returns:
        Mono samples `(N,)`, none where there is no sound that could be speech; seconds cut at
        both ends, and out of pauses; amplification in dB.
    """
    filtered = high_pass(waveform, sample_rate)
    sounding = np.flatnonzero(measure_levels(filtered, sample_rate).speaks())
    if not len(sounding):
        return np.empty(0, np.float32), 0.0, 0.0, 0.0
    hop = hop_samples(sample_rate)
    start = int(sounding[0]) * hop - round(KEPT_BEFORE * sample_rate)
    end = int(sounding[-1] + 2) * hop + round(KEPT_AFTER * sample_rate)
    trimmed = filtered[max(0, start) : end]
    capped = trimmed
    for _ in range(_ROUNDS):
        before = len(capped)
        capped = _with_capped_pauses(capped, sample_rate)
        if len(capped) == before:
            break
    # To the level of the speech, without passing the highest peak.
    wanted = SPEECH_LEVEL - measure_levels(capped, sample_rate).speech
    gain = float(min(wanted, 20 * np.log10(_PEAK / np.abs(capped).max())))
    return (
        (capped * np.float32(10 ** (gain / 20))).astype(np.float32),
        (len(waveform) - len(trimmed)) / sample_rate,
        (len(trimmed) - len(capped)) / sample_rate,
        gain,
    )


def high_pass(waveform: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Samples `(N,)` without what lies below 100 Hz."""
    # Imported where it is used: it takes half a second.
    from scipy.signal import butter, sosfiltfilt

    sections = butter(_ORDER, _LOWEST, "highpass", fs=sample_rate, output="sos")
    # Twice the longest reach of the filter, or as much as there is.
    padding = min(len(waveform) - 1, int(sample_rate / _LOWEST * 4))
    filtered: NDArray[np.float32] = sosfiltfilt(sections, waveform, padlen=padding).astype(
        np.float32
    )
    return filtered


def _with_capped_pauses(waveform: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    hop, half = hop_samples(sample_rate), round(CAPPED_PAUSE / 2 * sample_rate)
    fade = round(_FADE * sample_rate)
    rise = np.linspace(0, 1, fade, dtype=np.float32)
    joined, position = np.empty(0, np.float32), 0
    for start, end in measure_levels(waveform, sample_rate).pauses():
        cut, resumed = start * hop + half, end * hop - half
        before = np.concatenate([joined, waveform[position:cut]])
        shared = before[-fade:] * (1 - rise) + waveform[resumed : resumed + fade] * rise
        joined, position = np.concatenate([before[:-fade], shared]), resumed + fade
    return np.concatenate([joined, waveform[position:]])
