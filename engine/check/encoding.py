"""Damage that a text file takes from programs that read it in another encoding."""

import codecs
import re
from collections import Counter

from engine.check.kinds import finding
from engine.check.report import Finding
from engine.data.metadata import Line
from engine.formatting import plural, printable

# LF and CR whose bytes were moved by one: they belong to two characters.
_MOVED_LINE_ENDS = "\u0a00\u0d00\u0a0d\u0d0a"
# Bytes examined to recognise UTF-16 and UTF-32 without a mark.
_HEAD = 4096
_LINE_ENDS = {b"\r\n": "CRLF", b"\n": "LF", b"\r": "CR"}
_LINE_END = re.compile(rb"\r\n|\n|\r")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]{2,}")


def wide_codec(data: bytes) -> str | None:
    """The codec of a file with two or four bytes a character; None for other files."""
    # UTF-32's mark begins with UTF-16's.
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
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


def wide_text(data: bytes, codec: str) -> str | None:
    """A wide file as text; None where it is damaged, so that its lines cannot be counted.

    An extra byte shifts everything after it: nothing is a line end any more, except by chance.
    """
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        return None
    return None if any(moved in text for moved in _MOVED_LINE_ENDS) else text


def line_end_finding(data: bytes) -> tuple[Finding, int] | None:
    """Line ends of more than one kind, and the first line with the rarest of them."""
    ends = _LINE_END.findall(data)
    counts = Counter(ends)
    if len(counts) < 2:
        return None
    rarest = min(counts, key=lambda end: (counts[end], ends.index(end)))
    listed = ", ".join(f"{count:,} in {_LINE_ENDS[end]}" for end, count in counts.most_common())
    return finding("mixed-line-ends", f"lines end {listed}"), ends.index(rarest) + 1


def damage_finding(line: Line) -> Finding | None:
    """Bytes of a line that are not UTF-8, or that are zero."""
    if line.damage:
        byte, column = line.damage
        meant = bytes([byte]).decode("cp1252", "ignore")
        guess = f" ({meant} in Windows-1252)" if meant.isprintable() and meant else ""
        figure = f"byte 0x{byte:02x}{guess} at column {column} is not UTF-8"
        return finding("not-utf-8", figure, float(column))
    if zeros := line.content.count("\0"):
        column = line.content.index("\0") + 1
        figure = f"{plural(zeros, 'zero byte')}, starting at column {column}"
        return finding("zero-byte", figure, float(column))
    return None


def character_finding(text: str) -> Finding | None:
    """Characters that show that a program once read the text in the wrong encoding."""
    lost = text.find("\N{REPLACEMENT CHARACTER}")
    if lost >= 0:
        figure = f"U+FFFD replaces a character that was lost: {_around(text, lost)}"
        return finding("lost-character", figure)
    if text.isascii():
        return None
    import ftfy  # its tables take a moment, and few texts need them

    for found in _NOT_ASCII.finditer(text):
        meant = ftfy.fix_encoding(found[0])
        if meant != found[0]:
            around = _around(text, found.start())
            figure = f"{found[0]!r} is {meant!r} read in another encoding: {around}"
            return finding("mangled-characters", figure)
    return None


def _around(text: str, place: int) -> str:
    return printable(text[max(0, place - 12) : place + 14])
