"""The command palette behind `^p`."""

from typing import Any, ClassVar

from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.command import CommandList, CommandPalette
from textual.worker import Worker

from tui.screens.dialog import is_laid_out


class Palette(CommandPalette):
    """Textual's palette, made safe for bursts of keys and terminals of any size.

    Its search looks for widgets that are gone once it is closed, a second Escape would close the
    screen below as well, and a list without room has no pages.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pagedown", "turn_page('page_down')", "next page", show=False),
        Binding("pageup", "turn_page('page_up')", "previous page", show=False),
    ]

    _was_dismissed = False

    def run_worker(self, work: Any, *options: Any, **more: Any) -> Worker[Any]:  # noqa: ANN401 - Textual's
        """Run a search; its failure does not end the app."""
        return super().run_worker(work, *options, **(more | {"exit_on_error": False}))

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close, once."""
        if self._was_dismissed or self.app.screen is not self:
            return AwaitComplete()
        self._was_dismissed = True
        return super().dismiss(result)

    def action_turn_page(self, action: str) -> None:
        """Turn a page of the results."""
        for commands in self.query(CommandList):
            if is_laid_out(commands):
                self._action_command_list(action)
