"""Addresses of machines: pages, mail, numbers of hosts, paths and names of files."""

import re

from engine.text.english.numbers import digit_by_digit
from engine.text.english.rules import Found, Rules, any_of, spoken_forms, starts_sentence, word_list

addresses_spoken = Rules("commands")
"""Addresses as words: "example dot com slash news", "slash e t c slash hosts"; case stays."""

# An address is taken whole or not at all, from a place where none can be under way: so its
# repetitions need no bound.
_MAIL = r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_HOST = r"[A-Za-z0-9](?:[\w-]*\.)+"
_REST = r"(?:[/?#][\w./?#=&%~+:@-]*)?"
_PORT = r"(?::\d{1,5})?"
_ENDINGS = any_of("address_endings")
_KNOWN = word_list("address_endings")
_PAGE = (
    rf"(?:(?:https?|ftp|ssh|git|file)://(?=[\w/.])|(?<![\w.@/-])www\.)[\w.-]*{_PORT}{_REST}"
    rf"|(?<![\w.@/-]){_HOST}(?:{_ENDINGS})\b(?!\.\w){_PORT}{_REST}"
    r"|(?<![\w.@/-])localhost:\d{1,5}[\w./?#=&%~+:@-]*"
)
_BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_YEAR = re.compile(r"(?:19|20)\d\d")
_SCHEME = re.compile(r"^(?:https?|ftp)://")
_PIECE = re.compile(r"[A-Za-z]+|\d+|[^\w]|_")
_MARKS = spoken_forms("address_marks")
_PRONOUNCED = spoken_forms("address_words")
_VERSION = re.compile(r"(?i)(?:\bv|versions?|release|build|firmware|section|§|step|rule)[ .]?$")


def _address(found: Found) -> str:
    address = found[0].rstrip(".,:?-")
    rest = found[0][len(address) :]
    address = _SCHEME.sub("", address)
    return _pieces_spoken(address.rstrip("/") or address) + rest


def _pieces_spoken(address: str) -> str:
    return " ".join(_piece_spoken(piece) for piece in _PIECE.findall(address))


def _piece_spoken(piece: str) -> str:
    """Letters without a vowel one by one, and digits but for one or two."""
    if not piece.isalnum() or piece == "_":
        return _MARKS.get(piece, "")
    if piece.isdecimal():
        return digit_by_digit(piece) if len(piece) > 2 and not _YEAR.fullmatch(piece) else piece
    if piece.lower() in _PRONOUNCED:
        return _PRONOUNCED[piece.lower()]
    return " ".join(piece) if len(piece) < 6 and not set(piece.lower()) & set("aeiouy") else piece


addresses_spoken.add(_MAIL, _address)


@addresses_spoken.reads(
    rf"(?<![\w.,-])({_BYTE}(?:\.{_BYTE}){{3}})(?:/(\d{{1,2}}))?(?::(\d{{1,5}}))?(?![\w-]|[.,]\d)"
)
def _host(found: Found) -> str | None:
    numbers, mask, port = found.groups()
    if found.follows(_VERSION, 12):
        return None
    words = " dot ".join(map(digit_by_digit, numbers.split(".")))
    words += f" slash {mask}" if mask else ""
    return words + (f" colon {digit_by_digit(port)}" if port else "")


# Of Windows; of Unix from a known folder, or with several parts; and of a file below a folder.
_PART = r"[\w.+@-]{1,80}"
addresses_spoken.add(
    rf"(?<![\w\\])(?:[A-Za-z]:\\|\\\\(?=\w))(?:{_PART}(?: {_PART}){{0,2}}\\){{0,20}}(?:{_PART})?",
    _address,
)
addresses_spoken.add(
    rf"(?<![\w.<:/)~])(?:(?:~|\.\.?|\.[A-Za-z][\w-]{{0,20}})(?=/[.\w])"
    rf"|(?=/(?:{any_of('folders')})(?!\w)|/{_PART}/\w|/[\w-]{{1,40}}\.\w))(?:/{_PART}){{1,20}}/?",
    _address,
)
addresses_spoken.add(
    rf"(?<![\w./:@-])(?:[\w-]{{1,40}}/){{1,12}}[\w.-]{{1,80}}\.(?:{_ENDINGS})(?![\w/-])", _address
)
addresses_spoken.add(_PAGE, _address)


@addresses_spoken.reads(r"(?<![\w.…)!?'’-])\.([A-Za-z_][\w-]{0,30}(?:\.[A-Za-z][\w-]{0,20}){0,3})")
def _dotted(found: Found) -> str | None:
    """.bashrc and .NET, but not the dot before a sentence."""
    name = found[1]
    known = name.isupper() or "_" in name or name.lower() in _KNOWN
    begins = starts_sentence(name.capitalize()) or name[0].isupper()
    return None if begins and not known else f" dot {_pieces_spoken(name)}"
