"""What is out of the ordinary, said on top: preparing, checked, paused, at the stop, failed."""

from datetime import datetime

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import ProgressBar, Static

from engine.formatting import duration, printable
from engine.run.snapshot import Phase, Snapshot
from tui import formatting
from tui.widgets.mirror_words import mirror_words
from tui.widgets.money_words import idle_words, used_up_words
from tui.widgets.spot_words import spot_words
from tui.widgets.warnings import Warnings

# Cells of the narrowest usual screen, for as long as the width is not known.
_NARROW = 78


class Notice(Vertical):
    """A few words that appear only while there is something to say."""

    def __init__(self, *, reading: bool = False, warning: bool = True) -> None:
        """Say nothing that a key dismisses on a screen that has no such key (not `warning`).

        No keys that steer are named where the person only looks on (`reading`).
        """
        super().__init__(id="notice")
        self._reading = reading
        self._words = Static("", id="notice-words", markup=False)
        # Without a total it would be animated, in sight or not.
        self._bar = ProgressBar(1, id="notice-progress", show_eta=False)
        self._warnings = Warnings(reading=reading) if warning else None
        self._shown: tuple[Phase, str, tuple[int, int] | None] | None = None

    def compose(self) -> ComposeResult:
        """Lay the words above the bar that shows how far a preparation has come."""
        yield self._words
        yield self._bar

    def show(self, snapshot: Snapshot, now: datetime) -> None:
        """Say what the cloud, the mirror, the money and the phase call for, or nothing."""
        spot, mirror = spot_words(snapshot, now), mirror_words(snapshot)
        reading = self._reading
        warned = Content("")
        if self._warnings is not None:
            warned = self._warnings.words(snapshot, self.content_size.width or _NARROW)
        used_up = used_up_words(snapshot, reading=reading)
        stands = notice_words(snapshot, reading=reading)
        parts = (spot, mirror, warned, used_up, stands, idle_words(snapshot))
        words = Content("\n").join(part for part in parts if part.plain)
        progress = snapshot.progress if snapshot.phase is Phase.PREPARING else None
        counts = (progress.done, progress.total) if progress and progress.total else None
        state = (snapshot.phase, words.plain, counts)
        if state == self._shown:
            return
        # A countdown keeps its place: nothing but its line is drawn anew.
        before = self._shown
        self._shown = state
        stays = before is not None and before[0] is state[0] and len(before[1]) == len(state[1])
        self.display = bool(words.plain)
        for phase in Phase:
            self.set_class(phase is snapshot.phase, f"-{phase.name.lower()}")
        self.set_class(bool(mirror.plain), "-mirror")
        self.set_class(bool(warned.plain or used_up.plain), "-warned")
        self.set_class(bool(spot.plain), "-spot")
        self._words.update(words, layout=not stays)
        self._bar.display = counts is not None
        if counts is not None:
            self._bar.update(progress=counts[0], total=counts[1])

    def warns(self, snapshot: Snapshot) -> bool:
        """Whether there is a warning that can be dismissed."""
        return self._warnings is not None and self._warnings.any(snapshot)

    def dismiss(self, snapshot: Snapshot, now: datetime) -> None:
        """Show the warning in sight no more, and the next one in its place."""
        if self._warnings is not None:
            self._warnings.dismiss(snapshot)
        self.show(snapshot, now)


def notice_words(snapshot: Snapshot, *, reading: bool = False) -> Content:
    """Put into words what a phase means to the person, and what they can do now.

    Whoever only reads is told of no keys but `q`.
    """
    match snapshot.phase:
        case Phase.PREPARING:
            return Content(_preparing(snapshot))
        case Phase.CHECKED:
            return _checked(snapshot, reading=reading)
        case Phase.PAUSED:
            again = "try again" if snapshot.alarm else "go on"
            paused = Content.assemble(
                (f"Paused at step {snapshot.step:,}.", "bold"),
                "  ",
                _keys(("p", again), ("a", "hear it"), ("q", "leave"), reading=reading),
            )
            stands = _after(paused, _wait_end(snapshot, reading=reading))
            return _after(_after(_alarm(snapshot), stands), _saving_trouble(snapshot))
        case Phase.AT_STOP:
            stands = _after(
                _at_stop(snapshot, reading=reading), _wait_end(snapshot, reading=reading)
            )
            return _after(stands, _saving_trouble(snapshot))
        case Phase.STOPPING:
            saving = f"Saving step {snapshot.step:,}, then this screen closes."
            return _after(Content(saving), _saving_trouble(snapshot))
        case Phase.TRAINING:
            trouble = _after(_alarm(snapshot), _saving_trouble(snapshot))
            return _after(trouble, _lost(snapshot))
        case Phase.FAILED:
            kept = snapshot.checkpoint_step
            saved = "" if kept is None else f"  Saved up to step {kept:,}."
            failed = Content.assemble(
                (
                    printable(snapshot.failure) or "The engine ended without saying why.",
                    "bold",
                ),
                saved,
                "  ",
                _keys(("q", "leave")),
            )
            return _after(failed, _wait_end(snapshot, reading=reading, what="This screen closes"))
    return Content("")


