"""A repaired copy of a corpus; the original is only read."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.check.cleaning import (
    Change,
    Kept,
    Outcome,
    harmful_lines,
    repair_clip,
    without_wrong_texts,
)
from engine.check.metadata_checks import Metadata, check_metadata
from engine.data.audio import AudioSpec
from engine.data.clips import METADATA, RECORDINGS, CorpusScan, Limits, map_in_order
from engine.data.metadata import Rejected
from engine.errors import InputError
from engine.files import new_folder
from engine.text.vocabulary import Vocabulary

REPORT = "clean.json"
"""What was left out and what was changed, next to the repaired `metadata.csv`."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What became of a corpus."""

    folder: Path
    changes: tuple[Change, ...]
    """The clips of the copy, in the order of their lines."""
    left_out: tuple[Rejected, ...]
    hours: float
    """Duration of the copy, trimmed as training trims."""


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
    metadata = check_metadata(scan, vocabulary, limits)
    _require_readable(scan.dataset, metadata)
    harmful = harmful_lines(metadata.findings)
    clips = [clip for clip in metadata.clips if clip.line not in harmful]
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
        outcomes = without_wrong_texts(outcomes)
        kept = [outcome for outcome in outcomes if isinstance(outcome, Kept)]
        rejected = [outcome for outcome in outcomes if isinstance(outcome, Rejected)]
        left_out = tuple(sorted([*harmful.values(), *rejected], key=lambda row: row.line))
        if not kept:
            raise InputError(_nothing_left(scan.dataset, left_out))
        hours = sum(clip.recording.seconds or 0.0 for clip in kept) / 3600
        cleaned = Cleaned(out, tuple(clip.change for clip in kept), left_out, hours)
        _write_lists(scan, folder, cleaned)
    return cleaned


def _require_readable(dataset: Path, metadata: Metadata) -> None:
    if metadata.rows:
        return
    for found in metadata.findings:
        if found.severity == "error" and found.line is None:
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


def _write_lists(scan: CorpusScan, folder: Path, cleaned: Cleaned) -> None:
    rows = (
        "|".join([change.clip_id, *scan.lines[change.line - 1].fields[1:]])
        for change in cleaned.changes
    )
    (folder / METADATA).write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")
    report = {
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
