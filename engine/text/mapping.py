"""From one vocabulary to another: which symbol's embedding every symbol starts from.

A network knows a symbol by its row of the embedding. Rows are moved by symbol and never by their
number: two vocabularies of the same length may still mean another letter with every row.
"""

import shlex
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from anyascii import anyascii

from engine.errors import InputError
from engine.text.vocabulary import Vocabulary

# P and E have the same meaning in every vocabulary and are nobody's neighbours.
_RESERVED = 2
# Symbols that a sentence about them lists.
_MAX_NAMED = 24

# Where a mark starts from: the first of these that the source has. Marks inside a sentence end at
# the space, as which a voice without them reads them; those that end a sentence at one another.
_NEIGHBOURS = {
    ",": ";: ",
    ";": ",: ",
    ":": ";, ",
    "–": "—;,- ",
    "—": "–;,- ",
    "-": " ",
    ".": ";!?, ",
    "!": ".? ",
    "?": ".! ",
    "…": ".;, ",
    "'": "’ ",
    "’": "' ",
    "‘": "'’\" ",
    '"': "“”' ",
    "“": "\"”' ",
    "”": "\"“' ",
    "„": "\"“' ",
    "«": "\"“' ",
    "»": "\"”' ",
    "(": ",; ",
    ")": ",; ",
}


@dataclass(frozen=True)
class SymbolMapping:
    """How the rows of one vocabulary become those of another."""

    theirs: str
    """The symbols of the source, in the order of its rows."""
    ours: str
    """The symbols of the voice, in the order of its rows."""
    starts: tuple[str | None, ...]
    """For each of ours, the source's symbol whose row it starts from: itself, or a neighbour.
    None: it has neither, and starts from the mean of the source's letters."""

    @property
    def same(self) -> bool:
        """Whether nothing changes, the order included."""
        return self.theirs == self.ours

    @property
    def rows(self) -> tuple[int | None, ...]:
        """For each of ours, the source's row; None for the mean of `letter_rows`."""
        return tuple(None if start is None else self.theirs.index(start) for start in self.starts)

    @property
    def known(self) -> tuple[bool, ...]:
        """For each of ours, whether the source has it: only its row has been trained as itself."""
        return tuple(start == own for own, start in zip(self.ours, self.starts, strict=True))

    @property
    def letter_rows(self) -> tuple[int, ...]:
        """The rows of the source's letters; of all that it reads where it has no letter."""
        read = range(_RESERVED, len(self.theirs))
        return tuple(row for row in read if self.theirs[row].isalpha()) or tuple(read)

    @cached_property
    def neighbours(self) -> dict[str, str]:
        """The source's symbol that each new one starts from, where it has a neighbour."""
        return {
            own: start
            for own, start in zip(self.ours, self.starts, strict=True)
            if start is not None and start != own
        }

    @property
    def strangers(self) -> str:
        """New symbols that start from the mean of the letters."""
        pairs = zip(self.ours, self.starts, strict=True)
        return "".join(own for own, start in pairs if start is None)

    @property
    def dropped(self) -> str:
        """Symbols of the source that the voice has not."""
        return "".join(symbol for symbol in self.theirs if symbol not in self.ours)

    def as_json(self) -> dict[str, Any]:
        """The mapping as a person may read it in `state.json`."""
        return {
            "source": self.theirs,
            "from_neighbour": self.neighbours,
            "from_mean_of_letters": self.strangers,
            "dropped": self.dropped,
        }

    def sentences(self) -> list[str]:
        """What happens to the symbols, in a line for each kind of change."""
        kept = sum(self.known)
        if kept == len(self.ours) == len(self.theirs):
            return [f"its {kept} symbols have another order here; each keeps its own embedding"]
        lines = [f"{kept} of {len(self.ours)} symbols are the source's and keep their embeddings"]
        if self.neighbours:
            origins = [f"{_quoted(own)} from {_quoted(of)}" for own, of in self.neighbours.items()]
            lines.append(f"new symbols start from a neighbour: {_listed(origins)}")
        if self.strangers:
            listed = _listed([_quoted(symbol) for symbol in self.strangers])
            lines.append(
                f"new symbols without a neighbour start from the mean of the letters: {listed}"
            )
        if self.dropped:
            listed = _listed([_quoted(symbol) for symbol in self.dropped])
            lines.append(f"symbols of the source that are not read here: {listed}")
        return lines


