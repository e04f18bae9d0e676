"""The bottom line of keys."""

from textual.app import ComposeResult
from textual.widgets import Footer
from textual.widgets._footer import FooterKey


class KeysFooter(Footer):
    """A footer whose keys carry their action as a class, so that a narrow screen can choose."""

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)

    def compose(self) -> ComposeResult:
        """Mark every key with its action."""
        for widget in super().compose():
            if isinstance(widget, FooterKey):
                widget.add_class(f"-{widget.action.replace('_', '-')}")
            yield widget
