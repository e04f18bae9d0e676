"""What is out of the ordinary, said on top: preparing, checked, paused, at the stop, failed."""

from datetime import datetime

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import ProgressBar, Static

from engine.check.report import CheckReport
from engine.choices import NETWORK_TITLES
from engine.formatting import duration, plural, printable, whole_minutes
from engine.jobs.demo import next_commands
from engine.run.sample import lacking_ssrn
from engine.run.snapshot import Event, Phase, Snapshot
from engine.run.stop import BUDGET_WARNING_SHARE
from tui.formatting import clock, countdown, dollars, price
from tui.reports.check_words import errors_words
from tui.widgets.status_line import in_lines

_WIDTH_FOR_COMMAND, _HEIGHT_FOR_COMMAND = 60, 20
"""The size from which on the command that exports a checkpoint has room at the stop."""
_ROOMY_FROM = 30
"""Rows of a screen that make room for more than what has to be known at the stop."""
_RENT = "the machine still costs"


class Notice(Vertical):
    """A few words that appear only while there is something to say.

    Of the warnings that a person must have seen it shows one at a time, until a key dismisses it:
    errors first, the newest of them before all; then the budget that runs out, then the others.
    """

    def __init__(self, *, reading: bool = False, warning: bool = True) -> None:
        """Take whether the screen is read-only, and whether it shows what a key dismisses."""
        super().__init__(id="notice")
        self._reading = reading
        self._warning = warning
        self._words = Static("", id="notice-words", markup=False)
        # Without a total it would be animated, in sight or not.
        self._bar = ProgressBar(1, id="notice-progress", show_eta=False)
        self._bar.display = False
        self._shown: tuple[str, str, int, int] | None = None
        self._dismissed: frozenset[Event] = frozenset()
        self._dismissed_budget = 0.0

    def compose(self) -> ComposeResult:
        yield self._words
        yield self._bar

    def show(self, snapshot: Snapshot, now: datetime) -> None:
        """Show what the cloud, the mirror, the money and the phase call for, or nothing."""
        spot, mirror = spot_words(snapshot, now), mirror_words(snapshot)
        warning = self._warning_words(snapshot)
        used_up = used_up_words(snapshot, reading=self._reading)
        words = _below(spot, mirror, warning, used_up, *self._phase_words(snapshot))
        kinds = {"-mirror": mirror, "-warned": _below(warning, used_up), "-spot": spot}
        classes = [f"-{snapshot.phase.name.lower()}", *(k for k in kinds if kinds[k].plain)]
        progress = snapshot.progress if snapshot.phase is Phase.PREPARING else None
        done, total = (progress.done, progress.total) if progress else (0, 0)
        state = (" ".join(classes), words.plain, done, total)
        if state == self._shown:
            return
        # A countdown keeps its place: nothing but its line is drawn anew.
        before, self._shown = self._shown, state
        stays = before is not None and before[0] == state[0] and len(before[1]) == len(state[1])
        self.display = bool(words.plain)
        self.set_classes(classes)
        self._words.update(words, layout=not stays)
        self._bar.display = total > 0
        if total:
            self._bar.update(progress=done, total=total)

    def _phase_words(self, snapshot: Snapshot) -> tuple[Content, ...]:
        """What the phase and the machine call for, and at the stop first what to export.

        A screen of few rows keeps them for its panels: there `w` has the rest.
        """
        size = self.app.size
        width = size.width - self.gutter.width
        brief = size.width < _WIDTH_FOR_COMMAND or size.height < _HEIGHT_FOR_COMMAND
        recommended = recommended_words(snapshot, width, brief=brief)
        idle = idle_words(snapshot)
        if recommended.plain and size.height < _ROOMY_FROM:
            stopped = _stopped_in_a_line(snapshot, reading=self._reading)
            return recommended, stopped, _saving_trouble(snapshot), idle
        phase = phase_words(snapshot, reading=self._reading)
        return recommended, phase, idle, next_words(snapshot, reading=self._reading)

    def warns(self, snapshot: Snapshot) -> bool:
        """Whether there is a warning that can be dismissed."""
        return bool(self._warnings(snapshot))

    def dismiss(self, snapshot: Snapshot, now: datetime) -> None:
        """Drop the warning in sight, and show the next one in its place."""
        for warning in self._warnings(snapshot)[:1]:
            if warning is None:
                # Another budget is warned of again.
                self._dismissed_budget = snapshot.budget
            else:
                # Those that a snapshot has let go of do not return.
                self._dismissed = (self._dismissed & set(snapshot.warnings)) | {warning}
        self.show(snapshot, now)

    def _warnings(self, snapshot: Snapshot) -> list[Event | None]:
        """What is not dismissed, in its order; None is the budget."""
        if snapshot.phase.ended or not self._warning:
            return []
        newest_first = [one for one in reversed(snapshot.warnings) if one not in self._dismissed]
        errors = [one for one in newest_first if one.severity == "error"]
        others = [one for one in newest_first if one.severity != "error"]
        short = BUDGET_WARNING_SHARE * snapshot.budget <= snapshot.spent < snapshot.budget
        budget = short and snapshot.budget != self._dismissed_budget
        return [*errors, *([None] if budget else []), *others]

    def _warning_words(self, snapshot: Snapshot) -> Content:
        """Return the first warning, in two lines at most, and the keys for it; or nothing."""
        warnings = self._warnings(snapshot)
        if not warnings:
            return Content("")
        warning = warnings[0]
        dismiss = "dismiss" + (f" · +{len(warnings) - 1:,} more" if len(warnings) > 1 else "")
        if warning is None:
            share = int(100 * snapshot.spent / snapshot.budget)
            text = f"{share} % of the budget of {dollars(snapshot.budget)} is spent."
            keys = (("s", "raise it"), ("d", dismiss))
            return _offer(text, *keys, style="bold $warning", reading=self._reading)
        room = len(f"  d {dismiss}")
        width = self.app.size.width - self.gutter.width
        words = in_lines(printable(warning.text), width, 2, room)
        colour = "$error" if warning.severity == "error" else "$warning"
        return _offer(words, ("d", dismiss), style=f"bold {colour}")


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
    left = countdown(notice.deadline - now.timestamp())
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
    since = "" if mirror.since is None else f" since {clock(mirror.since)}"
    safe = "nothing yet" if mirror.safe_step is None else f"step {mirror.safe_step:,}"
    return Content.assemble((f"Mirror behind{since}:", "bold"), f" {trouble}.  Safe there: {safe}.")


