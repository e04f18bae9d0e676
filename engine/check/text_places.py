"""Where a transcript may be cut into two, and what stands there."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate

import numpy as np

from engine.check.alignment import PlaceKind
from engine.check.letter_sounds import Script
from engine.text.vocabulary import Vocabulary

_SENTENCE_MARKS = ".?!…。！？．।॥؟۔։።"
_CLAUSE_MARKS = ",;:—–،؛、，；："
_CLOSING = "\"'”’»›)]」』）"
# White space; and the marks of scripts that write none behind them.
_PLACE = re.compile(rf"\s+|[。！？．、，；：]+[{re.escape(_CLOSING)}]*(?!\s|$)")
_DOT = re.compile(rf"\.[{re.escape(_CLOSING)}]*\s*$")
_ABBREVIATION = re.compile(r"(?:^|\W)(?:\w|\w[\w.]*\.\w+)\.$")


@dataclass(frozen=True)
class Place:
    """A place between two words of a transcript, in all its columns."""

    ends: tuple[int, ...]
    """Characters of each column before it."""
    letters: int
    """Letters that are read before it."""
    kind: PlaceKind


def is_letter(character: str) -> bool:
    """Whether a character of a cleaned text has a sound: a letter, a sign on one, a digit."""
    return unicodedata.category(character)[0] in "LMN"


def letters_of(text: str) -> str:
    """The letters of a cleaned text."""
    return "".join(filter(is_letter, text))


def script(text: str, places: Sequence[Place]) -> Script:
    """A cleaned text for aligning; between its words people may pause where no place is, too."""
    words = [letters_of(word) for word in text.split() if any(map(is_letter, word))]
    # The name of a letter is another sound than the letter.
    letters = [f" {word} " if len(word) == 1 else letter for word in words for letter in word]
    kinds = [PlaceKind.INSIDE] * (len(letters) + 1)
    for count in accumulate(map(len, words), initial=0):
        kinds[count] = PlaceKind.WORD
    for place in places:
        kinds[place.letters] = place.kind
    return Script(tuple(letters), np.array(kinds))


def find_places(columns: Sequence[str], vocabulary: Vocabulary) -> list[Place]:
    """The places where every column can be cut and both halves are read as in the whole.

    `columns` are the fields of a line after its id; the last that is not empty is read.
    """
    text = next(column for column in reversed(columns) if column)
    cleaned = vocabulary.clean(text)
    letters = letters_of(cleaned)
    others = [None if column in ("", text) else _Words(column, text) for column in columns]
    found: dict[int, Place] = {}
    for match in _PLACE.finditer(text):
        end = match.end()
        before = letters_of(vocabulary.clean(text[:end]))
        if not 0 < len(before) < len(letters) or not letters.startswith(before):
            continue
        ends = [
            end if column == text else other.end(end) if other else 0
            for column, other in zip(columns, others, strict=True)
        ]
        known = tuple(each for each in ends if each is not None)
        if len(known) == len(columns):
            kind = _kind(text[:end], text[end:])
            if _DOT.search(text[:end]) and not _read_dot(cleaned, len(before), vocabulary):
                kind = PlaceKind.WORD
            # A dash that stands alone belongs to what is before it.
            if earlier := found.get(len(before)):
                kind = max(kind, earlier.kind)
            found[len(before)] = Place(known, len(before), kind)
    return [found[count] for count in sorted(found)]


def _kind(before: str, after: str) -> PlaceKind:
    before = before.rstrip()
    bare = before.rstrip(_CLOSING)
    following = after.lstrip(_CLOSING + "“‘„«‹(¿¡[")[:1]
    if bare.endswith(".") and (following.islower() or _ABBREVIATION.search(bare)):
        return PlaceKind.CLAUSE if bare.endswith("..") else PlaceKind.WORD
    if bare.endswith(tuple(_SENTENCE_MARKS)):
        return PlaceKind.SENTENCE
    dash = before.split()[-1:] == ["-"]
    if dash or bare.endswith(tuple(_CLAUSE_MARKS)) or before[-1:] == ")" or after[:1] == "(":
        return PlaceKind.CLAUSE
    return PlaceKind.WORD


def _read_dot(cleaned: str, letters: int, vocabulary: Vocabulary) -> bool:
    """Whether a dot is read after so many letters: that of an abbreviation is not."""
    places = [place for place, character in enumerate(cleaned) if is_letter(character)]
    return "." not in vocabulary.symbols or "." in cleaned[places[letters - 1] : places[letters]]


class _Words:
    """The words of a column that is written in another way than the one that is read."""

    def __init__(self, column: str, text: str) -> None:
        self._ends = _ends_of_words(text)
        self._other_ends = _ends_of_words(column)
        words, others = _compared(text), _compared(column)
        blocks = SequenceMatcher(None, words, others, autojunk=False).get_matching_blocks()
        self._same = {a + i: b + i for a, b, size in blocks for i in range(size)}

    def end(self, end: int) -> int | None:
        """Where the column ends that is cut as the text is at `end`; None where it is not known.

        The words on both sides must be the same in both.
        """
        count = sum(word_end <= end for word_end in self._ends)
        before, after = self._same.get(count - 1), self._same.get(count)
        if before is None or after is None or after != before + 1:
            return None
        return self._other_ends[before]


def _tokens(text: str) -> list[re.Match[str]]:
    return [token for token in re.finditer(r"\S+", text) if any(map(is_letter, token.group()))]


def _compared(text: str) -> list[str]:
    return [letters_of(token.group().casefold()) for token in _tokens(text)]


def _ends_of_words(text: str) -> list[int]:
    """Where each word ends, with the marks behind it."""
    starts = [token.start() for token in _tokens(text)]
    return [*starts[1:], len(text)]
