"""What `voicecoach clean` prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.formatting import duration, plural, printable

if TYPE_CHECKING:
    from engine.check.clean_copy import Cleaned

_MAX_LEFT_OUT = 20


def print_cleaned(cleaned: "Cleaned", next_command: str) -> None:
    """Print what the copy holds, what was changed, what was left out, and the next command."""
    console = Console(markup=False, highlight=False, emoji=False)
    left_out = cleaned.left_out
    trimmed = sum(change.trimmed for change in cleaned.changes)
    shortened = [change.shortened for change in cleaned.changes if change.shortened]
    gains = sorted(change.gain for change in cleaned.changes)
    cuts = [f"{trimmed:,.1f} s cut at the ends"]
    if shortened:
        pauses = plural(len(shortened), "clip")
        cuts.append(f"{sum(shortened):,.1f} s of pauses cut in {pauses}")
    cuts.append(f"loudness changed by {gains[0]:+.1f} to {gains[-1]:+.1f} dB")
    clips = plural(len(cleaned.changes), "clip")
    console.print(f"{cleaned.folder}: {clips}, {duration(cleaned.hours * 3600)}")
    console.print("; ".join(cuts))
    if cleaned.split:
        parts = sum(len(clip.parts) for clip in cleaned.split)
        long = plural(len(cleaned.split), "long clip")
        console.print(f"split {long} at pauses into {plural(parts, 'clip')}")
    if left_out:
        console.print(f"left out {plural(len(left_out), 'clip')}:")
        rows = [(row.line, row.clip_id or "–", row.reason) for row in left_out]
        print_left_out(console, rows, "clip", "clean.json")
    # In one line, however long, so that it can be copied.
    console.print(f"next: {next_command}", soft_wrap=True)


def print_left_out(
    console: Console, rows: Sequence[tuple[object, ...]], heading: str, more_in: str
) -> None:
    """Print some rows of line, clip and reason; `more_in` says where all of them are."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("line", justify="right")
    table.add_column(heading)
    table.add_column("why", overflow="fold")
    for row in rows[:_MAX_LEFT_OUT]:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    console.print(table)
    if len(rows) > _MAX_LEFT_OUT:
        console.print(f"and {len(rows) - _MAX_LEFT_OUT:,} more (see {more_in})")
