"""`voicecoach clean`: a mended copy of a corpus; the original is only read."""

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.check.listing import Listing, read_listing
from engine.check.mended_clips import (
    Change,
    Kept,
    LeftOut,
    MendingJob,
    Outcome,
    harmful_lines,
    without_doubtful,
)
from engine.data.audio import AudioSpec
from engine.data.clips import METADATA, RECORDINGS, Limits
from engine.data.metadata import read_bytes, split_lines
from engine.data.workers import Workers
from engine.errors import InputError
from engine.files import new_folder, require_makeable
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary
from engine.voice.folder import Voice

REPORT = "clean.json"
"""What was left out and what was changed, beside the mended `metadata.csv`."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What became of a corpus."""

    folder: Path
    changes: tuple[Change, ...]
    """The clips of the copy, in the order of their lines."""
    left_out: tuple[LeftOut, ...]
    hours: float
    """Duration of the copy."""


def clean(
    dataset: Path,
    out: Path,
    *,
    against: Path | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Cleaned:
    """Write a copy of a corpus that is fit for training, in the same layout.

    Recordings become mono WAV of 22,050 Hz and 16 bits, mended as `engine.check.mending` says.
    Rows that training could not use, or that would harm it, are left out and listed in
    `clean.json`. The same corpus always gives the same files.

    Args:
        dataset: the corpus, in LJ Speech layout.
        out: the folder to make; it may exist if it is empty.
        against: the voice whose symbols and limits decide; the BBC's without it.
        on_progress: is told the clips that are done, and of how many.
        cancelled: is asked between two clips.

    Raises:
        InputError: there is no such corpus, nothing in it is usable, or `out` is taken or can
            never be made.
        EngineError: the copy cannot be written; nothing is left of it.
        Cancelled: `cancelled()` became true; nothing is left of the copy.
    """
    _require_place(dataset, out)
    require_makeable(out)
    vocabulary, limits = _rules(against)
    listing = read_listing(dataset, vocabulary, limits)
    _require_readable(dataset, listing)
    harmful = harmful_lines(listing.findings)
    rows = [row for row in listing.rows if row.line not in harmful]
    with new_folder(out) as folder:
        job = MendingJob(listing.recordings, folder / RECORDINGS, AudioSpec(), limits)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            workers = Workers(pool, cancelled, "The copy was not completed.")
            outcomes: list[Outcome] = []
            for outcome in workers.map(job.mend_one, rows):
                outcomes.append(outcome)
                on_progress(len(outcomes), len(rows))
        kept = without_doubtful(outcomes, vocabulary, folder / RECORDINGS)
        left_out = [*harmful.values(), *(o for o in kept if isinstance(o, LeftOut))]
        changes = tuple(o.change for o in kept if isinstance(o, Kept))
        left_out.sort(key=lambda row: row.line)
        if not changes:
            raise InputError(_nothing_left(dataset, left_out))
        seconds = sum(o.seconds for o in kept if isinstance(o, Kept))
        cleaned = Cleaned(out, changes, tuple(left_out), seconds / 3600)
        _write_lists(dataset, folder, cleaned)
    return cleaned


def _rules(against: Path | None) -> tuple[Vocabulary, Limits]:
    """What decides which clips are usable.

    Raises:
        InputError: there is no voice in the folder.
    """
    if against is None:
        return Vocabulary(BBC_SYMBOLS), Limits()
    settings = Voice.open(against).settings
    return Vocabulary(settings.symbols, settings.cleaner), settings.limits


def _require_readable(dataset: Path, listing: Listing) -> None:
    """Refuse a list of which nothing can be read, for the reason that it has.

    Raises:
        InputError: saying which.
    """
    if listing.rows:
        return
    for found in listing.findings:
        if found.severity == "error" and found.line is None:
            raise InputError(f"{dataset / METADATA}: {found.figure}; {found.advice}.")


def _require_place(dataset: Path, out: Path) -> None:
    """Refuse to write into the original or among somebody's files.

    Raises:
        InputError: saying which.
    """
    if out.resolve().is_relative_to(dataset.resolve()):
        raise InputError(
            f"--out {out} lies in the corpus that is cleaned, which is never touched; name a "
            f"folder beside it."
        )
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"--out {out} is a file; name a folder that does not exist yet.")
    if any(out.iterdir()):
        raise InputError(f"--out {out} is not empty; name a folder that does not exist yet.")


def _write_lists(dataset: Path, folder: Path, cleaned: Cleaned) -> None:
    """Write `metadata.csv` with the texts as they were, and the report beside it."""
    lines = {line.number: line for line in split_lines(read_bytes(dataset / METADATA))}
    rows = [
        "|".join([change.clip_id, *lines[change.line].fields[1:]]) for change in cleaned.changes
    ]
    (folder / METADATA).write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")
    report = {
        "clips": len(cleaned.changes),
        "hours": round(cleaned.hours, 4),
        "left_out": [asdict(row) for row in cleaned.left_out],
        "changes": [asdict(change) for change in cleaned.changes],
    }
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    (folder / REPORT).write_text(text, encoding="utf-8", newline="\n")


def _nothing_left(dataset: Path, left_out: Sequence[LeftOut]) -> str:
    if not left_out:
        return f"{dataset / METADATA} has no row; write a line id|text for each recording."
    first = left_out[0]
    return (
        f"Nothing of {dataset} can be mended: all {len(left_out)} rows would harm training. "
        f"Line {first.line}, {first.clip_id or 'no id'}: {first.reason}."
    )
