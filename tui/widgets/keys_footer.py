"""The bottom line of keys."""

from textual.app import ComposeResult
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

from tui.screens.keyed_screen import KeyedScreen


class KeysFooter(Footer):
    """A footer whose keys carry their action as a class, so that a narrow screen can choose.

    They stand in the order of the screen's table, wherever the focus is.
    """

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)

    def compose(self) -> ComposeResult:
        """Mark every key with its action; leave out those that mean nothing here."""
        # Each key follows the footer's `compact`, and Textual forgets the keys of before only
        # when that is set: a screen that stands for weeks would hold all it ever had.
        self.mutate_reactive(Footer.compact)
        keys = [widget for widget in super().compose() if isinstance(widget, FooterKey)]
        order = []
        if isinstance(self.screen, KeyedScreen):
            moment = self.screen.moment
            order = [key.action for key in self.screen.KEYS]
            gone = {key.action for key in self.screen.KEYS if key.fades and key.rests(moment)}
            keys = [widget for widget in keys if widget.action not in gone]
        for widget in keys:
            widget.add_class(f"-{widget.action.replace('_', '-')}")
        yield from sorted(keys, key=lambda key: _place(key.action, order))


def _place(action: str, order: list[str]) -> int:
    return order.index(action) if action in order else len(order)
