"""Recordings made fit for training: rumble, ends, pauses, loudness; and what cannot be repaired."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.check.cross_checks import find_copies
from engine.check.kinds import title
from engine.check.levels import HOP_SECONDS, LONGEST_PAUSE, measure_levels
from engine.check.recordings import Recording, examine
from engine.check.report import Finding
from engine.check.speaking_rate import rate_findings
from engine.data.audio import AudioSpec, load_recording
from engine.data.clips import Clip, Limits
from engine.data.metadata import Rejected
from engine.errors import InputError

# Errors of `check` that repairing removes, or that are checked again after it; clips with any
# other error are left out.
_REPAIRABLE = {
    *("dc-offset", "hum", "noisy", "over-full-scale", "too-long"),
    *("inner-pause", "leading-pause", "trailing-pause"),
}
# Findings that do no harm to training, which reads no row there.
_NO_ROWS = {"header"}

SPEECH_LEVEL = -20.0
"""Level of the speech in a repaired recording, in dB of full scale: a decibel below LJ Speech,
from which most voices start; most speakers' peaks have room above it."""

# Below this, in Hz, there is no voice but the room, the desk and the mains.
_LOWEST = 100.0
_ORDER = 4
# Seconds kept before the first and after the last sound: breaths and the decay of a consonant.
_BEFORE, _AFTER = 0.1, 0.15
# Pauses are cut a little below the limit, because frames measure them to 20 ms.
_CAPPED_PAUSE = LONGEST_PAUSE - 0.04
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
    """Repair a clip's recording and write it below a folder, unless an error remains."""
    for found in examine(clip, audio, limits).findings:
        if found.severity == "error" and found.kind not in _REPAIRABLE:
            return _rejected(clip, _reason(found))
    try:
        waveform = load_recording(clip.path, audio.sample_rate)
    except InputError as error:
        return _rejected(clip, str(error).rstrip("."))
    repaired, trimmed, shortened, gain = _repair(waveform, audio.sample_rate)
    if not len(repaired):
        return _rejected(clip, "has no sound that stands out from its noise")
    path = folder / f"{clip.clip_id}.wav"
    _write(path, repaired, audio.sample_rate)
    recording = examine(replace(clip, path=path), audio, limits)
    for found in recording.findings:
        if found.severity == "error":
            path.unlink()
            return _rejected(clip, f"{_reason(found)}, after the repair")
    trimmed, shortened, gain = round(trimmed, 3), round(shortened, 3), round(gain, 2)
    return Kept(recording, Change(clip.line, clip.clip_id, trimmed, shortened, gain))


def _rejected(clip: Clip, reason: str) -> Rejected:
    return Rejected(clip.line, clip.clip_id, reason)


def _reason(found: Finding) -> str:
    kind = title(found.kind)
    return kind if found.figure == kind else f"{kind}: {found.figure}"


def _write(path: Path, waveform: NDArray[np.float32], sample_rate: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.round(waveform * np.float32(32_767)).astype(np.int16)
    # Through memory: on a full disk libsndfile says less than the file system.
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, "PCM_16", format="WAV")
    path.write_bytes(buffer.getvalue())


def harmful_lines(findings: Sequence[Finding]) -> dict[int, Rejected]:
    """Lines that training could not use or should not learn from, and why."""
    found: dict[int, Rejected] = {}
    for each in findings:
        harmful = each.severity == "error" or each.kind in _NO_ROWS
        if harmful and each.line is not None:
            found.setdefault(each.line, Rejected(each.line, each.clip_id, _reason(each)))
    return found


def without_wrong_texts(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Leave out clips that cannot contain what their text says, and delete their files."""
    recordings = [outcome.recording for outcome in outcomes if isinstance(outcome, Kept)]
    odd = {**_same_sound(recordings), **_odd_rates(recordings)}
    for recording in recordings:
        if recording.clip.line in odd:
            recording.clip.path.unlink()
    return [
        odd.get(outcome.change.line, outcome) if isinstance(outcome, Kept) else outcome
        for outcome in outcomes
    ]


def _odd_rates(recordings: Sequence[Recording]) -> dict[int, Rejected]:
    """Clips whose text nobody could say in the time.

    The rest are checked again: without the worst, others stand out.
    """
    odd: dict[int, Rejected] = {}
    while True:
        findings, _ = rate_findings([each for each in recordings if each.clip.line not in odd])
        wrong = [(each, found) for each, found in findings if found.severity == "error"]
        if not wrong:
            return odd
        for clips, found in reversed(wrong):
            odd |= {c.clip.line: _rejected(c.clip, _reason(found)) for c in clips}


def _same_sound(recordings: Sequence[Recording]) -> dict[int, Rejected]:
    """Clips of one sound and several texts: which text is right is not known."""
    odd: dict[int, Rejected] = {}
    for places in reversed(find_copies(recordings)):
        clips = [recordings[place].clip for place in places]
        if len({clip.text for clip in clips}) > 1:
            lines = ", ".join(str(clip.line) for clip in clips)
            reason = f"one recording with different texts in the lines {lines}"
            odd |= {clip.line: _rejected(clip, reason) for clip in clips}
    return odd


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
    filtered = _high_pass(waveform, sample_rate)
    sounding = np.flatnonzero(measure_levels(filtered, sample_rate).speaks())
    if not len(sounding):
        return np.empty(0, np.float32), 0.0, 0.0, 0.0
    start = float(sounding[0]) * HOP_SECONDS - _BEFORE
    end = float(sounding[-1] + 2) * HOP_SECONDS + _AFTER
    trimmed = filtered[max(0, round(start * sample_rate)) : round(end * sample_rate)]
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


def _high_pass(waveform: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
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
    half = _CAPPED_PAUSE / 2
    fade = round(_FADE * sample_rate)
    rise = np.linspace(0, 1, fade, dtype=np.float32)
    joined, position = np.empty(0, np.float32), 0
    for start, end in measure_levels(waveform, sample_rate).pauses():
        cut = round((start * HOP_SECONDS + half) * sample_rate)
        resumed = round((end * HOP_SECONDS - half) * sample_rate)
        before = np.concatenate([joined, waveform[position:cut]])
        shared = before[-fade:] * (1 - rise) + waveform[resumed : resumed + fade] * rise
        joined, position = np.concatenate([before[:-fade], shared]), resumed + fade
    return np.concatenate([joined, waveform[position:]])
