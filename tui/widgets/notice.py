"""What is out of the ordinary, said on top: preparing, checked, paused, at the stop, failed."""

from datetime import datetime
from textwrap import wrap

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import ProgressBar, Static

from engine.formatting import duration, plural, printable, whole_minutes
from engine.run.snapshot import Event, Phase, Snapshot
from engine.run.stop import BUDGET_WARNING_SHARE
from tui import formatting
from tui.reports.check_words import errors_words

_DEFAULT_WIDTH = 78
"""Cells of the narrowest usual screen, for as long as the width is not known."""
_RENT = "the machine still costs"
_MIN_WIDTH = 8
"""Cells that a text has in its second line, however narrow the screen."""


class Notice(Vertical):
    """A few words that appear only while there is something to say."""

    def __init__(self, *, reading: bool = False, warning: bool = True) -> None:
        """Take whether the screen is read-only, and whether it shows what a key dismisses."""
        super().__init__(id="notice")
        self._reading = reading
        self._words = Static("", id="notice-words", markup=False)
        # Without a total it would be animated, in sight or not.
        self._bar = ProgressBar(1, id="notice-progress", show_eta=False)
        self._warnings = Warnings(reading=reading) if warning else None
        self._shown: tuple[Phase, str, tuple[int, int] | None] | None = None

    def compose(self) -> ComposeResult:
        """Lay the words above the progress of a preparation."""
        yield self._words
        yield self._bar

    def show(self, snapshot: Snapshot, now: datetime) -> None:
        """Show what the cloud, the mirror, the money and the phase call for, or nothing."""
        spot, mirror = spot_words(snapshot, now), mirror_words(snapshot)
        warning = Content("")
        if self._warnings is not None:
            warning = self._warnings.words(snapshot, self.content_size.width or _DEFAULT_WIDTH)
        used_up = used_up_words(snapshot, reading=self._reading)
        phase = phase_words(snapshot, reading=self._reading)
        words = _below(spot, mirror, warning, used_up, phase, idle_words(snapshot))
        progress = snapshot.progress if snapshot.phase is Phase.PREPARING else None
        counts = (progress.done, progress.total) if progress and progress.total else None
        state = (snapshot.phase, words.plain, counts)
        if state == self._shown:
            return
        # A countdown keeps its place: nothing but its line is drawn anew.
        before, self._shown = self._shown, state
        stays = before is not None and before[0] is state[0] and len(before[1]) == len(state[1])
        self.display = bool(words.plain)
        for one in Phase:
            self.set_class(one is snapshot.phase, f"-{one.name.lower()}")
        self.set_class(bool(mirror.plain), "-mirror")
        self.set_class(bool(warning.plain or used_up.plain), "-warned")
        self.set_class(bool(spot.plain), "-spot")
        self._words.update(words, layout=not stays)
        self._bar.display = counts is not None
        if counts is not None:
            self._bar.update(progress=counts[0], total=counts[1])

    def warns(self, snapshot: Snapshot) -> bool:
        """Whether there is a warning that can be dismissed."""
        return self._warnings is not None and self._warnings.any(snapshot)

    def dismiss(self, snapshot: Snapshot, now: datetime) -> None:
        """Drop the warning in sight, and show the next one in its place."""
        if self._warnings is not None:
            self._warnings.dismiss(snapshot)
        self.show(snapshot, now)


def spot_words(snapshot: Snapshot, now: datetime) -> Content:
    """Say that the cloud takes the machine away, when, and what becomes of the run."""
    notice = snapshot.spot_notice
    if notice is None or snapshot.phase.ended:
        return Content("")
    text = printable(notice.text)
    newest = snapshot.checkpoint_step
    saved = "Nothing is saved yet." if newest is None else f"Saved: step {newest:,}."
    if notice.deadline is None:
        return Content.assemble((f"{text}.", "bold"), f"  {saved}")
    left = formatting.countdown(notice.deadline - now.timestamp())
    training = snapshot.phase is Phase.TRAINING
    then = "  Training continues until the last safe second." if training else ""
    return Content.assemble((f"{text} in {left}.", "bold $error"), f"  {saved}{then}")


def mirror_words(snapshot: Snapshot) -> Content:
    """Say why nothing goes to the mirror, since when, and what is safe there; or nothing."""
    mirror = snapshot.mirror
    if mirror is None or not mirror.trouble:
        return Content("")
    trouble = printable(mirror.trouble)
    if mirror.unused:
        return Content.assemble(("No mirror:", "bold"), f" {trouble}.")
    since = "" if mirror.since is None else f" since {formatting.clock(mirror.since)}"
    safe = "nothing yet" if mirror.safe_step is None else f"step {mirror.safe_step:,}"
    return Content.assemble((f"Mirror behind{since}:", "bold"), f" {trouble}.  Safe there: {safe}.")


