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
from tui.process.remote import ssh_connection, tunnel_to_page
from tui.screens.dialog import Dialog

_STARTING = "starting the page…"
_RUN = "Run this on your own machine:"
_THEN_OPEN = "Then open this in its browser:"
_FORWARDED = "Your terminal forwards the port. Open this in a browser:"
_HERE = "Open this in a browser on this computer:"
_ELSEWHERE = "On another computer, run this first:"
_OUTLIVES = "It stays up until ten minutes pass with no run and no browser."


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
            by_ssh = bool(ssh_connection())
            self.call_later(self._show_page, page, tunnel_to_page(page.port), by_ssh=by_ssh)

    def _show_page(self, page: Page, command: str, *, by_ssh: bool) -> None:
        self._address, self._command = page.address, command
        link = Content.styled(self._address, Style(link=self._address, bold=True, underline=True))
        run = Content.styled(command, "bold")
        lines: list[Content | str]
        if not command:
            lines = [_FORWARDED, link]
        elif by_ssh:
            lines = [_RUN, run, "", _THEN_OPEN, link]
        else:
            lines = [_HERE, link, "", _ELSEWHERE, run]
        lines += ["", Content.styled(_OUTLIVES, "$quiet")]
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