def used_up_words(snapshot: Snapshot, *, reading: bool = False) -> Content:
    """Say that all of the budget is spent, and what can be done."""
    if snapshot.phase.ended or not snapshot.budget_is_used_up:
        return Content("")
    spent = dollars(snapshot.spent)
    text = f"The budget of {dollars(snapshot.budget)} is used up: {spent} spent."
    return _offer(text, ("s", "raise it"), style="bold $error", reading=reading)


def idle_words(snapshot: Snapshot) -> Content:
    """Say what an idle machine costs: the rate, and the sum so far."""
    idle = (Phase.CHECKED, Phase.PAUSED, Phase.AT_STOP, Phase.FAILED)
    training = any(one.phase is Phase.TRAINING for one in snapshot.both)
    starting = snapshot.phase is Phase.CHECKED and snapshot.seconds_to_start is not None
    if snapshot.price <= 0 or snapshot.phase not in idle or starting or training:
        return Content("")
    words = []
    if snapshot.phase is not Phase.PAUSED:
        # A pause names the price itself.
        words.append(f"{_RENT.capitalize()} {price(snapshot.price)}")
    if snapshot.wait_seconds >= 60:
        so_far, time = dollars(snapshot.wait_usd), whole_minutes(snapshot.wait_seconds)
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
            costs = f"; {_RENT} {price(snapshot.price)}" if snapshot.price > 0 else ""
            keys = (("p", again), ("a", "audition"), ("q", "quit"))
            paused = _offer(f"Paused at {snapshot.step:,}{costs}.", *keys, reading=reading)
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
            failed = _offer(f"{failure}{saved}", ("q", "quit"))
            return _below(failed, _wait_end(snapshot, reading=reading, what="This screen closes"))
    return Content("")


