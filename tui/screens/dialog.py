"""What all dialogs share."""

from typing import ClassVar, TypeVar

from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import OptionList

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer]):
    """A box over the main screen that asks one thing; Escape cancels."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave_it", "cancel")]

    _answered = False

    class Ready(Message):
        """A dialog takes keys from here on."""

    takes_keys = False
    """Whether something has focus, so that no key is lost."""

    def on_screen_resume(self) -> None:
        """Take keys once something has focus."""
        self.call_after_refresh(self._take_keys)

    def _take_keys(self) -> None:
        self.takes_keys = True
        self.post_message(self.Ready())

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close with an answer, once: a second Enter would close the screen below."""
        if self._answered or self.app.screen is not self:
            return AwaitComplete()
        self._answered = True
        return super().dismiss(result)

    def action_leave_it(self) -> None:
        """Close without an answer."""
        self.dismiss(None)


def is_laid_out(options: OptionList) -> bool:
    """Whether a list has room and its lines are known, so that pages can be turned."""
    options.scroll_to_highlight()
    return bool(options.scrollable_content_region)


class Answers(OptionList):
    """An option list that survives the page keys where it has no room."""

    def action_page_up(self) -> None:
        """Move the highlight up one page."""
        if is_laid_out(self):
            super().action_page_up()  # type: ignore[no-untyped-call]

    def action_page_down(self) -> None:
        """Move the highlight down one page."""
        if is_laid_out(self):
            super().action_page_down()  # type: ignore[no-untyped-call]
