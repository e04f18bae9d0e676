"""Which clips of a corpus can be repaired, and the repaired recordings on disk."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.check.fingerprint import Fingerprint, find_copies, fingerprint
from engine.check.levels import level_faults, measure_levels
from engine.check.recordings import examine
from engine.check.repair import repair
from engine.check.report import Fault, Finding
from engine.check.speaking_rate import SHIFTED, TimedText, rate_findings
from engine.data.audio import AudioSpec, load_recording
from engine.data.clips import Limits, too_long
from engine.data.metadata import Row
from engine.data.spectrograms import coarse_frames
from engine.errors import InputError
from engine.text.vocabulary import Vocabulary

# Errors of `check` that repairing removes, or that are checked again after it; clips with any
# other error are left out.
_REPAIRABLE = {
    *("dc-offset", "hum", "noisy", "over-full-scale", "too-long"),
    *("inner-pause", "leading-pause", "trailing-pause"),
}
# Findings that do no harm to training, which reads no row there.
_NO_ROWS = {"header"}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that the copy does not have."""

    line: int
    """Line in the original's `metadata.csv`, from 1."""
    clip_id: str
    reason: str


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

    row: Row
    seconds: float
    digest: bytes
    """The same for the same samples."""
    fingerprint: Fingerprint | None
    """Similar for the same sound in another format or loudness."""
    change: Change


Outcome = Kept | LeftOut


@dataclass(frozen=True)
class RepairJob:
    """How the recordings of a corpus are repaired, and where they are written."""

    recordings: Mapping[str, Path]
    folder: Path
    audio: AudioSpec
    limits: Limits

    def repair_one(self, row: Row) -> Outcome:
        """Repair a row's recording and write it."""
        path = self.recordings[row.clip_id]
        for fault in examine(path, self.audio, self.limits).faults:
            if fault.severity == "error" and fault.kind not in _REPAIRABLE:
                return LeftOut(row.line, row.clip_id, _reason(fault))
        try:
            waveform = load_recording(path, self.audio.sample_rate)
        except InputError as error:
            return LeftOut(row.line, row.clip_id, str(error).rstrip("."))
        repaired = repair(waveform, self.audio.sample_rate)
        problem = self._problem(repaired.waveform)
        if problem:
            return LeftOut(row.line, row.clip_id, problem)
        self._write(row.clip_id, repaired.waveform)
        trimmed, shortened = round(repaired.trimmed, 3), round(repaired.shortened, 3)
        change = Change(row.line, row.clip_id, trimmed, shortened, round(repaired.gain, 2))
        digest = hashlib.sha256(repaired.waveform.tobytes()).digest()
        seconds = len(repaired.waveform) / self.audio.sample_rate
        levels = measure_levels(repaired.waveform, self.audio.sample_rate)
        return Kept(row, seconds, digest, fingerprint(levels, 0.0, seconds), change)

    def _problem(self, waveform: NDArray[np.float32]) -> str:
        """What still harms training after the repair; empty for nothing."""
        if not len(waveform):
            return "has no sound that stands out from its noise"
        rate = self.audio.sample_rate
        frames = coarse_frames(len(waveform), self.audio)
        if frames > self.limits.max_coarse_frames:
            return f"{too_long(len(waveform) / rate, self.limits, self.audio)}, without its pauses"
        faults = level_faults(measure_levels(waveform, rate), len(waveform) / rate)
        return next((_reason(fault) for fault in faults if fault.severity == "error"), "")

    def _write(self, clip_id: str, waveform: NDArray[np.float32]) -> None:
        path = self.folder / f"{clip_id}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = np.round(waveform * np.float32(32_767)).astype(np.int16)
        # Through memory: on a full disk libsndfile says less than the file system.
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, self.audio.sample_rate, "PCM_16", format="WAV")
        path.write_bytes(buffer.getvalue())


def harmful_lines(findings: Sequence[Finding]) -> dict[int, LeftOut]:
    """Lines that training could not use or should not learn from, and why."""
    found: dict[int, LeftOut] = {}
    for finding in findings:
        harmful = finding.severity == "error" or finding.kind in _NO_ROWS
        if harmful and finding.line is not None:
            found.setdefault(finding.line, LeftOut(finding.line, finding.clip_id, _reason(finding)))
    return found


def _reason(finding: Finding | Fault) -> str:
    kind = finding.kind.replace("-", " ")
    return kind if finding.figure == kind else f"{kind}: {finding.figure}"


def without_wrong_texts(
    outcomes: Sequence[Outcome], vocabulary: Vocabulary, folder: Path
) -> list[Outcome]:
    """Leave out clips that cannot contain what their text says, and delete their files."""
    kept = [outcome for outcome in outcomes if isinstance(outcome, Kept)]
    odd = {**_same_sound(kept), **_odd_rates(kept, vocabulary)}
    result: list[Outcome] = []
    for outcome in outcomes:
        if isinstance(outcome, Kept) and outcome.row.line in odd:
            (folder / f"{outcome.row.clip_id}.wav").unlink()
            result.append(odd[outcome.row.line])
        else:
            result.append(outcome)
    return result


def _odd_rates(kept: Sequence[Kept], vocabulary: Vocabulary) -> dict[int, LeftOut]:
    """Clips whose text nobody could say in the time.

    The rest are checked again: without the worst, others stand out.
    """
    clips = [
        TimedText(c.row.line, c.row.clip_id, "", vocabulary.clean(c.row.text), c.seconds)
        for c in kept
    ]
    odd: dict[int, LeftOut] = {}
    while True:
        left = [clip for clip in clips if clip.line not in odd]
        found = harmful_lines(
            [each for one in rate_findings(left)[0] for each in _clip_by_clip(one, left)]
        )
        if not found:
            return odd
        odd.update(found)


def _clip_by_clip(finding: Finding, clips: Sequence[TimedText]) -> list[Finding]:
    if finding.kind != SHIFTED or finding.value is None:
        return [finding]
    start = next(place for place, clip in enumerate(clips) if clip.line == finding.line)
    shifted = clips[start : start + round(finding.value)]
    return [replace(finding, line=clip.line, clip_id=clip.clip_id) for clip in shifted]


def _same_sound(kept: Sequence[Kept]) -> dict[int, LeftOut]:
    """Clips of one sound and several texts: which text is right is not known."""
    groups = find_copies([clip.fingerprint for clip in kept], [clip.seconds for clip in kept])
    by_digest: dict[bytes, list[int]] = {}
    for place, clip in enumerate(kept):
        by_digest.setdefault(clip.digest, []).append(place)
    odd: dict[int, LeftOut] = {}
    for places in (*groups, *by_digest.values()):
        clips = [kept[place] for place in places]
        if len({clip.row.text for clip in clips}) > 1:
            lines = ", ".join(str(clip.row.line) for clip in clips)
            reason = f"one recording with different texts in the lines {lines}"
            odd.update({c.row.line: LeftOut(c.row.line, c.row.clip_id, reason) for c in clips})
    return odd
