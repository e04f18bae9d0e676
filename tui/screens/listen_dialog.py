"""What `l` shows: where the listening page is, and how the person's own machine reaches it."""

from threading import Thread
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.style import Style
from textual.widgets import Static

from engine.errors import VoicecoachError
from tui.page.client import Page, start_page
from tui.process.remote import forwards_ports, tunnel_to_page
from tui.screens.dialog import Dialog

_STARTING = "starting the page…"
_RUN = "Run this on your own machine:"
_THEN_OPEN = "Then open this in its browser:"
_FORWARDED = "Your terminal forwards the port. Open this in a browser:"
_HERE = "Open this in a browser on this computer:"
_OUTLIVES = "It keeps running when you quit."


class ListenDialog(Dialog[None]):
    """Starts the page where there is none, and shows its address as a link."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("y", "copy_command", "copy the command"),
        ("u", "copy_address", "copy the address"),
        ("enter,l", "dismiss", "close"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._words = Static(_STARTING, markup=False)
        self._hint = Static("esc closes", classes="hint", markup=False)
        self._address = self._command = ""

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog -tall") as box:
            box.border_title = "listen on your own machine"
            yield self._words
            yield self._hint

    def on_mount(self) -> None:
        """Start the page without waiting for it."""
        Thread(target=self._start, name="page", daemon=True).start()

    def _start(self) -> None:
        try:
            page = start_page()
        except VoicecoachError as error:
            self.call_later(self._words.update, Content.styled(str(error), "$error"))
        else:
            self.call_later(self._show_page, page, tunnel_to_page(page.port), forwards_ports())

    def _show_page(self, page: Page, command: str, forwarded: bool) -> None:
        self._address, self._command = page.address, command
        run: list[Content | str] = [_RUN, Content.styled(command, "bold"), ""] if command else []
        opening = _THEN_OPEN if command else _FORWARDED if forwarded else _HERE
        link = Content.styled(self._address, Style(link=self._address, bold=True, underline=True))
        lines: list[Content | str] = [*run, opening, link, "", Content.styled(_OUTLIVES, "$quiet")]
        self._words.update(Content("\n").join(map(_content, lines)))
        copies = "y copies the command · " if command else ""
        self._hint.update(f"{copies}u copies the address · esc closes")

    def action_copy_command(self) -> None:
        """Copy the command that makes the way to the page."""
        if self._command:
            self.app.copy_to_clipboard(self._command)

    def action_copy_address(self) -> None:
        """Copy the address of the page."""
        if self._address:
            self.app.copy_to_clipboard(self._address)


def _content(text: Content | str) -> Content:
    return text if isinstance(text, Content) else Content(text)
