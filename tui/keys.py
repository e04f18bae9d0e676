"""Every key, once: bindings, footer, help, palette and refusals come from here."""

from collections.abc import Callable, Iterable
from typing import Literal

from msgspec import Struct
from textual.binding import Binding

from engine.run.snapshot import Phase, Snapshot


class Moment(Struct, frozen=True):
    """What decides whether a key does anything now."""

    snapshot: Snapshot
    plots: int = 0
    """Attention plots to choose from."""
    clip: str = ""
    """The clip that the highlighted finding of a check is about."""
    file: str = ""
    """The file that it is about."""
    clip_left_out: Literal["", "by hand", "by the check"] = ""
    one_panel: bool = False
    """Whether the screen has room for one panel at a time."""
    figures_in_sight: bool = False
    """Whether a check's figures have room beside its findings."""
    warned: bool = False
    """Whether there is a warning to dismiss."""
    reading: bool = False
    """Whether the screen is read-only."""
    attached: bool = False
    """Whether another process trains."""

    @property
    def phase(self) -> Phase:
        """What the network that is shown is doing."""
        return self.snapshot.phase

    @property
    def both(self) -> bool:
        """Whether both networks are trained."""
        return self.snapshot.other is not None

    def all_are(self, phase: Phase) -> bool:
        """Whether every network that is trained is in a phase."""
        return all(one.phase is phase for one in self.snapshot.both)


class Key(Struct, frozen=True):
    """A key, what it does, and when it cannot."""

    names: str
    """As Textual names it; after a comma another key that does the same."""
    action: str
    label: str
    """A word or two for the footer."""
    does: str | Callable[[Moment], str]
    """What happens, in a sentence without its full stop."""
    why_not: Callable[[Moment], str] = lambda moment: ""
    """Says why the key does nothing now; empty where it does something."""
    hidden: Callable[[Moment], bool] = lambda moment: False
    """Whether another meaning of the same key holds now."""
    show: bool = True
    """Whether it is in the footer."""
    finds_hidden: bool = False
    """Whether it leads to panels that a small screen has no room for: it is in the footer there."""
    priority: bool = False
    """Whether it comes before what the focused panel does with the key."""
    useless: Callable[[Moment], bool] = lambda moment: False
    """Whether it does nothing in this run whatever happens: the footer leaves it out."""
    steers: bool = False
    """Whether it asks the run for something: a read-only screen has no such keys."""

    def why_disabled(self, moment: Moment) -> str:
        """Say why the key does nothing now; empty where it does something."""
        if self.steers and moment.reading:
            return "this screen is read-only; attach without --read-only to use it"
        return self.why_not(moment)

    def words(self, moment: Moment) -> str:
        """Say what the key does."""
        return self.does if isinstance(self.does, str) else self.does(moment)

    def is_absent(self, moment: Moment) -> bool:
        """Whether neither footer nor help name the key now."""
        return self.hidden(moment) or (self.steers and moment.reading)

    @property
    def binding(self) -> Binding:
        """The key as Textual binds it."""
        return Binding(
            self.names, self.action, self.label, show=self.show, priority=self.priority,
            key_display="enter" if self.names == "enter" else None,
        )  # fmt: skip


def _ended(moment: Moment) -> str:
    if moment.phase is Phase.FAILED:
        return "the engine has ended; only q works"
    return "the run is ending" if moment.phase in (Phase.STOPPING, Phase.STOPPED) else ""


def _not_ready(moment: Moment) -> str:
    preparing = "training is still being prepared" if moment.phase.before_steps else ""
    return _ended(moment) or preparing


def _no_sentence(moment: Moment) -> str:
    if moment.snapshot.of("text2mel").network == "ssrn":
        return "SSRN auditions rebuild a held-out recording; Text2Mel runs speak a sentence"
    return _ended(moment)


def _cannot_pause(moment: Moment) -> str:
    at_stop = moment.all_are(Phase.AT_STOP)
    return "the run is at its stop; s sets a later one" if at_stop else _not_ready(moment)


def _is_paused(moment: Moment) -> bool:
    return any(one.phase is Phase.PAUSED for one in moment.snapshot.both)


def _cannot_train_next(moment: Moment) -> str:
    snapshot = moment.snapshot
    if snapshot.network == "ssrn" or moment.both:
        return "SSRN is trained already"
    if snapshot.phase is Phase.AT_STOP:
        return "" if snapshot.saved else "the last step is not saved yet; c tries again"
    return _not_ready(moment) or "it comes once Text2Mel is at its stop; s sets it"


def _one_network(moment: Moment) -> bool:
    return not moment.both


