"""The last word before the terminal: nothing but ASCII, for `--ascii`."""

import unicodedata
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_STAND_INS = str.maketrans(
    {
        "·": "-", "•": "o", "…": "~", "“": '"', "”": '"', "’": "'", "×": "x", "°": " ", "–": "-",
        "—": "-", "−": "-", "←": "<", "→": ">", "─": "-", "━": "=", "╸": "=", "╺": "-", "│": "|",
        "┃": "|", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "█": "#", "▌": "|", "▐": "|", "▊": "|",
        "▎": "|", "▔": "-", "▁": "_", "▂": "_", "▃": "_", "▅": "#", "▆": "#", "▇": "#",
        "▀": "^", "▄": "_",
        "●": "*", "○": "o", "✗": "x", "╌": "-", "★": "+", "▸": ">", "▶": ">", "↑": "^", "↓": "v",
    }
)  # fmt: skip


class AsciiFilter(LineFilter):
    """Replaces every other character by its nearest in ASCII, cell by cell."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments with their text in ASCII and their width as it was."""
        return [
            segment if segment.text.isascii() else Segment(in_ascii(segment.text), segment.style)
            for segment in segments
        ]


@lru_cache(maxsize=2048)
def in_ascii(text: str) -> str:
    """Write text in ASCII in as many cells as it takes: `Zoë – 61 °C` is `Zoe - 61  C`."""
    return "".join(_letter(letter) for letter in text.translate(_STAND_INS))


def _letter(letter: str) -> str:
    if letter.isascii():
        return letter
    plain = unicodedata.normalize("NFKD", letter)[0]
    cells = cell_len(letter)
    return plain if plain.isascii() and cells == 1 else "?" * cells
