"""The question behind `q`."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.formatting import plural, printable
from engine.run.snapshot import Phase, Snapshot
from tui.screens.dialog import Dialog


class QuitDialog(Dialog[str]):
    """Asks whether the run ends with the screen, `stop`, or goes on, `keep`.

    Enter takes the first answer.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        ("s", "choose('stop')", "stop and save"),
        ("k", "choose('keep')", "keep training"),
    ]

    def __init__(self, snapshot: Snapshot, *, attached: bool) -> None:
        super().__init__()
        self._about = " ".join(filter(None, (_about_phase(snapshot), _about_others(snapshot))))
        answers = [
            ("stop", "s", _stop_words(snapshot, attached=attached)),
            ("keep", "k", _keep_words(snapshot, attached=attached)),
        ]
        if attached:
            answers.reverse()
        self._choices = (*answers, ("", "esc", "stay here"))

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = "quit"
            yield Static(self._about, markup=False)
            yield _Answers(
                *(
                    Option(Content.assemble((f"{key:>4}", "bold $training"), f"  {text}"), id=id)
                    for id, key, text in self._choices
                ),
                compact=True,
            )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.action_choose(event.option_id or "")

    def action_choose(self, answer: str) -> None:
        self.dismiss(answer or None)


class _Answers(OptionList):
    """An option list without pages, which need room."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "first", show=False),
        Binding("pagedown", "last", show=False),
    ]


def _about_phase(snapshot: Snapshot) -> str:
    """Say what the run does, and what would be lost if the disk takes no checkpoints."""
    step = f"{snapshot.step:,}"
    match snapshot.phase:
        case Phase.CHECKED:
            return "Training has not started; nothing is lost."
        case Phase.PREPARING:
            about = "The run is preparing."
        case Phase.AT_STOP if snapshot.saved:
            about = f"Stopped at {step}, saved."
        case Phase.AT_STOP:
            about = f"Step {step} could not be saved; esc stays, then c tries again."
        case phase:
            about = f"The run is {phase.value} at step {step}."
    if not snapshot.saving_trouble or not snapshot.unsaved:
        return about
    steps, why = plural(snapshot.unsaved, "step"), printable(snapshot.saving_trouble).rstrip(".")
    if snapshot.saving_step is not None:
        return f"{about} {steps} not saved yet: {why}."
    return f"{about} {steps} cannot be saved: {why}; otherwise lost two minutes after you stop."


def _about_others(snapshot: Snapshot) -> str:
    others = snapshot.screens - 1
    if others < 1:
        return ""
    screens = "Another screen is" if others == 1 else f"{others} other screens are"
    pause = " The last to leave ends the pause." if snapshot.phase is Phase.PAUSED else ""
    return f"{screens} open on it.{pause}"


def _stop_words(snapshot: Snapshot, *, attached: bool) -> str:
    if snapshot.phase is Phase.CHECKED:
        return "stop, and fix the recordings"
    everyone = attached and snapshot.screens > 1
    return "stop and save (ends the run for everyone)" if everyone else "stop and save"


def _keep_words(snapshot: Snapshot, *, attached: bool) -> str:
    """Say what becomes of the run if the person does not end it."""
    shared = snapshot.screens > 1
    match snapshot.phase:
        case Phase.CHECKED:
            return "train on the usable clips without the screen"
        case Phase.AT_STOP:
            return "leave it to the others" if shared else "leave: it saves and ends"
        case Phase.PAUSED:
            return "leave it paused" if shared else "end the pause and keep training"
    return "leave it running" if attached else "keep training without the screen"
