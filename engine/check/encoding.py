"""Damage that a text file takes from programs that read it in another encoding."""

import codecs
import re
from collections import Counter

from engine.check.report import Fault
from engine.data.metadata import Line
from engine.formatting import plural, printable

# The longer marks first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# LF and CR whose bytes were moved by one: they belong to two characters.
_MOVED_LINE_ENDS = "\u0a00\u0d00\u0a0d\u0d0a"
# Bytes examined to recognise UTF-16 and UTF-32 without a mark.
_HEAD = 4096
_LINE_ENDS = {b"\r\n": "CRLF", b"\n": "LF", b"\r": "CR"}
_LINE_END = re.compile(rb"\r\n|\n|\r")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]{2,}")
_SAVE_AS_UTF8 = "save metadata.csv as UTF-8"
_RESTORE = "write the intended characters, and open the file as UTF-8 from now on"


def wide_codec(data: bytes) -> str | None:
    """The codec of a file with two or four bytes a character; None for other files."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    # In every alphabet with bars, spaces and line ends between the fields, some of the higher
    # bytes are zero, and always in the same positions.
    head = data[:_HEAD]
    for width, name in ((4, "utf-32"), (2, "utf-16")):
        if len(head) < 2 * width or len(data) % width:
            continue
        zeros = [head[place::width].count(0) * width / len(head) for place in range(width)]
        if max(zeros) > 0.7 and min(zeros) < 0.1 and sum(zeros) > width - 1.4:
            return f"{name}-{'be' if data[0] == 0 else 'le'}"
    return None


def is_whole(data: bytes, codec: str) -> bool:
    """Whether a wide file is undamaged, so that its lines can be counted.

    An extra byte shifts everything after it: nothing is a line end any more, except by chance.
    """
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        return False
    return not any(moved in text for moved in _MOVED_LINE_ENDS)


def wide_fault(codec: str) -> Fault:
    """What is wrong with a file in a wide encoding."""
    figure = f"the file is {codec[:6].upper()}, not UTF-8: training cannot read any of its rows"
    advice = (
        f"{_SAVE_AS_UTF8} and check again; speaking rates, unknown characters and English "
        f"coverage are only checked then"
    )
    return Fault("not-utf-8", "error", figure, advice)


def byte_order_mark_fault(data: bytes) -> Fault | None:
    """A byte order mark at the start, which does no harm here."""
    if not data.startswith(codecs.BOM_UTF8):
        return None
    figure = "the file starts with a byte order mark, which is ignored"
    advice = "save it as UTF-8 without one if other programs read it as part of the first id"
    return Fault("byte-order-mark", "note", figure, advice)


def line_end_fault(data: bytes) -> tuple[Fault, int] | None:
    """Line ends of more than one kind, and the first line with the rarest of them."""
    ends = _LINE_END.findall(data)
    counts = Counter(ends)
    if len(counts) < 2:
        return None
    rarest = min(counts, key=lambda end: (counts[end], ends.index(end)))
    listed = ", ".join(f"{count:,} in {_LINE_ENDS[end]}" for end, count in counts.most_common())
    advice = "save it with one kind of line end, so that every editor counts the same lines"
    return Fault("mixed-line-ends", "note", f"lines end {listed}", advice), ends.index(rarest) + 1


def damage_fault(line: Line) -> Fault | None:
    """Bytes of a line that are not UTF-8, or that are zero."""
    if line.damage:
        byte, column = line.damage
        meant = bytes([byte]).decode("cp1252", "ignore")
        guess = f" ({meant} in Windows-1252)" if meant.isprintable() and meant else ""
        figure = f"byte 0x{byte:02x}{guess} at column {column} is not UTF-8"
        advice = f"{_SAVE_AS_UTF8}; training cannot read any of its rows until then"
        return Fault("not-utf-8", "error", figure, advice, float(column))
    if zeros := line.content.count("\0"):
        column = line.content.index("\0") + 1
        figure = f"{plural(zeros, 'zero byte')}, starting at column {column}"
        advice = "the file is damaged here: write the line again or restore it from a backup"
        return Fault("zero-byte", "error", figure, advice, float(column))
    return None


def character_fault(text: str) -> Fault | None:
    """Characters that show that a program once read the text in the wrong encoding."""
    if "\N{REPLACEMENT CHARACTER}" in text:
        column = text.index("\N{REPLACEMENT CHARACTER}")
        figure = f"U+FFFD replaces a character that was lost: {_around(text, column)}"
        return Fault("lost-character", "error", figure, _RESTORE)
    if text.isascii():
        return None
    for found in _NOT_ASCII.finditer(text):
        meant = _intended(found[0])
        if meant != found[0]:
            figure = (
                f"{found[0]!r} is {meant!r} read in another encoding: "
                f"{_around(text, found.start())}"
            )
            return Fault("mangled-characters", "error", figure, _RESTORE)
    return None


def _intended(characters: str) -> str:
    """The characters before they were decoded wrongly; the same where they were not."""
    import ftfy  # its tables take a moment, and few texts need them

    return ftfy.fix_encoding(characters)


def _around(text: str, place: int) -> str:
    return printable(text[max(0, place - 12) : place + 14])
