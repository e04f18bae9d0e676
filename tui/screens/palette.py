"""The command palette behind `^p`."""

from typing import Any, ClassVar

from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.command import CommandList, CommandPalette
from textual.worker import Worker


class Palette(CommandPalette):
    """Textual's palette, made safe for bursts of keys and terminals of any size.

    Its search looks for widgets that are gone once it is closed, a second Escape would close the
    screen below as well, and a list without room has no pages.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pagedown", "turn_page('page_down')", "next page", show=False),
        Binding("pageup", "turn_page('page_up')", "previous page", show=False),
    ]

    def run_worker(self, work: Any, *options: Any, **more: Any) -> Worker[Any]:  # noqa: ANN401 - Textual's
        """Run a search; its failure does not end the app."""
        return super().run_worker(work, *options, **(more | {"exit_on_error": False}))

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close, once."""
        return super().dismiss(result) if self.is_active else AwaitComplete()

    def action_turn_page(self, action: str) -> None:
        """Turn a page of the results, where there is room for one."""
        for commands in self.query(CommandList):
            commands.scroll_to_highlight()  # its lines are known only once they were drawn
            if commands.scrollable_content_region:
                self._action_command_list(action)
