"""Damage that a list takes on its way through programs that take it for another encoding."""

import codecs
import re
from collections import Counter

from engine.check.faults import Fault
from engine.data.metadata import Line
from engine.formatting import printable

# The longer marks first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
# LF and CR whose bytes belong to two characters.
_MOVED_LINE_ENDS = "\u0a00\u0d00\u0a0d\u0d0a"
# Bytes looked at to tell UTF-16 and UTF-32 without a mark.
_HEAD = 4096
_LINE_ENDS = {b"\r\n": "CRLF", b"\n": "LF", b"\r": "CR"}
_LINE_END = re.compile(rb"\r\n|\n|\r")
_SAVE_AS_UTF8 = "save metadata.csv with the encoding UTF-8"
_UNMANGLE = "write the characters that were meant, and open the file as UTF-8 from here on"


def wide_encoding(data: bytes) -> str | None:
    """Name the encoding of a file with two or four bytes a character; None for others."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    # In every alphabet with bars, spaces and line ends between the fields, some of the higher
    # bytes are zero, and all of those on the same places.
    head = data[:_HEAD]
    for width, name in ((4, "UTF-32"), (2, "UTF-16")):
        if len(head) < 2 * width or len(data) % width:
            continue
        zeros = [head[place::width].count(0) * width / len(head) for place in range(width)]
        if max(zeros) > 0.7 and min(zeros) < 0.1 and sum(zeros) > width - 1.4:
            return name
    return None


def decode_wide(data: bytes, name: str) -> str:
    """The text of a file in UTF-16 or UTF-32, with U+FFFD for what is no character."""
    return data.decode(_codec(data, name), "replace")


def is_whole(data: bytes, name: str) -> bool:
    """Whether a file in UTF-16 or UTF-32 is undamaged, so that its lines can be counted.

    A byte too many moves all that follow: nothing is a line end any more, unless by chance.
    """
    try:
        text = data.decode(_codec(data, name))
    except UnicodeDecodeError:
        return False
    return not any(moved in text for moved in _MOVED_LINE_ENDS)


def _codec(data: bytes, name: str) -> str:
    """The codec of a file, by its mark or by where its zeros are."""
    if data.startswith(tuple(mark for mark, _ in _MARKS)):
        return name
    return f"{name}-{'BE' if data[0] == 0 else 'LE'}"


def wide_fault(name: str) -> Fault:
    """What is wrong with a whole file in such an encoding."""
    figure = f"the file is {name}, not UTF-8: no row of it can be trained on"
    # These take rows to be judged.
    advice = (
        f"{_SAVE_AS_UTF8} and check again, for its speaking rates, its unknown characters and its "
        f"coverage of English are told only then"
    )
    return Fault("not-utf-8", "error", figure, advice)


def head_fault(data: bytes) -> Fault | None:
    """A byte order mark at the head, which does no harm here."""
    if not data.startswith(codecs.BOM_UTF8):
        return None
    return Fault(
        "byte-order-mark",
        "note",
        "the file starts with a byte order mark, which is passed over",
        "save it as UTF-8 without one where other programs take it for a part of the first id",
    )


def line_end_fault(data: bytes) -> tuple[Fault, int] | None:
    """Line ends of more than one kind, and the first line that ends as the fewest do.

    An editor that knows one kind only counts other lines than are counted here.
    """
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
        return Fault(
            "not-utf-8",
            "error",
            f"byte 0x{byte:02x}{guess} at column {column} is not UTF-8",
            f"{_SAVE_AS_UTF8}; training reads none of its rows until then",
            float(column),
        )
    zeros = line.content.count("\0")
    if zeros:
        column = line.content.index("\0") + 1
        return Fault(
            "zero-byte",
            "error",
            f"{zeros:,} zero {'byte' if zeros == 1 else 'bytes'}, from column {column} on",
            "the file is damaged here: write the line again, or take it from a backup",
            float(column),
        )
    return None


def character_fault(text: str) -> Fault | None:
    """Characters that show that a program took the text for another encoding once."""
    if "\N{REPLACEMENT CHARACTER}" in text:
        column = text.index("\N{REPLACEMENT CHARACTER}")
        return Fault(
            "lost-character",
            "error",
            f"U+FFFD stands for a character that was lost: {_around(text, column)}",
            _UNMANGLE,
        )
    found = _MANGLED.search(text)
    if found:
        meant = unmangled(found.group())
        if meant:
            return Fault(
                "mangled-characters",
                "error",
                f"{found.group()!r} is {meant!r} read in another encoding: "
                f"{_around(text, found.start())}",
                _UNMANGLE,
            )
    return None


def unmangled(characters: str) -> str | None:
    """What UTF-8 was before it was read as Windows-1252; None where it cannot have been that."""
    try:
        return b"".join(map(_byte, characters)).decode("utf-8")
    except ValueError:
        return None


def _byte(character: str) -> bytes:
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        # Five bytes have no character in Windows-1252; programs keep their number.
        return character.encode("latin-1")


def _mangled_pattern() -> re.Pattern[str]:
    """Runs that are UTF-8 read as Windows-1252 and nothing that people write."""

    def characters(first: int, last: int) -> str:
        values = (bytes([value]) for value in range(first, last + 1))
        return "".join(
            value.decode("cp1252", "ignore") + value.decode("latin-1") for value in values
        )

    follow = f"[{re.escape(characters(0x80, 0xBF))}]"
    two = f"[{re.escape(characters(0xC3, 0xDF))}]{follow}"
    three = f"[à-ï]{follow}{{2}}"
    # A letter before a closing quote or an ellipsis is common where a single pair means nothing;
    # several in a row are not. Ã and Â before other signs are common nowhere.
    closing = "’”…–—»›"
    alone = f"(?:Ã(?![{closing}]){follow}|Â(?![{closing}])[\x80-\xbf])"
    signs = f"[âï]{follow}{{2}}|ð{follow}{{3}}"
    return re.compile(f"(?:{two}){{2,}}|(?:{three}){{2,}}|{alone}|{signs}")


_MANGLED = _mangled_pattern()


def _around(text: str, place: int) -> str:
    start = max(0, place - 12)
    shown = text[start : place + 14]
    return printable(shown)
