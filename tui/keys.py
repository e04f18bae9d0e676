"""Every key, once: bindings, footer, help, palette and refusals come from here."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from textual.binding import Binding

from engine.run.snapshot import Phase, Snapshot


@dataclass(frozen=True, slots=True)
class Moment:
    """What decides whether a key does anything now."""

    snapshot: Snapshot
    plots: int = 0
    """Attention plots to choose from."""
    figures_in_sight: bool = False
    """Whether a check's figures have room beside its findings."""
    warned: bool = False
    """Whether there is a warning to dismiss."""
    reading: bool = False
    """Whether the screen is read-only."""
    attached: bool = False
    """Whether another process trains."""


WhyNot = Callable[[Moment], str]
"""Says why a key does nothing now; empty where it does something."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key, what it does, and when it cannot."""

    key: str
    """As Textual names it."""
    action: str
    label: str
    """A word or two for the footer."""
    help: str
    """What happens, in a sentence without its full stop."""
    why_not: WhyNot = lambda moment: ""
    show: bool = True
    """Whether it is in the footer."""
    priority: bool = False
    """Whether it comes before what the focused panel does with the key."""
    hidden: Callable[[Moment], bool] = lambda moment: False
    """Whether another meaning of the same key holds now."""
    fades: bool = False
    """Whether it leaves the footer while it does nothing, and is not grey there."""
    steers: bool = False
    """Whether it asks the run for something: a read-only screen has no such keys."""
    reader_help: str = ""
    """What happens on a read-only screen, where that is something else."""
    also: tuple[str, ...] = ()
    """Other keys that do the same."""

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that do this."""
        return (self.key, *self.also)

    def why_disabled(self, moment: Moment) -> str:
        """Say why the key does nothing now; empty where it does something."""
        if self.steers and moment.reading:
            return "this screen is read-only; attach without --read-only to use it"
        return self.why_not(moment)

    def words(self, moment: Moment) -> str:
        """Say what the key does."""
        return self.reader_help if moment.reading and self.reader_help else self.help

    def is_absent(self, moment: Moment) -> bool:
        """Whether neither footer nor help name the key now."""
        return self.hidden(moment) or (self.steers and moment.reading)

    def bindings(self) -> list[Binding]:
        """Return the keys as Textual binds them, the one to show first."""
        return [
            Binding(
                key, self.action, self.label, tooltip=self.help, show=self.show and key == self.key,
                priority=self.priority, key_display=_DISPLAY.get(key),
            )
            for key in self.keys
        ]  # fmt: skip


_DISPLAY = {"left": "←", "right": "→", "question_mark": "?", "enter": "enter"}


def _ended(moment: Moment) -> str:
    phase = moment.snapshot.phase
    if phase is Phase.FAILED:
        return "the engine has ended; only q works"
    return "the run is ending" if phase in (Phase.STOPPING, Phase.STOPPED) else ""


def _not_ready(moment: Moment) -> str:
    preparing = moment.snapshot.phase.before_steps
    return _ended(moment) or ("training is still being prepared" if preparing else "")


def _cannot_speak(moment: Moment) -> str:
    speaking = moment.snapshot.auditioning
    # Asked for during the preparation, it is done before the first step.
    return _ended(moment) or ("the previous sample is still being spoken" if speaking else "")


def _cannot_pause(moment: Moment) -> str:
    if moment.snapshot.phase is Phase.AT_STOP:
        return "the run is at its stop; s sets a later one"
    return _not_ready(moment)


def _cannot_write(moment: Moment) -> str:
    snapshot = moment.snapshot
    saved = snapshot.saved and snapshot.step > 0
    return _not_ready(moment) or (f"step {snapshot.step:,} is already saved" if saved else "")


def _no_samples(moment: Moment) -> str:
    if moment.snapshot.samples:
        return ""
    return "there is no sample yet" + ("" if moment.reading else "; a makes one")


def _no_original(moment: Moment) -> str:
    if moment.snapshot.network != "ssrn":
        return "only SSRN samples have an original recording"
    return _no_samples(moment)


def _few_plots(moment: Moment) -> str:
    return "" if moment.plots > 1 else "there is only one attention plot"


def _no_attention(moment: Moment) -> str:
    if moment.snapshot.network == "ssrn":
        return "SSRN has no attention"
    return _not_ready(moment)


def _no_check(moment: Moment) -> str:
    if moment.snapshot.check is not None:
        return ""
    if moment.snapshot.phase.before_steps:
        return "the recordings are still being checked"
    return "the recordings were not checked; see the log"


def _started(moment: Moment) -> str:
    return "" if moment.snapshot.phase is Phase.CHECKED else "training has already started"


def _cannot_hold(moment: Moment) -> str:
    held = moment.snapshot.seconds_to_start is None
    return _started(moment) or ("the countdown is already stopped" if held else "")


def _not_started(moment: Moment) -> str:
    waits = moment.snapshot.phase is Phase.CHECKED
    if not waits:
        return ""
    return "training has not started" + ("" if moment.reading else "; enter starts it")


def _in_sight(moment: Moment) -> str:
    return "they are already on the screen" if moment.figures_in_sight else ""


def _no_warning(moment: Moment) -> bool:
    return not moment.warned


def _paused(moment: Moment) -> bool:
    return moment.snapshot.phase is Phase.PAUSED


def _running(moment: Moment) -> bool:
    return not _paused(moment)


KEYS: tuple[Key, ...] = (
    Key("a", "audition", "audition",
        "Speak the sentence with the current weights and play it", _cannot_speak,
        steers=True),
    Key("s", "stop_at", "stop at",
        "Set when the run stops: a step, a time or an amount", _not_ready, steers=True),
    Key("c", "checkpoint", "checkpoint", "Save a checkpoint now", _cannot_write,
        steers=True),
    Key("p", "pause", "pause",
        "Pause training; a paused run can still speak and save", _cannot_pause,
        hidden=_paused, steers=True),
    Key("p", "go_on", "resume", "Resume training", hidden=_running, steers=True),
    Key("r", "replay", "replay", "Play the selected sample", _no_samples),
    Key("o", "original", "original",
        "Play the original recording of an SSRN sample", _no_original, show=False),
    Key("e", "sentence", "sentence", "Change the sentence that auditions speak", _ended,
        steers=True),
    Key("left", "attention_older", "older attention", "Show an older attention plot",
        _few_plots, show=False, priority=True),
    Key("right", "attention_newer", "newer attention", "Show a newer attention plot",
        _few_plots, show=False, priority=True),
    Key("k", "check", "check",
        "Show the check of the recordings", _no_check),
    Key("n", "draw_attention", "draw attention",
        "Draw the attention of the current weights", _no_attention, show=False,
        steers=True),
    Key("d", "dismiss_warning", "dismiss",
        "Dismiss the warning at the top", show=False, hidden=_no_warning),
    Key("x", "maximise", "maximise", "Maximise a panel, and back", show=False),
    Key("tab", "next_panel", "next panel", "Go to the next panel", show=False),
    Key("y", "copy_scp", "copy scp",
        "Copy the scp command for the selected sample", _no_samples, show=False),
    Key("t", "light_or_dark", "light/dark", "Switch between light and dark",
        show=False),
    Key("question_mark", "help", "help", "Show all keys", also=("f1",)),
    Key("q", "leave", "quit", "Stop and save, or keep training without the screen",
        reader_help="Close this screen; the run continues", also=("ctrl+c",)),
)  # fmt: skip
"""Keys of the main screen, in the order of the footer."""


CHECK_KEYS: tuple[Key, ...] = (
    Key("enter", "begin", "start",
        "Start training on the usable clips now", _started, priority=True, fades=True,
        steers=True),
    Key("h", "hold", "hold",
        "Stop the countdown and wait for your answer", _cannot_hold, also=("space",),
        fades=True, steers=True),
    Key("tab", "figures", "figures",
        "Switch between findings and figures", _in_sight, priority=True,
        fades=True),
    Key("k", "close", "close", "Back to the run", _not_started, also=("escape",), fades=True),
    Key("t", "light_or_dark", "light/dark", "Switch between light and dark",
        show=False),
    Key("question_mark", "help", "help", "Show all keys", also=("f1",)),
    Key("q", "leave", "quit", "Stop, or keep training without the screen",
        reader_help="Close this screen; the run continues", also=("ctrl+c",)),
)  # fmt: skip
"""Keys of the check screen, in the order of the footer."""


def find(action: str, keys: Iterable[Key]) -> Key | None:
    """Return the key of an action."""
    return next((key for key in keys if key.action == action), None)
