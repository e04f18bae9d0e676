"""The question behind `q`."""

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.screens.dialog import Answers, Dialog

Leaving = Literal["stop", "keep"]


class QuitDialog(Dialog[Leaving]):
    """Asks whether the run ends with the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("s", "choose('stop')", "stop and save"),
        ("k", "choose('keep')", "keep training"),
    ]

    def __init__(
        self,
        about: str,
        *,
        stop: str = "stop and save",
        keep: str = "keep training without the screen",
        keep_first: bool = False,
    ) -> None:
        """Ask with a sentence about the run; Enter takes the first answer."""
        super().__init__()
        self._about = about
        answers = [("stop", "s", stop), ("keep", "k", keep)]
        if keep_first:
            answers.reverse()
        self._choices = (*answers, ("cancel", "esc", "stay here"))

    def compose(self) -> ComposeResult:
        """Set the question over its answers."""
        with Vertical(classes="dialog") as box:
            box.border_title = "quit"
            yield Static(self._about, markup=False)
            yield Answers(
                *(
                    Option(Content.assemble((f"{key:>4}", "bold $training"), f"  {text}"), id=id)
                    for id, key, text in self._choices
                ),
                compact=True,
            )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the highlighted answer."""
        self.action_choose(event.option_id or "cancel")

    def action_choose(self, answer: str) -> None:
        """Close with an answer."""
        match answer:
            case "stop":
                self.dismiss("stop")
            case "keep":
                self.dismiss("keep")
            case _:
                self.dismiss(None)
