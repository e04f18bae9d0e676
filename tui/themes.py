"""The two themes: quiet grounds, one colour for progress and one for what was held out.

The one that a person chose last is remembered for all screens of this account.
"""

from collections.abc import Container
from pathlib import Path

from textual.theme import Theme

from engine.attach.registry import runs_folder
from engine.files import make_folder, read_plain, replacing

_MAX_BYTES = 200

DARK = Theme(
    name="voicecoach-dark",
    primary="#5fb3b3",
    secondary="#8fa8c8",
    accent="#e0af68",
    warning="#e0af68",
    error="#f0717a",
    success="#8cc28c",
    foreground="#d5dbe3",
    background="#12161c",
    surface="#171c24",
    panel="#222a35",
    dark=True,
    variables={
        "quiet": "#8792a2",
        "line": "#3a4554",
        "training": "#5fd0c0",
        "held-out": "#e8b765",
        "attention-ground": "#171c24",
        "attention-middle": "#1f7a80",
        "attention-peak": "#f4e9b8",
        "footer-background": "#1b212a",
        "footer-key-foreground": "#5fd0c0",
        "footer-description-foreground": "#a9b3c1",
        "block-cursor-background": "#2c4a52",
        "block-cursor-foreground": "#e8eef5",
        "block-cursor-text-style": "none",
    },
)

LIGHT = Theme(
    name="voicecoach-light",
    primary="#00737d",
    secondary="#47617f",
    accent="#9a5b00",
    warning="#9a5b00",
    error="#b3261e",
    success="#2c6e2c",
    foreground="#1d242d",
    background="#f6f4ef",
    surface="#fbfaf7",
    panel="#e6e2d9",
    dark=False,
    variables={
        "quiet": "#667080",
        "line": "#c3beb3",
        "training": "#00737d",
        "held-out": "#b06a00",
        "attention-ground": "#f1eee6",
        "attention-middle": "#5aa7a5",
        "attention-peak": "#0b2b3a",
        "footer-background": "#e9e5dc",
        "footer-key-foreground": "#00737d",
        "footer-description-foreground": "#47515e",
        "block-cursor-background": "#bfdedd",
        "block-cursor-foreground": "#10161d",
        "block-cursor-text-style": "none",
    },
)


def remembered_theme(known: Container[str]) -> str:
    """Return the name of the theme that was chosen last, `DARK`'s where none was.

    Raises:
        OSError: the file cannot be read.
        ValueError: it names no theme that is `known`.
    """
    path = _path()
    try:
        name = read_plain(path, _MAX_BYTES).decode().strip()
    except FileNotFoundError:
        return DARK.name
    except UnicodeDecodeError:
        name = ""
    if name not in known:
        raise ValueError(f"{path} names no theme")
    return name


def remember_theme(name: str) -> None:
    """Write down which theme was chosen; raises `OSError` where that cannot be written."""
    path = _path()
    make_folder(path.parent)
    with replacing(path) as file:
        file.write(f"{name}\n".encode())


def _path() -> Path:
    return runs_folder().with_name("theme")