def _alarm(snapshot: Snapshot) -> Content:
    """Say where a step hangs, or why a run waits for the person."""
    return Content.assemble((printable(snapshot.alarm), "bold $error"))


def _wait_end(snapshot: Snapshot, *, reading: bool, what: str = "Ends") -> Content:
    """Say when a run that waits for a person ends by itself, or the screen of one that failed."""
    if snapshot.wait_ends_at is None:
        return Content("")
    at = formatting.clock(datetime.fromtimestamp(snapshot.wait_ends_at))
    where = " on another screen" if reading else ""
    return Content.styled(f"{what} at {at} unless a key is pressed{where}.", "bold $warning")


def _saving_trouble(snapshot: Snapshot) -> Content:
    """Say that checkpoints cannot be written, why, and how much is at risk meanwhile."""
    if not snapshot.saving_trouble:
        return Content("")
    saved = snapshot.checkpoint_step
    since = "" if saved is None else f" since step {saved:,}"
    own = snapshot.step - (saved if saved is not None else snapshot.base_step)
    at_risk = f"Not saved{since}, {own:,} steps at risk: "
    why = printable(snapshot.saving_trouble)
    return Content.assemble((at_risk, "bold $error"), why)


def _lost(snapshot: Snapshot) -> Content:
    """Say which lost steps are being made again, until they are made."""
    lost = snapshot.lost
    if lost is None or snapshot.step >= lost.until:
        return Content("")
    why = ""
    if lost.damaged is not None:
        why = f": checkpoint {lost.damaged:,} was damaged"
    cost = [duration(lost.seconds), formatting.dollars(lost.usd) if lost.usd else ""]
    took = ", ".join(part for part in cost if part)
    return Content(
        f"Making {lost.count:,} steps again that were lost since checkpoint "
        f"{lost.since:,} ({took}){why}."
    )


def _after(first: Content, second: Content) -> Content:
    """Return two notices, one below the other, or the one that there is."""
    if not (first.plain and second.plain):
        return first if first.plain else second
    return Content.assemble(first, "\n", second)


def _checked(snapshot: Snapshot, *, reading: bool) -> Content:
    usable = 0 if snapshot.check is None else snapshot.check.usable
    clips = "the usable clip" if usable == 1 else f"{usable:,} usable clips"
    seconds = snapshot.seconds_to_start
    if seconds is None:
        return Content.assemble(
            (f"Train on {clips}, or mend the errors first?", "bold"),
            "  ",
            _keys(("enter", "begin"), ("q", "leave"), reading=reading),
        )
    return Content.assemble(
        (f"Training begins in {seconds} s on {clips}.", "bold"),
        "  ",
        _keys(("enter", "now"), ("h", "hold"), ("q", "leave"), reading=reading),
    )


def _at_stop(snapshot: Snapshot, *, reading: bool) -> Content:
    step = f"{snapshot.step:,}"
    # Of a budget that is used up it is said above what goes on.
    later = () if snapshot.budget_is_used_up else (("s", "go on to a later stop"),)
    if snapshot.saved:
        return Content.assemble(
            (f"Stopped at step {step}, saved.", "bold"),
            "  ",
            _keys(*later, ("a", "hear it"), ("q", "leave"), reading=reading),
        )
    return Content.assemble(
        (f"Stopped at step {step}, not saved: what happened says why.", "bold $error"),
        "  ",
        _keys(("c", "try again"), ("q", "leave"), reading=reading),
    )


def _preparing(snapshot: Snapshot) -> str:
    progress = snapshot.progress
    if progress is None:
        return "Preparing…"
    if not progress.total:
        return f"Preparing: {progress.what}…"
    return f"Preparing: {progress.what}, {progress.done:,} of {progress.total:,}"


def _keys(*keys: tuple[str, str], reading: bool = False) -> Content:
    pieces: list[str | tuple[str, str]] = []
    named = [(key, what) for key, what in keys if key == "q" or not reading]
    for index, (key, what) in enumerate(named):
        pieces += [" · " if index else "", (key, "bold $training"), f" {what}"]
    return Content.assemble(*pieces)
