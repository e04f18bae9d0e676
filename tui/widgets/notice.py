"""What is out of the ordinary, said on top: preparing, checked, paused, at the stop, failed."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import ProgressBar, Static

from engine.snapshot import Phase, Snapshot
from tui import wording


class Notice(Vertical):
    """A few words that appear only while there is something to say."""

    def __init__(self) -> None:
        super().__init__(id="notice")
        self._shown: tuple[Phase, str, tuple[int, int] | None] | None = None

    def compose(self) -> ComposeResult:
        """Lay the words above the bar that shows how far a preparation has come."""
        yield Static("", id="notice-words", markup=False)
        # Without a total it would be animated, in sight or not.
        yield ProgressBar(1, id="notice-progress", show_eta=False)

    def show(self, snapshot: Snapshot) -> None:
        """Say what the phase calls for, or nothing."""
        words = notice_words(snapshot)
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
        self.query_one("#notice-words", Static).update(words, layout=not stays)
        bar = self.query_one(ProgressBar)
        bar.display = counts is not None
        if counts is not None:
            bar.update(progress=counts[0], total=counts[1])


def notice_words(snapshot: Snapshot) -> Content:
    """Put into words what a phase means to the person, and what they can do now."""
    match snapshot.phase:
        case Phase.PREPARING:
            return Content(_preparing(snapshot))
        case Phase.CHECKED:
            return _checked(snapshot)
        case Phase.PAUSED:
            return Content.assemble(
                (f"Paused at step {wording.steps(snapshot.step)}.", "bold"),
                "  ",
                _keys(("p", "go on"), ("a", "hear it"), ("q", "leave")),
                _rent(snapshot),
            )
        case Phase.AT_STOP:
            return _at_stop(snapshot)
        case Phase.STOPPING:
            return Content(f"Saving step {wording.steps(snapshot.step)}, then this screen closes.")
        case Phase.FAILED:
            kept = snapshot.checkpoint_step
            saved = "" if kept is None else f"  Saved up to step {wording.steps(kept)}."
            return Content.assemble(
                (
                    wording.printable(snapshot.failure) or "The engine ended without saying why.",
                    "bold",
                ),
                saved,
                "  ",
                _keys(("q", "leave")),
            )
    return Content("")


def _rent(snapshot: Snapshot) -> str:
    return f" · meanwhile {wording.price(snapshot.price)}" if snapshot.price > 0 else ""


def _checked(snapshot: Snapshot) -> Content:
    usable = 0 if snapshot.check is None else snapshot.check.usable
    clips = "the usable clip" if usable == 1 else f"{usable:,} usable clips"
    seconds = snapshot.seconds_to_start
    if seconds is None:
        return Content.assemble(
            (f"Train on {clips}, or mend the errors first?", "bold"),
            "  ",
            _keys(("enter", "begin"), ("q", "leave")),
            _rent(snapshot),
        )
    return Content.assemble(
        (f"Training begins in {seconds} s on {clips}.", "bold"),
        "  ",
        _keys(("enter", "now"), ("h", "hold"), ("q", "leave")),
    )


def _at_stop(snapshot: Snapshot) -> Content:
    step = wording.steps(snapshot.step)
    if snapshot.saved:
        return Content.assemble(
            (f"Stopped at step {step}, saved.", "bold"),
            "  ",
            _keys(("s", "go on to a later stop"), ("a", "hear it"), ("q", "leave")),
        )
    return Content.assemble(
        (f"Stopped at step {step}, not saved: what happened says why.", "bold $error"),
        "  ",
        _keys(("c", "try again"), ("q", "leave")),
    )


def _preparing(snapshot: Snapshot) -> str:
    progress = snapshot.progress
    if progress is None:
        return "Preparing…"
    if not progress.total:
        return f"Preparing: {progress.what}…"
    return f"Preparing: {progress.what}, {progress.done:,} of {progress.total:,}"


def _keys(*keys: tuple[str, str]) -> Content:
    pieces: list[str | tuple[str, str]] = []
    for index, (key, what) in enumerate(keys):
        pieces += [" · " if index else "", (key, "bold $training"), f" {what}"]
    return Content.assemble(*pieces)