def used_up_words(snapshot: Snapshot, *, reading: bool = False) -> Content:
    """Say that all of the budget is spent, and what can be done."""
    if not budget_is_short(snapshot) or not snapshot.budget_is_used_up:
        return Content("")
    budget, spent = formatting.dollars(snapshot.budget), formatting.dollars(snapshot.spent)
    text = f"The budget of {budget} is used up: {spent} spent."
    return Content.assemble((text, "bold $error"), "  ", _keys(("s", "raise it"), reading=reading))


def idle_words(snapshot: Snapshot) -> Content:
    """Say what an idle machine costs: the rate, and the sum so far."""
    idle = (Phase.CHECKED, Phase.PAUSED, Phase.AT_STOP, Phase.FAILED)
    starting = snapshot.phase is Phase.CHECKED and snapshot.seconds_to_start is not None
    if snapshot.price <= 0 or snapshot.phase not in idle or starting:
        return Content("")
    words = []
    if snapshot.phase is not Phase.PAUSED:
        # A pause names the price itself.
        words.append(f"{_RENT.capitalize()} {formatting.price(snapshot.price)}")
    if snapshot.wait_seconds >= 60:
        so_far, time = formatting.dollars(snapshot.wait_usd), whole_minutes(snapshot.wait_seconds)
        words.append(f"{so_far} idle so far ({time})")
    return Content.styled(" · ".join(words), "bold $warning")


def phase_words(snapshot: Snapshot, *, reading: bool = False) -> Content:
    """Say what a phase means to the person, and what they can do now."""
    alarm = Content.styled(printable(snapshot.alarm), "bold $error")
    trouble = _saving_trouble(snapshot)
    match snapshot.phase:
        case Phase.PREPARING:
            return Content(_preparing(snapshot))
        case Phase.CHECKED:
            return _checked(snapshot, reading=reading)
        case Phase.PAUSED:
            again = "try again" if snapshot.alarm else "resume"
            keys = _keys(("p", again), ("a", "audition"), ("q", "quit"), reading=reading)
            costs = f"; {_RENT} {formatting.price(snapshot.price)}" if snapshot.price > 0 else ""
            paused = Content.assemble((f"Paused at {snapshot.step:,}{costs}.", "bold"), "  ", keys)
            return _below(alarm, paused, _wait_end(snapshot, reading=reading), trouble)
        case Phase.AT_STOP:
            at_stop = _at_stop(snapshot, reading=reading)
            return _below(at_stop, _wait_end(snapshot, reading=reading), trouble)
        case Phase.STOPPING:
            saving = f"Saving step {snapshot.step:,}; then this screen closes."
            return _below(Content(saving), trouble)
        case Phase.TRAINING:
            return _below(alarm, trouble, _lost_steps(snapshot))
        case Phase.FAILED:
            newest = snapshot.checkpoint_step
            saved = "" if newest is None else f"  Saved up to step {newest:,}."
            failure = printable(snapshot.failure) or "The engine ended without a reason."
            failed = Content.assemble((failure, "bold"), saved, "  ", _keys(("q", "quit")))
            return _below(failed, _wait_end(snapshot, reading=reading, what="This screen closes"))
    return Content("")


def _wait_end(snapshot: Snapshot, *, reading: bool, what: str = "Ends") -> Content:
    """Say when a run that waits for a person ends by itself, or the screen of one that failed."""
    if snapshot.wait_ends_at is None:
        return Content("")
    at = formatting.clock(snapshot.wait_ends_at)
    where = " on another screen" if reading else ""
    return Content.styled(f"{what} at {at} unless a key is pressed{where}.", "bold $warning")


def _saving_trouble(snapshot: Snapshot) -> Content:
    """Say that checkpoints cannot be written, why, and how much is at risk meanwhile."""
    if not snapshot.saving_trouble:
        return Content("")
    saved = snapshot.checkpoint_step
    since = "" if saved is None else f" since step {saved:,}"
    at_risk = f"Not saved{since}, {plural(snapshot.unsaved, 'step')} at risk: "
    return Content.assemble((at_risk, "bold $error"), printable(snapshot.saving_trouble))


def _lost_steps(snapshot: Snapshot) -> Content:
    """Say which lost steps are being repeated, until they are."""
    lost = snapshot.lost
    if lost is None or snapshot.step >= lost.until:
        return Content("")
    why = "" if lost.damaged is None else f": checkpoint {lost.damaged:,} was damaged"
    cost = f", {formatting.dollars(lost.usd)}" if lost.usd else ""
    return Content(
        f"Repeating {plural(lost.count, 'step')} lost since checkpoint {lost.since:,} "
        f"({duration(lost.seconds)}{cost}){why}."
    )


def _below(*notices: Content) -> Content:
    """Set notices one below the other, empty ones left out."""
    return Content("\n").join(notice for notice in notices if notice.plain)


