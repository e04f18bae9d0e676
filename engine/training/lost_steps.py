"""What a run had made and not saved when it was killed: how much, and what it cost."""

from collections.abc import Sequence

from engine.formatting import duration, plural
from engine.run.snapshot import LostSteps
from engine.voice.spend import SpendEntry


def lost_steps(
    stretches: Sequence[SpendEntry],
    network: str,
    step: int,
    last_logged: int | None,
    damaged: int | None = None,
) -> LostSteps | None:
    """What was made after a checkpoint and is not in it; None where nothing was.

    Args:
        stretches: the ledger, oldest first.
        network: which network is trained.
        step: the step of the checkpoint.
        last_logged: the last step that the history has, which may be known from there alone.
        damaged: the newest checkpoint, where that is damaged and was passed over.
    """
    until, seconds, usd = max(step, last_logged or 0), 0.0, 0.0
    ours = [one for one in stretches if one.network == network and one.kind == "training"]
    for stretch in reversed(ours):
        made = stretch.last_step - stretch.first_step
        beyond = stretch.last_step - max(stretch.first_step, step)
        if made > 0 and beyond > 0:
            until = max(until, stretch.last_step)
            seconds += stretch.seconds * beyond / made
            usd += stretch.usd * beyond / made
        # What came before it led to the checkpoint, or was lost once already.
        if made > 0 and stretch.first_step <= step:
            break
    return LostSteps(step, until, seconds, usd, damaged) if until > step else None


def sentence_about(lost: LostSteps) -> str:
    """Tell what was lost: `412 steps since checkpoint 871,000 were lost: 1m58s, $0.03, and …`."""
    steps = plural(lost.count, "step")
    was, are = ("was", "is") if lost.count == 1 else ("were", "are")
    since = f"since checkpoint {lost.since:,}" if lost.since else "from the first on"
    why = "" if lost.damaged is None else f", as checkpoint {lost.damaged:,} was damaged"
    cost = [duration(lost.seconds)] if lost.seconds else []
    cost += [f"${lost.usd:,.2f}"] if lost.usd else []
    told = f": {', '.join(cost)}," if cost else ","
    return f"{steps} {since} {was} lost{why}{told} and {are} made again"
