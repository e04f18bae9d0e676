"""What all dialogs share."""

from typing import ClassVar, TypeVar

from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.screen import ModalScreen

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer]):
    """A box over the main screen that asks one thing; Escape leaves everything as it was."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave_it", "cancel")]

    _answered = False

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close with an answer, once.

        It takes a turn until the dialog is gone, in which a second Enter may reach it. That one
        would close the screen below, and there is none.
        """
        if self._answered:
            return AwaitComplete()
        self._answered = True
        return super().dismiss(result)

    def action_leave_it(self) -> None:
        """Close without an answer."""
        self.dismiss(None)
