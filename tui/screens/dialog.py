"""What all dialogs share."""

from typing import ClassVar, TypeVar

from textual.binding import BindingType
from textual.screen import ModalScreen

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer]):
    """A box over the main screen that asks one thing; Escape leaves everything as it was."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave_it", "cancel")]

    def action_leave_it(self) -> None:
        """Close without an answer."""
        self.dismiss(None)
