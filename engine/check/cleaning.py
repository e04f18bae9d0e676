"""Which clips of a corpus can be repaired, and the repaired recordings on disk."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.check.cross_checks import find_copies
from engine.check.kinds import title
from engine.check.recordings import Recording, examine
from engine.check.repair import repair
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


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to a recording."""

    line: int
    """Line in the original's `metadata.csv`, from 1."""
    clip_id: str
    trimmed: float
    """Seconds cut at both ends."""
    shortened: float
    """Seconds cut out of pauses."""
    gain: float
    """Amplification in dB."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A clip that the copy has."""

    recording: Recording
    """The repaired recording."""
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
    repaired, trimmed, shortened, gain = repair(waveform, audio.sample_rate)
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
