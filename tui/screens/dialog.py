"""What all dialogs share."""

from typing import ClassVar, TypeVar

from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.message import Message
from textual.screen import ModalScreen

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer]):
    """A box over the main screen that asks one thing; Escape leaves everything as it was."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave_it", "cancel")]

    _answered = False

    class Ready(Message):
        """A dialog takes keys from here on."""

    takes_keys = False
    """Whether there is something that has focus, so that no key is lost."""

    def on_screen_resume(self) -> None:
        """Take keys once there is something that has focus."""
        self.call_after_refresh(self._take_keys)

    def _take_keys(self) -> None:
        self.takes_keys = True
        self.post_message(self.Ready())

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