def _wait_end(snapshot: Snapshot, *, reading: bool, what: str = "Ends") -> Content:
    """Say when a run that waits for a person ends by itself, or the screen of one that failed."""
    if snapshot.wait_ends_at is None:
        return Content("")
    at = clock(snapshot.wait_ends_at)
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
    cost = f", {dollars(lost.usd)}" if lost.usd else ""
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
    how = _with_what(report)
    clean, leave = ("c", "clean first"), ("q", "quit")
    if seconds is None:
        return _offer(bad, ("enter", f"start {how}".rstrip()), clean, leave, reading=reading)
    start = f"{bad} Training starts in {f'{seconds} s {how}'.strip()}.".lstrip()
    return _offer(start, ("enter", "start"), clean, ("h", "hold"), leave, reading=reading)


def _with_what(report: CheckReport | None) -> str:
    """Say what becomes of the clips with errors; nothing where none is left."""
    if report is None or not report.with_errors:
        return "" if report and not report.harmful else "anyway"
    left_out = len(report.left_out) - report.by_hand
    if left_out == report.with_errors:
        return "without them" if left_out > 1 else "without it"
    return f"without {left_out:,} of them" if left_out else "with them"


def _at_stop(snapshot: Snapshot, *, reading: bool) -> Content:
    stopped, other = f"Stopped at {snapshot.step:,}", snapshot.other
    if not snapshot.saved:
        keys = (("c", "try again"), ("q", "quit"))
        text = f"{stopped}, not saved: see the log."
        return _offer(text, *keys, style="bold $error", reading=reading)
    # The notice of a used-up budget names the key that raises it.
    later = () if snapshot.budget_is_used_up else (("s", "later stop"),)
    then = (("n", "train SSRN"),) if snapshot.network == "text2mel" and other is None else ()
    meanwhile = ""
    if other is not None and other.phase is Phase.TRAINING:
        meanwhile = f"; {NETWORK_TITLES[other.network]} trains on"
    hear = () if meanwhile else (("a", "hear it"),)
    keys = (*hear, *then, *later, ("q", "quit"))
    return _offer(f"{stopped}, saved{meanwhile}.", *keys, reading=reading)


def recommended_words(snapshot: Snapshot, width: int, *, brief: bool) -> Content:
    """Say at a saved stop which checkpoint to export, how sure that is, and how it is done."""
    best = snapshot.recommended
    if best is None or snapshot.phase is not Phase.AT_STOP or not snapshot.saved:
        return Content("")
    if brief:
        return _offer(f"★ Export {best.step:,}", ("w", "why and how"))
    sure = f": {printable(best.certainty)}." if best.certainty else ""
    text = in_lines(f"★ Export {best.step:,}{sure}", width, 1, len("  w why"))
    return _below(_offer(text, ("w", "why")), Content(printable(snapshot.export_command)))


def _stopped_in_a_line(snapshot: Snapshot, *, reading: bool) -> Content:
    """Say that the run is at its stop, and when it ends: the footer has the keys."""
    stopped, at = f"Stopped at {snapshot.step:,}, saved", snapshot.wait_ends_at
    where = " on another screen" if reading else ""
    ends = "" if at is None else f"; ends at {clock(at)} unless a key is pressed{where}"
    return Content.styled(f"{stopped}{ends}.", "bold")


def next_words(snapshot: Snapshot, *, reading: bool = False) -> Content:
    """Say what comes after the stop: below all else, for a small screen cuts it off."""
    if snapshot.phase is not Phase.AT_STOP or not snapshot.saved:
        return Content("")
    lacking = lacking_ssrn(snapshot.checkpoints)
    if lacking and snapshot.other is None and snapshot.network == "text2mel":
        text = f"A voice needs two networks: {lacking}."
        return _offer(text, ("n", "train it now"), style="", reading=reading)
    told = (
        Content.assemble((f"Next, {what}: ", "bold"), printable(command))
        for what, command in next_commands(snapshot)[:1]
    )
    return _below(*told)


def _preparing(snapshot: Snapshot) -> str:
    progress = snapshot.progress
    if progress is None:
        return "Preparing…"
    if not progress.total:
        return f"Preparing: {progress.what}…"
    return f"Preparing: {progress.what}, {progress.done:,} of {progress.total:,}"


def _offer(
    text: str, *keys: tuple[str, str], style: str = "bold", reading: bool = False
) -> Content:
    """Set keys and what they do behind a text; on a read-only screen only those that work there."""
    named = Content(" · ").join(
        Content.assemble((key, "bold $training"), f" {what}")
        for key, what in keys
        if key in "dqw" or not reading
    )
    return Content.assemble((text, style), "  ", named)
