"""What a network reads: the vocabulary of a voice, and text made to fit it."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from engine.choices import CleanerName
from engine.errors import InputError
from engine.text.plain import PlainCleaner

BBC_SYMBOLS = "PE abcdefghijklmnopqrstuvwxyz'.?,;"
"""The 34 symbols of the BBC's DC-TTS voices: P pads, E ends a sentence."""

_SENTENCE_END = re.compile(r"([.?!…।॥؟۔։][\"'”’)\]»]*)\s+|([。！？][”’」』）]*)\s*")
_LINE_END = re.compile(r"[\n\r\v\f\x85\u2028\u2029]+")
_SPACES = re.compile(" +")
# What English reads in place of a mark that a vocabulary lacks: the first of these that it has,
# and if it has none a space. The apostrophe is left out instead: "dont" is nearer to "don't"
# than "don t" is.
_NEAREST = {";": ",", ":": ";,", ",": "", ".": "", "!": ".", "?": ".", "-": ""}
_APOSTROPHE = "'"


@dataclass(frozen=True)
class Vocabulary:
    """The symbols that a voice can read; a symbol's place is its row of the embedding.

    The first symbol is P (padding, index 0) and the second E (end of sentence, index 1); text
    never produces them. Raises `InputError` when the symbols cannot serve as a vocabulary.
    """

    symbols: str
    cleaner: CleanerName = "english"

    def __post_init__(self) -> None:
        [(symbol, count)] = Counter(self.symbols).most_common(1) or [("", 0)]
        if not self.symbols.startswith("PE"):
            problem = "must start with P (padding) and E (end of sentence)"
        elif count > 1:
            problem = f"has {symbol!r} more than once; keep each symbol only once"
        elif " " not in self.symbols:
            problem = "has no space; add one between the symbols"
        else:
            return
        raise InputError(f"The vocabulary {self.symbols!r} {problem}.")

    def __len__(self) -> int:
        return len(self.symbols)

    @cached_property
    def _index(self) -> dict[str, int]:
        """Index of each symbol that text may hold, so without P and E."""
        return {symbol: index for index, symbol in enumerate(self.symbols) if index >= 2}

    @cached_property
    def _plain(self) -> PlainCleaner:
        return PlainCleaner(self.symbols[2:])

    @cached_property
    def _english_table(self) -> dict[int, str]:
        """What each character of spoken English becomes, for `str.translate`."""
        letters = string.ascii_lowercase
        table = {letter: letter if letter in self._index else " " for letter in letters}
        table |= {letter.upper(): table[letter] for letter in letters}
        table |= {mark: self._nearest(mark) for mark in [*_NEAREST, _APOSTROPHE]}
        return str.maketrans({"\n": " ", **table})

    def _nearest(self, mark: str) -> str:
        """The symbol that is read where English has this mark; may be empty or a space."""
        if mark in self._index:
            return mark
        if mark == _APOSTROPHE:
            return ""
        return next((near for near in _NEAREST[mark] if near in self._index), " ")

    def clean(self, text: str) -> str:
        """Text in this vocabulary: lower case, no accents, single spaces, none at the ends.

        English is first spoken as words (`engine.text.english`), other text read as it is written
        (`engine.text.plain`). What the vocabulary lacks becomes the nearest that it has, or else a
        space; `unknown` tells which. Cleaned text is cleaned to itself.
        """
        if self.cleaner == "plain":
            return self._plain.clean(text)
        from engine.text import english  # late: its tables and patterns take long to load

        cleaned = self._fitted_english(english.spoken(text))
        # A mark read in place of another may end an abbreviation: "etc!" becomes "etc.". Each
        # round takes such a one away for good, so this ends; mostly the first is the only one.
        while (again := self._fitted_english(english.spoken(cleaned))) != cleaned:
            cleaned = again
        return cleaned

    def _fitted_english(self, words: str) -> str:
        """What `english.spoken` yields, in the symbols that the vocabulary has."""
        return _SPACES.sub(" ", words.translate(self._english_table)).strip(" ")

    def encode(self, text: str) -> list[int]:
        """Indices of the cleaned text's symbols, with E at the end."""
        return self.indices(self.clean(text))

    def indices(self, cleaned: str) -> list[int]:
        """Indices of the symbols of text that is already clean, with E at the end.

        Raises `ValueError` for a character that is no symbol.
        """
        try:
            return [*(self._index[symbol] for symbol in cleaned), self.symbols.index("E")]
        except KeyError as error:
            raise ValueError(f"{error} is not in the vocabulary {self.symbols!r}") from None

    def unknown(self, text: str) -> Counter[str]:
        """How often the text has each character for which there is no symbol, in lower case.

        A letter that is read without its accent counts; white space and characters that are never
        seen do not, nor in English what is spoken as words: digits, `$`, the comma in 1,000.
        `replacement` gives what is read.
        """
        if self.cleaner == "plain":
            return Counter(filter(self._plain.lacks, self._plain.common(text)))
        from engine.text import english

        return Counter(
            # Of İ the small letter is two characters.
            lower if len(lower := character.lower()) == 1 else character
            for character in unicodedata.normalize("NFC", english.worded(text))
            if not character.isspace()
            and any(part not in self._index for part in character.lower())
        )

    def replacement(self, character: str) -> str:
        """What is read in place of a character that `unknown` counts; may be empty or a space."""
        if self.cleaner == "plain":
            return self._plain.read(character)
        from engine.text import english

        return english.stand_in(character).translate(self._english_table)


def split_sentences(text: str, vocabulary: Vocabulary, max_characters: int) -> list[str]:
    """Cut text into its sentences, but for those without a letter or digit.

    One that is too long is cut at `;`, if that is not enough at `,`, then at spaces, and inside a
    word only when the word alone is too long. Each piece is cleaned and has, with its E, at most
    `max_characters` symbols.

    Raises `ValueError` when the limit leaves no room for one symbol and E.
    """
    if max_characters < 2:
        raise ValueError(f"a piece needs room for a symbol and E, not for {max_characters} symbols")
    if vocabulary.cleaner == "english":
        from engine.text import english

        # An abbreviation's dot ends no sentence, so they are expanded first.
        text = english.spoken(text)
    sentences = _LINE_END.split(_SENTENCE_END.sub(r"\1\2\n", text))
    pieces = (
        piece
        for sentence in sentences
        for piece in _settled(sentence, vocabulary, max_characters - 1)
    )
    return [piece for piece in pieces if any(map(str.isalnum, piece))]


def _settled(text: str, vocabulary: Vocabulary, limit: int) -> Iterator[str]:
    """Cut text into clean pieces; one that a cut inside a word made another word is cut again."""
    for piece in _cut(vocabulary.clean(text), limit, ";,"):
        if vocabulary.clean(piece) == piece:
            yield piece
        else:
            yield from _settled(piece, vocabulary, limit)


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
