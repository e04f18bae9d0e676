"""What a cloud's notice means to the person, with the seconds that are left."""

from datetime import datetime

from textual.content import Content

from engine.formatting import printable
from engine.run.snapshot import Phase, Snapshot
from tui import formatting


def spot_words(snapshot: Snapshot, now: datetime) -> Content:
    """Say that the cloud takes the machine away, when, and what becomes of the run."""
    notice = snapshot.spot_notice
    if notice is None or snapshot.phase.ended:
        return Content("")
    said = printable(notice.text)
    kept = snapshot.checkpoint_step
    saved = "Nothing is saved yet." if kept is None else f"Saved: step {kept:,}."
    if notice.deadline is None:
        return Content.assemble((f"{said}.", "bold"), f"  {saved}")
    left = formatting.countdown(notice.deadline - now.timestamp())
    on = snapshot.phase is Phase.TRAINING
    then = "  Training goes on to the last safe second." if on else ""
    return Content.assemble((f"{said} in {left}.", "bold $error"), f"  {saved}{then}")
