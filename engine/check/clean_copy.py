"""A repaired copy of a corpus; the original is only read."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path

from msgspec import Struct

from engine.check.cleaning import MENDED, Change, Kept, Outcome, repair_clip
from engine.check.kinds import reason
from engine.check.metadata_checks import check_metadata
from engine.check.survey import Measured, Survey, corpus_key, judge, survey
from engine.data.audio import AudioSpec
from engine.data.clips import METADATA, RECORDINGS, CorpusScan, Limits, map_in_order, scan_corpus
from engine.data.metadata import Rejected
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


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What became of a corpus."""

    folder: Path
    changes: tuple[Change, ...]
    """The clips of the copy, in the order of their lines."""
    left_out: tuple[Rejected, ...]
    hours: float
    """Duration of the copy, trimmed as training trims."""


class _Origin(Struct):
    """What `clean.json` says of the corpus that a copy was made of."""

    source_key: str = ""


def clean_command(dataset: Path, **options: object) -> str:
    """The shell command that makes the clean copy of a corpus beside it, with other options."""
    out = next(path for path in _places(dataset) if not os.path.lexists(path))
    return shell_command("voicecoach", "clean", dataset, out=out, **options)


def is_clean_copy(folder: Path, key: str) -> bool:
    """Whether a folder holds the clean copy of the corpus with this `corpus_key`."""
    path = folder / REPORT
    try:
        return from_json(read_plain(path, _MAX_REPORT), _Origin, path).source_key == key
    except (OSError, InputError):
        return False


def clean_copy_beside(
    scan: CorpusScan,
    vocabulary: Vocabulary,
    limits: Limits,
    audio: AudioSpec,
    *,
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> Path:
    """Return the folder beside a corpus with its clean copy, made unless it is there.

    It has the corpus's name and `-clean`, with a number where something else has that name.

    Raises as `write_clean_copy`, or `OSError` where a recording has gone meanwhile.
    """
    target = (vocabulary, limits, audio)
    key = corpus_key(scan, *target)
    for out in _places(scan.dataset):
        if is_clean_copy(out, key):
            return out
        if not os.path.lexists(out):
            write_clean_copy(scan, out, *target, on_progress=on_progress, cancelled=cancelled)
            return out
    raise AssertionError("names never run out")


def _places(dataset: Path) -> Iterator[Path]:
    name = f"{dataset.absolute().name}-clean"
    yield dataset.with_name(name)
    for number in count(2):
        yield dataset.with_name(f"{name}-{number}")


def write_clean_copy(
    scan: CorpusScan,
    out: Path,
    vocabulary: Vocabulary,
    limits: Limits,
    audio: AudioSpec,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Cleaned:
    """Write a copy of a corpus that is fit for training, in the same layout.

    Recordings become mono WAV of the voice's rate and 16 bits, repaired as
    `engine.check.cleaning` says. Rows that training could not use, or that would harm it, are left
    out and listed in `clean.json`. The same corpus always gives the same files.

    Args:
        scan: the corpus.
        out: the folder to make; it may exist if it is empty.
        vocabulary: what reads the texts.
        limits: of a clip's length.
        audio: the sound of the voice that will learn from it.
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
    files = survey(scan, *target, on_progress=on_progress, cancelled=cancelled)
    _require_readable(scan.dataset, files)
    lost = {
        line: Rejected(line, found[0].clip_id, reason(harm))
        for line, found in files.errors.items()
        if (harm := next((one for one in found if one.kind not in MENDED), None))
    }
    clips = [clip for clip in files.clips if clip.line not in lost]
    with new_folder(out) as folder:
        outcomes: list[Outcome] = []
        for outcome in map_in_order(
            lambda clip: repair_clip(clip, folder / RECORDINGS, audio, limits),
            clips,
            cancelled=cancelled,
            if_cancelled="The cleaning of the corpus was cancelled.",
        ):
            outcomes.append(outcome)
            on_progress(len(outcomes), len(clips))
        lost |= {outcome.line: outcome for outcome in outcomes if isinstance(outcome, Rejected)}
        kept = [outcome for outcome in outcomes if isinstance(outcome, Kept)]
        while kept and (wrong := _wrong(scan, folder, kept, target)):
            lost |= wrong
            kept = [clip for clip in kept if clip.change.line not in wrong]
        left_out = tuple(lost[line] for line in sorted(lost))
        if not kept:
            raise InputError(_nothing_left(scan.dataset, left_out))
        hours = sum(clip.recording.seconds or 0.0 for clip in kept) / 3600
        cleaned = Cleaned(out, tuple(clip.change for clip in kept), left_out, hours)
        _write_report(folder, cleaned, scan.dataset, key)
    return cleaned


def _wrong(
    scan: CorpusScan, folder: Path, kept: Sequence[Kept], target: _Target
) -> dict[int, Rejected]:
    """Write the list of the copy and check that; return what has an error, without its file."""
    rows = (
        "|".join([one.change.clip_id, *scan.lines[one.change.line - 1].fields[1:]]) for one in kept
    )
    (folder / METADATA).write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")
    metadata = check_metadata(scan_corpus(folder), *target[:2])
    measured = [replace(kept[clip.line - 1].recording, clip=clip) for clip in metadata.clips]
    wrong = {}
    for row in judge(Measured(folder, metadata, measured), *target).report.left_out:
        one = kept[row.line - 1]
        line = one.change.line
        wrong[line] = Rejected(line, one.change.clip_id, f"{row.reason}, after the repair")
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
        "left_out": [
            {"line": row.line, "clip_id": row.clip_id, "reason": row.reason}
            for row in cleaned.left_out
        ],
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
