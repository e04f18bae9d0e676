"""What a network reads: the vocabulary of a voice, and text made to fit it."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from engine.choices import CleanerName
from engine.errors import InputError

BBC_SYMBOLS = "PE abcdefghijklmnopqrstuvwxyz'.?,;"
"""The 34 symbols of the BBC's DC-TTS voices: P pads, E ends a sentence."""

_PADDING = "P"
_END = "E"
_SENTENCE_END = re.compile(r"([.?!…][\"'”’)\]»]*)\s+")
_LINE_END = re.compile(r"[\n\r\v\f\x85\u2028\u2029]+")


@lru_cache(maxsize=4096)
def _fold(character: str) -> str:
    """One character in lower case without its accents; may be empty or several characters."""
    decomposed = unicodedata.normalize("NFD", character.lower())
    return "".join(part for part in decomposed if unicodedata.category(part) != "Mn")


@dataclass(frozen=True)
class Vocabulary:
    """The symbols that a voice can read; a symbol's place is its row of the embedding.

    The first symbol is P (padding, index 0) and the second E (end of sentence, index 1).
    Both stand for themselves only inside the networks: text never produces them.

    Raises `InputError` when the symbols cannot serve as a vocabulary.
    """

    symbols: str
    """All symbols in the order of their indices."""
    cleaner: CleanerName = "english"
    """How text is made to fit the symbols."""

    def __post_init__(self) -> None:
        shown = repr(self.symbols)
        if not self.symbols.startswith(_PADDING + _END):
            raise InputError(
                f"The vocabulary {shown} must start with P (padding) and E (end of sentence)."
            )
        repeated = [symbol for symbol, count in Counter(self.symbols).items() if count > 1]
        if repeated:
            raise InputError(
                f"The vocabulary {shown} has {repeated[0]!r} more than once; "
                "keep each symbol only once."
            )
        if " " not in self.symbols:
            raise InputError(f"The vocabulary {shown} has no space; add one between the symbols.")

    def __len__(self) -> int:
        return len(self.symbols)

    @cached_property
    def _index(self) -> dict[str, int]:
        """Index of each symbol that text may hold, so without P and E."""
        return {symbol: index for index, symbol in enumerate(self.symbols) if index >= 2}

    def clean(self, text: str) -> str:
        """Text in this vocabulary: lower case, no accents, single spaces, none at the ends.

        A character that the vocabulary lacks becomes a space; `unknown` tells which.
        """
        folded = "".join(map(_fold, text))
        known = "".join(part if part in self._index else " " for part in folded)
        return re.sub(" +", " ", known).strip(" ")

    def encode(self, text: str) -> list[int]:
        """Indices of the cleaned text's symbols, with E at the end."""
        return [*(self._index[symbol] for symbol in self.clean(text)), self.symbols.index(_END)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of indices, up to the first E and without padding.

        Raises `ValueError` for an index outside the vocabulary.
        """
        text = []
        for index in ids:
            if not 0 <= index < len(self.symbols):
                raise ValueError(f"{index} is no index of a vocabulary of {len(self)} symbols")
            if self.symbols[index] == _END:
                break
            if self.symbols[index] != _PADDING:
                text.append(self.symbols[index])
        return "".join(text)

    def unknown(self, text: str) -> Counter[str]:
        """How often each character of the text is replaced by a space for want of a symbol.

        White space does not count: a tab or a line end loses nothing by becoming a space.
        """
        return Counter(
            character
            for character in text
            if not character.isspace() and any(part not in self._index for part in _fold(character))
        )

    def replacement(self, character: str) -> str:
        """What is read in place of a character that `unknown` counts."""
        return self.clean(character) or " "


def split_sentences(text: str, vocabulary: Vocabulary, max_characters: int) -> list[str]:
    """Cut text into pieces that can be spoken one by one.

    Every sentence is a piece of its own: it ends at a `.`, `?`, `!` or `…` before white space,
    or at a line end. One that is too long is cut at `;`, if that is not enough at `,`, then
    at spaces, and inside a word only when the word alone is too long. Pieces are as long as
    the limit lets them be, because a voice was trained on whole sentences.

    Each piece is cleaned and has, with its E, at most `max_characters` symbols. Pieces without
    a letter or digit have nothing to speak and are left out.

    Raises `ValueError` when the limit leaves no room for one symbol and E.
    """
    if max_characters < 2:
        raise ValueError(f"a piece needs room for a symbol and E, not for {max_characters} symbols")
    sentences = _LINE_END.split(_SENTENCE_END.sub(r"\1\n", text))
    pieces = (
        piece
        for sentence in sentences
        for piece in _cut(vocabulary.clean(sentence), max_characters - 1, ";,")
    )
    return [piece for piece in pieces if any(map(str.isalnum, piece))]


def _cut(text: str, limit: int, marks: str) -> list[str]:
    """Cut cleaned text after the first of the marks, then at spaces, to at most `limit` symbols."""
    if len(text) <= limit:
        return [text]
    parts = re.split(f"(?<={re.escape(marks[0])}) ", text) if marks else text.split(" ")
    pieces: list[str] = []
    for part in parts:
        if pieces and len(pieces[-1]) + 1 + len(part) <= limit:
            pieces[-1] += " " + part
        elif marks:
            pieces.extend(_cut(part, limit, marks[1:]))
        else:
            pieces.extend(part[start : start + limit] for start in range(0, len(part), limit))
    return pieces
