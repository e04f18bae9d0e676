"""What all dialogs share."""

from typing import Any, ClassVar, TypeVar

from textual import events
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.screen import ModalScreen

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer]):
    """A box over the main screen that asks one thing; Escape leaves everything as it was."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave_it", "cancel")]

    _answered = False

    def __init__(self) -> None:
        super().__init__()
        self._early: list[events.Key] = []
        self._takes_keys = False

    def keep(self, key: events.Key) -> bool:
        """Keep a key for the moment at which the dialog can take it; say whether that is to come.

        Keys that arrive in one burst with the one that opens find nothing that has focus.
        """
        if not self._takes_keys:
            self._early.append(key)
        return not self._takes_keys

    def on_screen_resume(self) -> None:
        """Take keys once there is something that has focus."""
        self.call_after_refresh(self._take_keys)

    def _take_keys(self) -> None:
        self._takes_keys = True
        early, self._early = self._early, []
        if early:
            # By the app: a key that a dialog sends would not find its way back to the app's keys.
            self.app.call_later(_press, self.app, early)

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close with an answer, once.

        It takes a turn until the dialog is gone, in which a second Enter may reach it. That one
        would close the screen below, and there is none.
        """
        if self._answered or self.app.screen is not self:
            return AwaitComplete()
        self._answered = True
        return super().dismiss(result)

    def action_leave_it(self) -> None:
        """Close without an answer."""
        self.dismiss(None)


def _press(app: App[Any], keys: list[events.Key]) -> None:
    for key in keys:
        app.post_message(events.Key(key.key, key.character))