def _cannot_write(moment: Moment) -> str:
    snapshot = moment.snapshot
    saved = all(one.saved and one.step > 0 for one in snapshot.both)
    return _not_ready(moment) or (f"step {snapshot.step:,} is already saved" if saved else "")


def _no_samples(moment: Moment) -> str:
    hint = "" if moment.reading else "; a makes one"
    return "" if moment.snapshot.samples else f"there is no sample yet{hint}"


def _nothing_to_speak_with(moment: Moment) -> str:
    return "" if moment.snapshot.checkpoints else _no_samples(moment)


def _cannot_compare(moment: Moment) -> str:
    snapshot = moment.snapshot
    steps = {one.step for one in snapshot.checkpoints if one.network == snapshot.network}
    steps |= {one.step for one in snapshot.samples if one.network == snapshot.network}
    return _ended(moment) or ("" if len(steps) > 1 else "there is only one checkpoint to compare")


def _no_original(moment: Moment) -> str:
    why = _no_samples(moment)
    if why or any(sample.original for sample in moment.snapshot.samples):
        return why
    return "only samples of a held-out recording have an original"


def _few_plots(moment: Moment) -> str:
    if moment.snapshot.of("text2mel").network == "ssrn":
        return "SSRN has no attention"
    if not moment.plots:
        return "there is no attention plot yet"
    return "" if moment.plots > 1 else "there is only one attention plot"


def _no_attention(moment: Moment) -> str:
    ssrn = moment.snapshot.of("text2mel").network == "ssrn"
    return "SSRN has no attention" if ssrn else _not_ready(moment)


def _no_check(moment: Moment) -> str:
    if moment.snapshot.check is not None:
        return ""
    if moment.phase.before_steps:
        return "the recordings are still being checked"
    return "the recordings were not checked; see the log"


def _no_advice(moment: Moment) -> str:
    snapshot = moment.snapshot
    there = snapshot.advice is not None or snapshot.recommended is not None
    return "" if there else "there is no advice yet; it comes with the evaluated checkpoints"


def _started(moment: Moment) -> str:
    return "" if moment.phase is Phase.CHECKED else "training has already started"


def _cannot_hold(moment: Moment) -> str:
    held = moment.snapshot.seconds_to_start is None
    return _started(moment) or ("the countdown is already stopped" if held else "")


def _not_started(moment: Moment) -> str:
    hint = "" if moment.reading else "; enter starts it"
    return f"training has not started{hint}" if moment.phase is Phase.CHECKED else ""


def _nothing_to_play(moment: Moment) -> str:
    return "" if moment.clip or moment.file else "this finding is about no clip"


def _not_to_leave_out(moment: Moment) -> str:
    if not moment.clip:
        return "this finding is about no clip"
    if moment.clip_left_out:
        return "its error leaves it out; train --keep-errors uses such clips"
    return _ended(moment)


def _speak(moment: Moment) -> str:
    if moment.snapshot.network == "ssrn":
        return "Play a held-out recording as the current SSRN rebuilds it"
    return "Speak the sentence with the current weights and play it"


def _leave(moment: Moment) -> str:
    if moment.reading:
        return "Close this screen; the run continues"
    if moment.phase is Phase.CHECKED:
        return "Leave while it trains, or end the run before its first step"
    return "Leave while training continues, or save and end the run"


_ADVICE = "Show whether to go on, why, and which checkpoint to export"
_HELP_KEYS = (
    Key("t", "light_or_dark", "light/dark", "Switch between light and dark", show=False),
    Key("question_mark,f1", "help", "help", "Show all keys"),
    Key("q,ctrl+c", "leave", "quit", _leave),
)