def _checked(snapshot: Snapshot, *, reading: bool) -> Content:
    report, seconds = snapshot.check, snapshot.seconds_to_start
    bad = "" if report is None else errors_words(report)
    how = "without them" if report is None or report.usable < report.rows else "anyway"
    if seconds is None:
        keys = _keys(("enter", f"start {how}"), ("q", "quit"), reading=reading)
        return Content.assemble((bad, "bold"), "  ", keys)
    start = f"{bad} Training starts in {seconds} s {how}.".lstrip()
    keys = _keys(("enter", "start"), ("h", "hold"), ("q", "quit"), reading=reading)
    return Content.assemble((start, "bold"), "  ", keys)


def _at_stop(snapshot: Snapshot, *, reading: bool) -> Content:
    # The notice of a used-up budget names the key that raises it.
    later = () if snapshot.budget_is_used_up else (("s", "set a later stop"),)
    if snapshot.saved:
        keys = _keys(*later, ("a", "audition"), ("q", "quit"), reading=reading)
        return Content.assemble((f"Stopped at {snapshot.step:,}, saved.", "bold"), "  ", keys)
    return Content.assemble(
        (f"Stopped at {snapshot.step:,}, not saved: see the log.", "bold $error"),
        "  ",
        _keys(("c", "try again"), ("q", "quit"), reading=reading),
    )


def _preparing(snapshot: Snapshot) -> str:
    progress = snapshot.progress
    if progress is None:
        return "Preparing…"
    if not progress.total:
        return f"Preparing: {progress.what}…"
    return f"Preparing: {progress.what}, {progress.done:,} of {progress.total:,}"


def _keys(*keys: tuple[str, str], reading: bool = False) -> Content:
    """Name keys and what they do; on a screen that only reads none but `q`."""
    named = [(key, what) for key, what in keys if key == "q" or not reading]
    return Content(" · ").join(
        Content.assemble((key, "bold $training"), f" {what}") for key, what in named
    )


def budget_is_short(snapshot: Snapshot) -> bool:
    """Whether so much of the budget is spent that the person must know."""
    return 0 < BUDGET_WARNING_SHARE * snapshot.budget <= snapshot.spent and not snapshot.phase.ended


class Warnings:
    """The warnings that one screen still has to show, one at a time.

    Errors come first, the newest of them before all; then the budget that runs out, then other
    warnings, the newest first.
    """

    def __init__(self, *, reading: bool = False) -> None:
        self._reading = reading
        self._dismissed: frozenset[Event] = frozenset()
        self._budget = 0.0

    def words(self, snapshot: Snapshot, width: int) -> Content:
        """Return the first warning, in two lines of `width` cells at most, or nothing."""
        left = self._left(snapshot)
        if not left:
            return Content("")
        more = f" · +{len(left) - 1:,} more" if len(left) > 1 else ""
        keys = Content.assemble(("d", "bold $training"), f" dismiss{more}")
        warning = left[0]
        if warning is None:
            share = int(100 * snapshot.spent / snapshot.budget)
            budget = formatting.dollars(snapshot.budget)
            text = Content.styled(f"{share} % of the budget of {budget} is spent.", "bold $warning")
            if not self._reading:
                keys = Content.assemble(("s", "bold $training"), " raise it · ", keys)
            return Content.assemble(text, "  ", keys)
        words = _in_two_lines(printable(warning.text), width, keys.cell_length + 2)
        colour = "$error" if warning.severity == "error" else "$warning"
        return Content.assemble((words, f"bold {colour}"), "  ", keys)

    def dismiss(self, snapshot: Snapshot) -> None:
        """Drop the first warning; another budget is warned of again."""
        for warning in self._left(snapshot)[:1]:
            if warning is None:
                self._budget = snapshot.budget
            else:
                # Those that a snapshot has let go of do not return.
                self._dismissed = (self._dismissed & set(snapshot.warnings)) | {warning}

    def any(self, snapshot: Snapshot) -> bool:
        """Whether there is a warning to dismiss."""
        return bool(self._left(snapshot))

    def _left(self, snapshot: Snapshot) -> list[Event | None]:
        """What is not dismissed, in its order; None is the budget."""
        if snapshot.phase.ended:
            return []
        newest_first = [one for one in reversed(snapshot.warnings) if one not in self._dismissed]
        errors = [one for one in newest_first if one.severity == "error"]
        others = [one for one in newest_first if one.severity != "error"]
        short = budget_is_short(snapshot) and not snapshot.budget_is_used_up
        budget = short and snapshot.budget != self._budget
        return [*errors, *([None] if budget else []), *others]


def _in_two_lines(text: str, width: int, taken: int) -> str:
    """Shorten a text to two lines, with `taken` cells of the second left free."""
    first, *rest = wrap(text, width) or [""]
    if not rest:
        return text
    room = max(_MIN_WIDTH, width - taken)
    return f"{first} {wrap(' '.join(rest), room, max_lines=1, placeholder='…')[0]}"
