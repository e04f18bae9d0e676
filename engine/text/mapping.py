"""From one vocabulary to another: which symbol's embedding every symbol starts from.

A symbol is a row of the embedding. Rows are moved by symbol and never by number: in two
vocabularies of the same length every row may be another letter.
"""

import shlex
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.choices import CleanerName
from engine.errors import InputError
from engine.formatting import JOINERS
from engine.text.plain import composed_symbols
from engine.text.vocabulary import Vocabulary

# P and E have the same meaning in every vocabulary and are never neighbours.
_RESERVED = 2
# Symbols that a sentence about them lists.
_MAX_NAMED = 24
# Where a symbol may stand, beside a letter: the cleaner drops some marks where no word is near.
_CONTEXTS = ("{1}", "{0}{1}{0}", "{0} {1}{0}", "{0}{1} {0}", "{0} {1} {0}")

# The symbol that a mark starts from: the first of these that the source has. For marks inside a
# sentence the last is the space, as which a voice without them reads them.
_NEIGHBOURS = {
    ",": ";: ", ";": ",: ", ":": ";, ", "–": "—;,- ", "—": "–;,- ", "-": " ",
    ".": ";!?, ", "!": ".? ", "?": ".! ", "…": ".;, ", "(": ",; ", ")": ",; ",
    "'": "’ ", "’": "' ", "‘": "'’\" ", '"': "“”' ",
    "“": "\"”' ", "”": "\"“' ", "„": "\"“' ", "«": "\"“' ", "»": "\"”' ",
}  # fmt: skip


@dataclass(frozen=True)
class SymbolMapping:
    """How the rows of one vocabulary become those of another."""

    source: str
    """The symbols of the source, in the order of its rows."""
    target: str
    """The symbols of the voice, in the order of its rows."""
    starts: tuple[str | None, ...]
    """For each target symbol, the source symbol whose row it starts from: itself, or a neighbour;
    None for the mean of the source's letters."""

    @property
    def rows(self) -> tuple[int | None, ...]:
        """For each target symbol, the source's row; None for the mean of `letter_rows`."""
        return tuple(None if start is None else self.source.index(start) for start in self.starts)

    @property
    def known(self) -> tuple[bool, ...]:
        """For each target symbol, whether the source has it, so that its row is trained."""
        return tuple(start == own for own, start in zip(self.target, self.starts, strict=True))

    @property
    def letter_rows(self) -> tuple[int, ...]:
        """The rows of the source's letters, or of all symbols but P and E if it has none."""
        read = range(_RESERVED, len(self.source))
        return tuple(row for row in read if self.source[row].isalpha()) or tuple(read)

    def as_json(self) -> dict[str, Any]:
        """The mapping as it stands in `state.json`."""
        starts = dict(zip(self.target, self.starts, strict=True))
        return {
            "source": self.source,
            "from_neighbour": {
                own: near for own, near in starts.items() if near not in (own, None)
            },
            "from_mean_of_letters": "".join(own for own, near in starts.items() if near is None),
            "dropped": "".join(symbol for symbol in self.source if symbol not in self.target),
        }

    def sentences(self) -> list[str]:
        """What happens to the symbols, one sentence for each kind of change."""
        kept, changed = sum(self.known), self.as_json()
        if kept == len(self.target) == len(self.source):
            return [f"its {kept} symbols are in another order here; each keeps its embedding"]
        near = changed["from_neighbour"].items()
        changes = {
            "new symbols start from a neighbour": [
                f"{_quoted(a)} from {_quoted(b)}" for a, b in near
            ],
            "new symbols without a neighbour start from the mean of the letters": [
                *map(_quoted, changed["from_mean_of_letters"])
            ],
            "symbols of the source that this voice lacks": [*map(_quoted, changed["dropped"])],
        }
        return [
            f"{kept} of {len(self.target)} symbols keep the source's embeddings",
            *(f"{change}: {_listed(names)}" for change, names in changes.items() if names),
        ]


def map_symbols(source: str, target: str) -> SymbolMapping:
    """Find for every symbol of `target` the one of `source` that it starts from.

    Raises:
        InputError: one of them is no vocabulary.
    """
    for symbols in (source, target):
        Vocabulary(symbols)
    readable = source[_RESERVED:]
    starts = (next(_candidates(symbol, readable), None) for symbol in target[_RESERVED:])
    return SymbolMapping(source, target, (*target[:_RESERVED], *starts))