KEYS: tuple[Key, ...] = (
    Key("a", "audition", "audition", _speak, _ended, steers=True),
    Key("l", "listen", "listen", "Listen on your own machine: show the page's address"),
    Key("s", "stop_at", "stop at", "Set when the run stops: a step, a time or an amount",
        _ended, steers=True),
    Key("p", "pause", "pause", "Pause training; a paused run can still speak and save",
        _cannot_pause, _is_paused, steers=True),
    Key("p", "go_on", "resume", "Resume training",
        hidden=lambda moment: not _is_paused(moment), steers=True),
    Key("n", "train_next", "train SSRN", "Go on with SSRN, the voice's other network",
        _cannot_train_next, lambda moment: moment.phase is not Phase.AT_STOP,
        useless=lambda moment: moment.both or moment.snapshot.network == "ssrn", steers=True),
    Key("tab", "other_network", "network", "Show the other network", hidden=_one_network),
    Key("shift+tab", "panel", "next panel", "Turn to the next panel", hidden=_one_network,
        show=False, finds_hidden=True),
    Key("tab", "next_panel", "next panel", "Go to the next panel",
        hidden=lambda moment: moment.both, show=False, finds_hidden=True),
    Key("shift+tab", "previous_panel", "previous panel", "Go to the previous panel",
        hidden=lambda moment: moment.both, show=False),
    Key("v", "scores", "scores", "Show what was measured of each checkpoint"),
    Key("w", "why", "advice", _ADVICE, _no_advice),
    Key("r,space", "replay", "replay", "Play the selected sample", _no_samples),
    Key("e", "sentence", "sentences", "Change the sentences that the voice speaks", _no_sentence,
        useless=lambda moment: moment.snapshot.of("text2mel").network == "ssrn", steers=True),
    Key("left_square_bracket", "older_sample", "older", "Play the sentence one checkpoint earlier",
        _no_samples, show=False),
    Key("right_square_bracket", "newer_sample", "newer", "Play the sentence one checkpoint later",
        _no_samples, show=False),
    Key("enter", "speak_selected", "speak", "Speak the sentence with the selected checkpoint",
        _nothing_to_speak_with, show=False),
    Key("comma,left_curly_bracket", "previous_sentence", "previous sentence",
        "Show the samples of the previous sentence", show=False),
    Key("full_stop,right_curly_bracket", "next_sentence", "next sentence",
        "Show the samples of the next sentence", show=False),
    Key("b", "compare", "compare", "Compare the marked checkpoints, or all of them, blind",
        _cannot_compare, steers=True),
    Key("m", "mark", "mark", "Mark the selected checkpoint for comparison, or unmark it",
        _cannot_compare, show=False, steers=True),
    Key("o", "original", "original", "Play the original recording of the selected sample",
        _no_original, show=False),
    Key("y", "copy_player", "copy", "Copy a command that plays the sample on your machine",
        _no_samples, show=False),
    Key("Y", "copy_scp", "copy scp", "Copy the scp command for the selected sample",
        _no_samples, show=False),
    Key("c", "checkpoint", "checkpoint", "Save a checkpoint now", _cannot_write, steers=True),
    Key("k", "check", "check", "Show the check of the recordings", _no_check),
    Key("x", "maximise", "maximise", "Maximise a panel, and back",
        hidden=lambda moment: moment.one_panel),
    Key("z", "zoom_loss", "zoom loss",
        "Show the loss of all steps, the last half or the last 1,000"),
    Key("left", "attention_older", "older attention", "Show an older attention plot",
        _few_plots, show=False, priority=True),
    Key("right", "attention_newer", "newer attention", "Show a newer attention plot",
        _few_plots, show=False, priority=True),
    Key("A", "draw_attention", "draw attention", "Draw the attention of the current weights",
        _no_attention, show=False, steers=True),
    Key("d", "dismiss_warning", "dismiss", "Dismiss the warning at the top",
        hidden=lambda moment: not moment.warned, show=False),
    *_HELP_KEYS,
)  # fmt: skip
"""Keys of the main screen, in the order of the footer; a narrow one leaves out the last."""


CHECK_KEYS: tuple[Key, ...] = (
    Key("enter", "begin", "start", "Start training on the usable clips now", _started,
        priority=True, steers=True),
    Key("c", "clean", "clean first", "Make a clean copy beside the corpus and train on that",
        _started, steers=True),
    Key("h", "hold", "hold", "Stop the countdown and wait for your answer", _cannot_hold,
        steers=True),
    Key("space", "play", "play", "Play the recording that the finding is about", _nothing_to_play,
        priority=True),
    Key("x", "leave_out", "leave out", "Leave the clip out of training", _not_to_leave_out,
        lambda moment: moment.clip_left_out == "by hand", steers=True),
    Key("x", "take_in", "take in", "Use the clip in training again", _ended,
        lambda moment: moment.clip_left_out != "by hand", steers=True),
    Key("y", "copy_player", "copy", "Copy a command that plays it on your machine",
        _nothing_to_play, show=False),
    Key("tab", "figures", "figures", "Switch between findings and figures",
        lambda moment: "they are already on the screen" if moment.figures_in_sight else "",
        priority=True),
    Key("k,escape", "close", "close", "Back to the run", _not_started),
    *_HELP_KEYS,
)  # fmt: skip
"""Keys of the check screen, in the order of the footer."""


SCORES_KEYS: tuple[Key, ...] = (
    Key("v,escape", "close", "close", "Back to the run"),
    Key("w", "why", "advice", _ADVICE, _no_advice),
    *_HELP_KEYS,
)  # fmt: skip
"""Keys of the screen of scores, in the order of the footer."""


def find(action: str, keys: Iterable[Key]) -> Key | None:
    """Return the key of an action."""
    return next((key for key in keys if key.action == action), None)
