"""What is out of the ordinary, said above the plots: preparing, paused, at the stop, failed."""

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
        yield ProgressBar(id="notice-progress", show_eta=False)

    def show(self, snapshot: Snapshot) -> None:
        """Say what the phase calls for, or nothing."""
        words = notice_words(snapshot)
        progress = snapshot.progress if snapshot.phase is Phase.PREPARING else None
        counts = (progress.done, progress.total) if progress and progress.total else None
        state = (snapshot.phase, words.plain, counts)
        if state == self._shown:
            return
        self._shown = state
        self.display = bool(words.plain)
        for phase in Phase:
            self.set_class(phase is snapshot.phase, f"-{phase.name.lower()}")
        self.query_one("#notice-words", Static).update(words)
        bar = self.query_one(ProgressBar)
        bar.display = counts is not None
        if counts is not None:
            bar.update(progress=counts[0], total=counts[1])


def notice_words(snapshot: Snapshot) -> Content:
    """Put into words what a phase means to the person, and what they can do now."""
    match snapshot.phase:
        case Phase.PREPARING:
            return Content(_preparing(snapshot))
        case Phase.PAUSED:
            rent = f" · meanwhile {wording.price(snapshot.price)}"
            return Content.assemble(
                (f"Paused at step {wording.steps(snapshot.step)}.", "bold"),
                "  ",
                _keys(("p", "go on"), ("a", "hear it"), ("q", "leave")),
                rent if snapshot.price > 0 else "",
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