def vocabulary_option(typed: str, cleaner: CleanerName | None = None) -> str:
    """The symbols that a value of `--vocabulary` means, in the Unicode form in which texts are.

    With a cleaner, each of them must be one that it reads.

    Raises:
        InputError: it is no vocabulary; the message has one to type instead, or another option.
    """
    symbols = composed_symbols(typed)
    try:
        hidden = [_quoted(c) for c in symbols if not c.isprintable() and c not in JOINERS]
        if hidden:
            raise InputError(f"The vocabulary {typed!r} has invisible characters: {hidden[0]}.")
        vocabulary = Vocabulary(symbols, cleaner or "plain")
    except InputError as error:
        raise _with_proposal(error, symbols) from error
    if cleaner and (unread := unread_symbols(vocabulary)):
        raise _about_unread(unread, vocabulary)
    return symbols


def _about_unread(unread: str, vocabulary: Vocabulary) -> InputError:
    """The refusal of symbols that are never read, with what to type instead."""
    capitals = [symbol for symbol in unread if symbol != symbol.lower()]
    if vocabulary.cleaner == "english" and not capitals and any(map(str.isalpha, unread)):
        return InputError(
            f"--cleaner english never reads {listed_symbols(unread)}, only a to z and "
            f". , ; : ? ! ' -; add --cleaner plain to read text in the letters of its own language."
        )
    refusal = InputError(f"The vocabulary has {_why_unread((capitals or unread)[0], vocabulary)}.")
    lower = [c.lower() if c in unread else c for c in vocabulary.symbols[_RESERVED:]]
    return _with_proposal(refusal, "".join(c for c in lower if len(c) == 1 and c not in unread))


def _with_proposal(error: InputError, symbols: str) -> InputError:
    """The error with a vocabulary to type instead that has all of these symbols that can be."""
    usable = (symbol for symbol in symbols if symbol.isprintable() or symbol in JOINERS)
    meant = shlex.quote("".join(dict.fromkeys(["P", "E", " ", *usable])))
    return InputError(f"{str(error).rstrip('.')}: type --vocabulary {meant}.")


def _why_unread(symbol: str, vocabulary: Vocabulary) -> str:
    name = _quoted(symbol)
    if symbol != symbol.lower():
        return f"the capital letter {name}, but text is read in lower case"
    if vocabulary.cleaner == "english":
        return f"{name}, but --cleaner english only reads a to z and . , ; : ? ! ' -"
    instead = vocabulary.clean(symbol)
    return f"{name}, but text is read with {_quoted(instead) if instead else 'a space'} instead"


def unread_symbols(vocabulary: Vocabulary) -> str:
    """Symbols that cleaned text never contains, as digits in English: their rows never train."""
    readable = vocabulary.symbols[_RESERVED:]
    letter = next(filter(str.isalpha, map(vocabulary.clean, readable)), "")
    return "".join(
        symbol
        for symbol in readable.replace(" ", "")
        if not any(symbol in vocabulary.clean(text.format(letter, symbol)) for text in _CONTEXTS)
    )


def _candidates(symbol: str, source: str) -> Iterator[str]:
    """The symbols of the source that this one can start from, the best first.

    Marks have the neighbours of a table. A letter starts from the one that it has under its
    accent (`ä` from `a`), another of the same base (`a` from `ä`), or the first of its
    transliteration (`ß` from `s`, `ж` from `z`). Any other punctuation starts from the space.
    """
    if symbol in source:
        yield symbol
    yield from (near for near in _NEIGHBOURS.get(symbol, "") if near in source)
    if symbol.isalpha():
        base = _base(symbol)
        if base in source:
            yield base
        yield from (other for other in source if other.isalpha() and _base(other) == base)
    category = unicodedata.category(symbol)
    # In scripts without case, such as Chinese, the first Latin letter of a word says nothing.
    if category in ("Ll", "Lu", "Lt", "Nd"):
        import anyascii  # its tables are read when they are needed

        latin = anyascii.anyascii(symbol)[:1].lower()
        if latin.isalnum() and latin in source:
            yield latin
    if category.startswith("P"):
        yield " "


def _base(letter: str) -> str:
    """A letter in lower case without its accent."""
    return unicodedata.normalize("NFD", letter.lower())[0]


def listed_symbols(symbols: str, most: int = _MAX_NAMED) -> str:
    """Symbols as a sentence lists them: `'ä', 'ö', U+0301`."""
    return _listed([*map(_quoted, symbols)], most)


def _quoted(symbol: str) -> str:
    # A lone accent would hang on the quotation mark.
    seen = symbol.isprintable() and not unicodedata.combining(symbol)
    return repr(symbol) if seen else f"U+{ord(symbol):04X}"


def _listed(names: list[str], most: int = _MAX_NAMED) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")
