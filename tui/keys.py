"""Every key, once: bindings, bottom line, help, palette and refusals come from here."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from textual.binding import Binding

from engine.run.snapshot import Phase, Snapshot


@dataclass(frozen=True, slots=True)
class Moment:
    """What decides whether a key can do anything now."""

    snapshot: Snapshot
    plots: int = 0
    """Attention plots there are to look at."""
    figures_in_sight: bool = False
    """Whether the screen has room for the figures of a check beside its findings."""
    warned: bool = False
    """Whether a warning is there to be dismissed."""
    reading: bool = False
    """Whether the screen only reads: keys that steer do nothing on it."""
    attached: bool = False
    """Whether another process trains."""


WhyNot = Callable[[Moment], str]
"""Says why a key does nothing now; an empty answer means that it does something."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key, what it does, and when it cannot."""

    key: str
    """As Textual names it."""
    action: str
    label: str
    """A word or two for the bottom line."""
    help: str
    """What happens, in a sentence without its full stop."""
    why_not: WhyNot = lambda moment: ""
    """Asked by `rests`, which knows of reading as well."""
    show: bool = True
    """Whether it stands in the bottom line."""
    priority: bool = False
    """Whether it comes before what the focused panel does with the key."""
    hidden: Callable[[Moment], bool] = lambda moment: False
    """Whether another meaning of the same key holds now."""
    fades: bool = False
    """Whether it leaves the bottom line while it does nothing, and is not grey there."""
    steers: bool = False
    """Whether it asks the run for something, so that a screen that only reads has it not."""

    reader_help: str = ""
    """What happens on a screen that only reads, where that is something else."""

    also: tuple[str, ...] = ()
    """Other keys that do the same."""

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that do this."""
        return (self.key, *self.also)

    def rests(self, moment: Moment) -> str:
        """Say why the key does nothing now; an empty answer means that it does something."""
        if self.steers and moment.reading:
            return "this screen only reads; attach without --read-only to steer"
        return self.why_not(moment)

    def words(self, moment: Moment) -> str:
        """Say what happens, in a sentence without its full stop."""
        return self.reader_help if moment.reading and self.reader_help else self.help

    def is_absent(self, moment: Moment) -> bool:
        """Whether neither bottom line nor help name the key now."""
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
        return "the engine has ended; only q is left"
    return "the run is ending" if phase in (Phase.STOPPING, Phase.STOPPED) else ""


def _not_ready(moment: Moment) -> str:
    preparing = moment.snapshot.phase.before_steps
    return _ended(moment) or ("the network is still being prepared" if preparing else "")


def _cannot_speak(moment: Moment) -> str:
    speaking = moment.snapshot.auditioning
    # While the network is being prepared the wish waits for it: it is carried out first.
    return _ended(moment) or ("the sample before is still being spoken" if speaking else "")


def _cannot_pause(moment: Moment) -> str:
    if moment.snapshot.phase is Phase.AT_STOP:
        return "the stop is reached; s sets a later one"
    return _not_ready(moment)


def _cannot_write(moment: Moment) -> str:
    snapshot = moment.snapshot
    saved = snapshot.saved and snapshot.step > 0
    return _not_ready(moment) or (f"step {snapshot.step:,} is saved already" if saved else "")


def _no_samples(moment: Moment) -> str:
    if moment.snapshot.samples:
        return ""
    return "there is no sample yet" + ("" if moment.reading else "; a makes one")


def _no_original(moment: Moment) -> str:
    if moment.snapshot.network != "ssrn":
        return "only samples of SSRN have a recording beside them"
    return _no_samples(moment)


def _few_plots(moment: Moment) -> str:
    return "" if moment.plots > 1 else "there is no other attention plot yet"


def _no_attention(moment: Moment) -> str:
    if moment.snapshot.network == "ssrn":
        return "SSRN has no attention"
    return _not_ready(moment)


def _no_check(moment: Moment) -> str:
    if moment.snapshot.check is not None:
        return ""
    if moment.snapshot.phase.before_steps:
        return "the recordings are still being checked"
    return "the recordings were not checked; what happened says why"


def _begun(moment: Moment) -> str:
    return "" if moment.snapshot.phase is Phase.CHECKED else "training has begun already"


def _cannot_hold(moment: Moment) -> str:
    held = moment.snapshot.seconds_to_start is None
    return _begun(moment) or ("it waits for your answer already" if held else "")


def _not_begun(moment: Moment) -> str:
    waits = moment.snapshot.phase is Phase.CHECKED
    if not waits:
        return ""
    return "training has not begun" + ("" if moment.reading else "; enter begins it")


def _in_sight(moment: Moment) -> str:
    return "they are in sight already" if moment.figures_in_sight else ""


def _no_warning(moment: Moment) -> bool:
    return not moment.warned


def _paused(moment: Moment) -> bool:
    return moment.snapshot.phase is Phase.PAUSED


def _running(moment: Moment) -> bool:
    return not _paused(moment)


KEYS: tuple[Key, ...] = (
    Key("a", "audition", "audition",
        "Speak the sentence with the weights of this moment, and play it", _cannot_speak,
        steers=True),
    Key("s", "stop_at", "stop at",
        "Say when the run shall stop: a step, a time or a sum", _not_ready, steers=True),
    Key("c", "checkpoint", "checkpoint", "Save the weights of this moment", _cannot_write,
        steers=True),
    Key("p", "pause", "pause",
        "Make no more steps for now; the run can still speak and save", _cannot_pause,
        hidden=_paused, steers=True),
    Key("p", "go_on", "go on", "Take up the steps again", hidden=_running, steers=True),
    Key("r", "replay", "replay", "Play the highlighted sample again", _no_samples),
    Key("o", "original", "original",
        "Play the recording that an SSRN sample was made from", _no_original, show=False),
    Key("e", "sentence", "sentence", "Change the sentence that auditions speak", _ended,
        steers=True),
    Key("left", "attention_older", "older attention", "Look at an older attention plot",
        _few_plots, show=False, priority=True),
    Key("right", "attention_newer", "newer attention", "Look at a newer attention plot",
        _few_plots, show=False, priority=True),
    Key("k", "check", "check",
        "Look at what the check of the recordings found", _no_check),
    Key("n", "draw_attention", "draw attention",
        "Draw the attention anew with the weights of this moment", _no_attention, show=False,
        steers=True),
    Key("d", "dismiss_warning", "dismiss",
        "Show the warning on top no more", show=False, hidden=_no_warning),
    Key("x", "maximise", "maximise", "Give one panel the whole screen, and back", show=False),
    Key("tab", "next_panel", "next panel", "Go to the next panel", show=False),
    Key("y", "copy_scp", "copy scp",
        "Copy the scp line that fetches the highlighted sample", _no_samples, show=False),
    Key("t", "light_or_dark", "light/dark", "Change between the light and the dark theme",
        show=False),
    Key("question_mark", "help", "help", "Show what every key does", also=("f1",)),
    Key("q", "leave", "quit", "Stop and save, or let it train on without a screen",
        reader_help="Leave; the run goes on", also=("ctrl+c",)),
)  # fmt: skip
"""Those of the main screen, in the order of the bottom line."""


CHECK_KEYS: tuple[Key, ...] = (
    Key("enter", "begin", "begin",
        "Begin to train on the usable clips at once", _begun, priority=True, fades=True,
        steers=True),
    Key("h", "hold", "hold",
        "Stop the countdown, and wait for your answer", _cannot_hold, also=("space",),
        fades=True, steers=True),
    Key("tab", "figures", "figures",
        "Look at the figures of the whole, and back at the findings", _in_sight, priority=True,
        fades=True),
    Key("k", "close", "close", "Go back to the run", _not_begun, also=("escape",), fades=True),
    Key("t", "light_or_dark", "light/dark", "Change between the light and the dark theme",
        show=False),
    Key("question_mark", "help", "help", "Show what every key does", also=("f1",)),
    Key("q", "leave", "quit", "End, or let it train without a screen",
        reader_help="Leave; the run goes on", also=("ctrl+c",)),
)  # fmt: skip
"""Those of the check's screen, in the order of the bottom line."""


def find(action: str, keys: Iterable[Key]) -> Key | None:
    """Return the key of an action."""
    return next((key for key in keys if key.action == action), None)