def map_symbols(theirs: str, ours: str) -> SymbolMapping:
    """Find for every symbol of `ours` the one of `theirs` that it starts from.

    Marks have the neighbours of a table. A letter starts from the one that it has under its
    accent (`ä` from `a`), another of the same base (`a` from `ä`), or the first of its
    transliteration (`ß` from `s`, `ж` from `z`). Any other punctuation starts from the space.

    Raises:
        InputError: one of them is no vocabulary.
    """
    for symbols in (theirs, ours):
        Vocabulary(symbols)
    readable = theirs[_RESERVED:]
    starts = (next(_candidates(symbol, readable), None) for symbol in ours[_RESERVED:])
    return SymbolMapping(theirs, ours, (*ours[:_RESERVED], *starts))


def require_vocabulary(symbols: str) -> None:
    """Refuse what a person typed as an option and is no vocabulary.

    Raises:
        InputError: saying what to type instead.
    """
    try:
        if not symbols.isprintable():
            raise InputError(f"The vocabulary {symbols!r} has characters that cannot be seen.")
        Vocabulary(symbols)
    except InputError as error:
        line = shlex.quote(_mended(symbols))
        raise InputError(f"{str(error).rstrip('.')}: type --vocabulary {line}.") from error


def never_read(vocabulary: Vocabulary) -> str:
    """Symbols that text never comes to after cleaning, so that their rows are never trained.

    With the cleaner `english` these are digits, say, which are spoken as words before.
    """
    return "".join(
        symbol
        for symbol in vocabulary.symbols[_RESERVED:]
        # Alone, within a word, before one and after one: a mark may need company to count.
        if not any(symbol in vocabulary.clean(text.format(symbol)) for text in _COMPANY)
    )


_COMPANY = ("{}", "a{}a", "a {}a", "a{} a", "a {} a")


def _candidates(symbol: str, theirs: str) -> Iterator[str]:
    """The symbols of the source that this one can start from, the nearest first."""
    if symbol in theirs:
        yield symbol
    yield from (near for near in _NEIGHBOURS.get(symbol, "") if near in theirs)
    if symbol.isalpha():
        base = _base(symbol)
        if base in theirs:
            yield base
        yield from (other for other in theirs if other.isalpha() and _base(other) == base)
    latin = _first_of_transliteration(symbol)
    if latin and latin in theirs:
        yield latin
    if unicodedata.category(symbol).startswith("P"):
        yield " "


def _base(letter: str) -> str:
    """A letter in lower case without its accent."""
    return unicodedata.normalize("NFD", letter.lower())[0]


def _first_of_transliteration(symbol: str) -> str:
    """The Latin letter or the digit that a symbol is likest to; empty where that means little.

    Scripts without case are left out: the first letter of a Chinese word says nothing of it.
    """
    if unicodedata.category(symbol) not in ("Ll", "Lu", "Lt", "Nd"):
        return ""
    first = anyascii(symbol)[:1].lower()
    return first if first.isalnum() else ""


def _mended(symbols: str) -> str:
    """The vocabulary that was probably meant."""
    rest = dict.fromkeys(symbol for symbol in symbols if symbol.isprintable())
    return "".join(dict.fromkeys(["P", "E", " ", *rest]))


def _quoted(symbol: str) -> str:
    # A lone accent would hang on the quotation mark.
    seen = symbol.isprintable() and not unicodedata.combining(symbol)
    return repr(symbol) if seen else f"U+{ord(symbol):04X}"


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_MAX_NAMED])
    more = len(names) - _MAX_NAMED
    return f"{shown} and {more:,} more" if more > 0 else shown
