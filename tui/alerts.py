"""Calls a person away from the screen: the terminal's bell, and a notification of the desktop."""

import os
from collections.abc import Mapping

from engine.formatting import printable
from tui.characters import is_ascii

_MAX_CHARACTERS = 200
_BELL = "\a"
_choice = [True]
"""What `--bell` or `--no-bell` said."""


def choose(ring: bool) -> bool:
    """Remember what the command line said about the bell, and return it."""
    _choice[0] = ring
    return ring


def alert(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return what makes a terminal ring, and show a text outside of it where it can (OSC 9).

    tmux passes the second part on where `allow-passthrough` is on. Empty with `--no-bell`.
    """
    if not _choice[0]:
        return ""
    if environment.get("TERM") == "linux":
        return _BELL  # this console would print the rest
    text = printable(text, _MAX_CHARACTERS)
    if is_ascii():
        from tui.ascii_filter import in_ascii

        text = in_ascii(text)
    # ConEmu takes a text that begins with a digit for another command.
    sequence = f"\x1b]9;voicecoach: {text}\a"
    if "TMUX" in environment:
        sequence = "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    elif "STY" in environment:
        sequence = f"\x1bP{sequence}\x1b\\"
    return _BELL + sequence
