"""A repaired copy of a corpus; the original is only read."""

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path

from msgspec import Struct

from engine.check.cleaning import (
    MENDED,
    Change,
    Kept,
    Outcome,
    repair_clip,
    repair_waveform,
)
from engine.check.kinds import reason
from engine.check.metadata_checks import check_metadata
from engine.check.report import Finding
from engine.check.splitting import LONGEST, Attend, LongClip, Part, Splitter
from engine.check.survey import Measured, Survey, corpus_key, judge, measure_corpus
from engine.data.audio import AudioSpec, load_recording
from engine.data.clips import (
    METADATA,
    RECORDINGS,
    Clip,
    CorpusScan,
    Limits,
    map_in_order,
    scan_corpus,
)
from engine.data.metadata import LEFT_OUT, Rejected, recording_key
from engine.errors import InputError
from engine.files import new_folder, read_plain
from engine.formatting import shell_command
from engine.serialization import from_json
from engine.text.vocabulary import Vocabulary

REPORT = "clean.json"
"""What was left out and what was changed, next to the repaired `metadata.csv`."""

# More than the report of any corpus has; a file that is longer is none.
_MAX_REPORT = 2**26

_Target = tuple[Vocabulary, Limits, AudioSpec]
"""What the clips must fit."""


_CANCELLED = "The cleaning of the corpus was cancelled."
_UNSURE = "it has no pause at which its text can be split with certainty"
_MISFIT = "what is spoken does not match its text"


