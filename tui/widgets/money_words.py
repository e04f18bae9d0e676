"""What money calls for on top of the screen: a budget that runs out, a machine that waits."""

from textual.content import Content

from engine.formatting import whole_minutes
from engine.run.snapshot import Phase, Snapshot
from tui import formatting

_WARNING_SHARE = 0.8
_WAITING = (Phase.CHECKED, Phase.PAUSED, Phase.AT_STOP, Phase.FAILED)


def budget_is_short(snapshot: Snapshot) -> bool:
    """Whether so much of the budget is spent that the person has to be warned."""
    return 0 < _WARNING_SHARE * snapshot.budget <= snapshot.spent and not snapshot.phase.ended


def budget_share_words(snapshot: Snapshot) -> Content:
    """Say how much of the budget is spent where that is most of it, and not all."""
    if not budget_is_short(snapshot) or snapshot.budget_is_used_up:
        return Content("")
    share = int(100 * snapshot.spent / snapshot.budget)
    budget = formatting.dollars(snapshot.budget)
    return Content.styled(f"{share} % of the budget of {budget} is spent.", "bold $warning")


def used_up_words(snapshot: Snapshot, *, reading: bool = False) -> Content:
    """Say that all of the budget is spent, and what can be done.

    Whoever only reads raises no budget.
    """
    if not budget_is_short(snapshot) or not snapshot.budget_is_used_up:
        return Content("")
    budget, spent = formatting.dollars(snapshot.budget), formatting.dollars(snapshot.spent)
    raising = Content("") if reading else Content.assemble(("s", "bold $training"), " raises it")
    used_up = f"The budget of {budget} is used up: {spent} is spent."
    return Content.assemble((used_up, "bold $error"), "  ", raising)


def idle_words(snapshot: Snapshot) -> Content:
    """Say what a machine costs whose run waits: the rate, and what it came to so far."""
    if snapshot.price <= 0 or snapshot.phase not in _WAITING:
        return Content("")
    if snapshot.phase is Phase.CHECKED and snapshot.seconds_to_start is not None:
        return Content("")
    words = f"This machine still costs {formatting.price(snapshot.price)}"
    if snapshot.wait_seconds >= 60:
        waited = whole_minutes(snapshot.wait_seconds)
        words += f" · idle {formatting.dollars(snapshot.wait_usd)} so far ({waited})"
    return Content.styled(words, "bold $warning")
