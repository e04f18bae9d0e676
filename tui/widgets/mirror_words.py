"""How far the copy of a voice in its mirror has come, in words."""

from datetime import datetime

from textual.content import Content

from engine.formatting import printable
from engine.run.snapshot import Snapshot
from tui.widgets.parts import Part


def mirror_part(snapshot: Snapshot) -> Part:
    """Say which step is safe in the mirror, that it is behind, or that none is in use."""
    mirror = snapshot.mirror
    if mirror is None:
        return Part("")
    if mirror.unnamed:
        return Part("nothing copied", "bold $warning", rank=1)
    if mirror.trouble:
        return Part("mirror behind", "bold $warning", rank=1)
    if mirror.safe_step is None:
        return Part("nothing yet", "$quiet", rank=3, label="mirror")
    return Part(f"{mirror.safe_step:,}", "$quiet", rank=3, label="mirror")


def mirror_words(snapshot: Snapshot) -> Content:
    """Say why nothing goes to the mirror, since when, and what is safe there; or nothing."""
    mirror = snapshot.mirror
    if mirror is None or not mirror.trouble:
        return Content("")
    trouble = printable(mirror.trouble)
    if mirror.unnamed:
        return Content.assemble(("No mirror:", "bold"), f" {trouble}.")
    since = "" if mirror.since is None else f" since {datetime.fromtimestamp(mirror.since):%H:%M}"
    safe = (
        "Nothing is known to be safe there."
        if mirror.safe_step is None
        else f"Safe there: step {mirror.safe_step:,}."
    )
    return Content.assemble((f"Mirror behind{since}:", "bold"), f" {trouble}.  {safe}")