@dataclass(frozen=True, slots=True)
class Split:
    """A clip that was too long, and the ids of its parts in the copy."""

    line: int
    clip_id: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What became of a corpus."""

    folder: Path
    changes: tuple[Change, ...]
    """The clips of the copy, in the order of their lines; all parts of a clip have its line."""
    left_out: tuple[Rejected, ...]
    hours: float
    """Duration of the copy, trimmed as training trims."""
    split: tuple[Split, ...]


class Origin(Struct):
    """What a copy was made of: where that was, its `corpus_key`, and the ids left out by hand."""

    source: str = ""
    source_key: str = ""
    left_out_by_you: list[str] = []


def clean_command(dataset: Path, **options: object) -> str:
    """The shell command that makes the clean copy of a corpus beside it, with other options."""
    out = next(path for path in _places(dataset) if not os.path.lexists(path))
    return shell_command("voicecoach", "clean", dataset, out=out, **options)


def origin_of(folder: Path) -> Origin:
    """Read what a clean copy was made of; empty for a folder that holds none."""
    path = folder / REPORT
    try:
        return from_json(read_plain(path, _MAX_REPORT), Origin, path)
    except (OSError, InputError):
        return Origin()


def clean_copy_beside(
    scan: CorpusScan,
    vocabulary: Vocabulary,
    limits: Limits,
    audio: AudioSpec,
    *,
    left_out: Collection[str] = (),
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> Path:
    """Return the folder beside a corpus with its clean copy, made unless it is there.

    It has the corpus's name and `-clean`, with a number where something else has that name.
    Clips whose ids are in `left_out` are not in it.

    Raises as `write_clean_copy`, or `OSError` where a recording has gone meanwhile.
    """
    target = (vocabulary, limits, audio)
    key = corpus_key(scan, *target)
    by_hand = {recording_key(row.clip_id) for row in scan.rows} & {*map(recording_key, left_out)}
    for out in _places(scan.dataset):
        origin = origin_of(out)
        if origin.source_key == key and {*map(recording_key, origin.left_out_by_you)} == by_hand:
            return out
        if not os.path.lexists(out):
            write_clean_copy(
                scan, out, *target, left_out=left_out, on_progress=on_progress, cancelled=cancelled
            )
            return out
    raise AssertionError("names never run out")


def _places(dataset: Path) -> Iterator[Path]:
    if dataset.name in ("", ".."):  # a place without the name that it has
        dataset = dataset.resolve()
    yield dataset.with_name(f"{dataset.name}-clean")
    for number in count(2):
        yield dataset.with_name(f"{dataset.name}-clean-{number}")


def write_clean_copy(
    scan: CorpusScan,
    out: Path,
    vocabulary: Vocabulary,
    limits: Limits,
    audio: AudioSpec,
    *,
    left_out: Collection[str] = (),
    attend: Attend | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Cleaned:
    """Write a copy of a corpus that is fit for training, in the same layout.

    Recordings become mono WAV of the voice's rate and 16 bits, repaired as
    `engine.check.cleaning` says. Clips above the limits are split at pauses, as
    `engine.check.splitting` says. Rows that training could not use, or that would harm it, are left
    out and listed in `clean.json`. The same corpus always gives the same files.

    Args:
        scan: the corpus.
        out: the folder to make; it may exist if it is empty.
        vocabulary: what reads the texts.
        limits: of a clip's length.
        audio: the sound of the voice that will learn from it.
        left_out: ids of clips that the person does not want.
        attend: where the attention of a trained voice stands in a long clip.
        on_progress: called with clips done and clips in all.
        cancelled: asked between two clips.

    Raises:
        InputError: nothing in the corpus is usable, or `out` is taken or cannot be made.
        EngineError: the copy cannot be written; nothing is left of it.
        Cancelled: `cancelled()` became true; nothing is left of the copy.
    """
    _require_place(scan.dataset, out)
    target = (vocabulary, limits, audio)
    key = corpus_key(scan, *target)
    measured = measure_corpus(scan, *target, on_progress=on_progress, cancelled=cancelled)
    files = judge(measured, left_out=left_out)
    _require_readable(scan.dataset, files)
    with new_folder(out) as folder:
        copy = _Copy(scan, files, folder, target, cancelled)
        copy.repair(on_progress)
        copy.split(attend)
        cleaned = copy.finished(out)
        _write_report(folder, cleaned, scan.dataset, key)
    return cleaned


class _Copy:
    """A copy in the making."""

    def __init__(
        self,
        scan: CorpusScan,
        files: Survey,
        folder: Path,
        target: _Target,
        cancelled: Callable[[], bool],
    ) -> None:
        self._scan = scan
        self._files = files
        self._folder = folder
        self._target = target
        self._cancelled = cancelled
        self._lost = [
            Rejected(line, found[0].clip_id, _why_lost(harm))
            for line, found in files.errors.items()
            if (harm := next(filter(_is_beyond_repair, found), None))
        ]
        self._lost += [row for row in files.report.left_out if row.kind == LEFT_OUT]
        lines = {row.line for row in self._lost}
        self._clips = {clip.line: clip for clip in files.clips if clip.line not in lines}
        self._columns = {
            clip.clip_id: tuple(scan.lines[clip.line - 1].fields[1:]) for clip in files.clips
        }
        self._kept: list[Kept] = []
        self._long: list[LongClip] = []

    def repair(self, on_progress: Callable[[int, int], None]) -> None:
        """Repair every clip, and set those aside that are too long all the same."""
        limits, audio = self._target[1:]
        repaired = map_in_order(
            lambda clip: repair_clip(clip, self._folder / RECORDINGS, audio, limits),
            list(self._clips.values()),
            cancelled=self._cancelled,
            if_cancelled=_CANCELLED,
        )
        for done, outcome in enumerate(repaired, start=1):
            long = self._why_long(outcome) if isinstance(outcome, Kept) else None
            if isinstance(outcome, Kept) and long:
                outcome.recording.clip.path.unlink()
                clip = self._clips[outcome.change.line]
                self._long.append(LongClip(clip, self._columns[clip.clip_id], reason(long)))
            else:
                self._take(outcome)
            on_progress(done, len(self._clips))
        self._leave_out_wrong()

    def _why_long(self, one: Kept) -> Finding | None:
        of_text = self._files.errors.get(one.change.line, ())
        found = (
            *(each for each in of_text if each.kind == "text-too-long"),
            *(each for each in one.recording.findings if each.kind == "too-long"),
        )
        return found[0] if found else None

    def _take(self, outcome: Outcome) -> None:
        if isinstance(outcome, Kept):
            self._kept.append(outcome)
        else:
            self._lost.append(outcome)

    def split(self, attend: Attend | None) -> None:
        """Split the long clips, where their pauses allow it."""
        if not self._long:
            return
        splitter = Splitter(*self._target, attend)
        short = [one.recording.clip for one in self._kept]
        splitter.learn(short, [one.clip for one in self._long], self._cancelled)
        parts = map_in_order(
            splitter.split, self._long, cancelled=self._cancelled, if_cancelled=_CANCELLED
        )
        for long, found in zip(self._long, parts, strict=True):
            if found:
                self._take_parts(long.clip, found)
            else:
                why = f"{long.reason}; {_UNSURE}"
                self._lost.append(Rejected(long.clip.line, long.clip.clip_id, why))
        self._kept.sort(key=lambda one: one.change.line)
        self._leave_out_wrong()

    def _take_parts(self, clip: Clip, parts: Sequence[Part]) -> None:
        _, limits, audio = self._target
        waveform = load_recording(clip.path, audio.sample_rate)
        for clip_id, part in zip(self._new_ids(clip.clip_id, len(parts)), parts, strict=True):
            start, end = (round(each * audio.sample_rate) for each in (part.start, part.end))
            self._columns[clip_id] = part.columns
            piece = replace(clip, clip_id=clip_id)
            self._take(
                repair_waveform(
                    piece, waveform[start:end], self._folder / RECORDINGS, audio, limits
                )
                if part.fits
                else Rejected(clip.line, clip_id, _MISFIT)
            )

    def _new_ids(self, clip_id: str, count: int) -> list[str]:
        """Ids of parts: `ID-1`, `ID-2`, or longer ones where these are taken."""
        taken = {recording_key(each).casefold() for each in self._columns}
        between = "-"
        while True:
            ids = [f"{clip_id}{between}{number}" for number in range(1, count + 1)]
            if not any(recording_key(each).casefold() in taken for each in ids):
                return ids
            between += "part-"

    def _leave_out_wrong(self) -> None:
        """Check the copy, and leave out what has an error, until nothing has."""
        while self._kept and (
            wrong := _wrong(self._folder, self._kept, self._columns, self._target)
        ):
            self._lost += wrong.values()
            self._kept = [one for one in self._kept if one.change.clip_id not in wrong]

    def finished(self, out: Path) -> Cleaned:
        """What became of the corpus; its list is written."""
        left_out = tuple(sorted(self._lost, key=lambda row: row.line))
        if not self._kept:
            raise InputError(_nothing_left(self._scan.dataset, left_out))
        hours = sum(one.recording.seconds or 0.0 for one in self._kept) / 3600
        changes = tuple(one.change for one in self._kept)
        split = tuple(
            Split(long.clip.line, long.clip.clip_id, parts)
            for long in self._long
            if (parts := tuple(c.clip_id for c in changes if c.line == long.clip.line))
        )
        return Cleaned(out, changes, left_out, hours, split)


def _is_beyond_repair(found: Finding) -> bool:
    return found.kind not in MENDED or _is_endless(found)


def _is_endless(found: Finding) -> bool:
    """Whether a recording is a chapter rather than a clip, which would take gigabytes to repair."""
    return found.kind == "too-long" and (found.value or 0.0) > LONGEST


def _why_lost(found: Finding) -> str:
    more = f", and only clips of up to {LONGEST:.0f} s are split" if _is_endless(found) else ""
    return reason(found) + more


def _wrong(
    folder: Path, kept: Sequence[Kept], columns: Mapping[str, Sequence[str]], target: _Target
) -> dict[str, Rejected]:
    """Write the list of the copy and check that; return what has an error, without its file."""
    rows = ("|".join([one.change.clip_id, *columns[one.change.clip_id]]) for one in kept)
    (folder / METADATA).write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")
    metadata = check_metadata(scan_corpus(folder), *target[:2])
    measured = [replace(kept[clip.line - 1].recording, clip=clip) for clip in metadata.clips]
    wrong = {}
    for row in judge(Measured(folder, metadata, measured, *target)).report.left_out:
        one = kept[row.line - 1]
        clip_id = one.change.clip_id
        wrong[clip_id] = Rejected(one.change.line, clip_id, f"{row.reason}, after the repair")
        one.recording.clip.path.unlink()
    return wrong


def _require_readable(dataset: Path, files: Survey) -> None:
    if files.clips:
        return
    for found in files.report.findings:
        if found.severity == "error" and found.line is None and found.file == METADATA:
            raise InputError(f"{dataset / METADATA}: {found.figure}; {found.advice}.")


def _require_place(dataset: Path, out: Path) -> None:
    if out.resolve().is_relative_to(dataset.resolve()):
        raise InputError(
            f"--out {out} is inside the corpus that is cleaned, which is never changed; name a "
            f"folder outside it."
        )
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"--out {out} is a file; name a folder that does not exist yet.")
    if any(out.iterdir()):
        raise InputError(f"--out {out} is not empty; name a folder that does not exist yet.")


def _write_report(folder: Path, cleaned: Cleaned, source: Path, key: str) -> None:
    report = {
        "source": str(source.resolve()),
        "source_key": key,
        "clips": len(cleaned.changes),
        "hours": round(cleaned.hours, 4),
        "left_out_by_you": [row.clip_id for row in cleaned.left_out if row.kind == LEFT_OUT],
        "left_out": [
            {"line": row.line, "clip_id": row.clip_id, "reason": row.reason}
            for row in cleaned.left_out
        ],
        "split": [asdict(each) for each in cleaned.split],
        "changes": [asdict(change) for change in cleaned.changes],
    }
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    (folder / REPORT).write_text(text, encoding="utf-8", newline="\n")


def _nothing_left(dataset: Path, left_out: Sequence[Rejected]) -> str:
    if not left_out:
        return f"{dataset / METADATA} has no rows; write one line id|text per recording."
    first = left_out[0]
    return (
        f"Nothing in {dataset} can be repaired: all {len(left_out)} rows would harm training. "
        f"Line {first.line}, {first.clip_id or 'no id'}: {first.reason}."
    )
