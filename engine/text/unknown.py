"""Characters that transcripts have and a voice has no symbol for, counted before training."""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from engine.formatting import printable
from engine.text.vocabulary import Vocabulary

# Characters of a transcript shown on either side of the one that it is about.
_AROUND = 18
_CUT = "…"


@dataclass(frozen=True, slots=True)
class UnknownCharacter:
    """A character that transcripts have and the voice has no symbol for."""

    character: str
    count: int
    line: int
    """The first line in `metadata.csv` with it, from 1."""
    example: str
    """The text around it there, cut to a width that fits one line of a terminal."""
    becomes: str
    """What is read in its place."""


def unknown_characters(
    texts: Mapping[int, str], vocabulary: Vocabulary
) -> tuple[UnknownCharacter, ...]:
    """Count the characters of a corpus that are lost on a voice, the most frequent first.

    `texts` are the transcripts by their line in `metadata.csv`.
    """
    counts: Counter[str] = Counter()
    lines: dict[str, int] = {}
    for line, text in texts.items():
        found = vocabulary.unknown(text)
        counts.update(found)
        lines = dict.fromkeys(found, line) | lines
    # The first line decides between equals, so that the order is the same for the same list.
    order = sorted(counts, key=lambda one: (-counts[one], lines[one], one))
    return tuple(
        UnknownCharacter(
            one,
            counts[one],
            lines[one],
            _around(texts[lines[one]], one),
            vocabulary.replacement(one),
        )
        for one in order
    )


def sentence_about(unknown: UnknownCharacter) -> str:
    """For example `'"' 14 times, first in line 3 (he said "stop" to): read as a space`."""
    times = "once, in" if unknown.count == 1 else f"{unknown.count:,} times, first in"
    reading = "a space" if unknown.becomes.isspace() else repr(unknown.becomes)
    return (
        f"{name_of(unknown.character)} {times} line {unknown.line} ({unknown.example}): "
        f"{'read as ' + reading if unknown.becomes else 'left out'}"
    )


def name_of(character: str) -> str:
    """A character in quotes, with its number where its looks could deceive or nothing is seen."""
    number = f"U+{ord(character[0]):04X}"
    if not character.isprintable() or unicodedata.combining(character[0]):
        return number
    return repr(character) if character.isascii() else f"{character!r} ({number})"


def _around(text: str, character: str) -> str:
    """The text around the first such character, cut to a part of a terminal's line."""
    text = unicodedata.normalize("NFC", text)
    # Vocabularies count a capital letter as the small one.
    place = max(text.find(character), 0) or max(text.lower().find(character), 0)
    start, end = max(0, place - _AROUND), place + len(character) + _AROUND
    shown = (_CUT if start else "") + text[start:end].strip() + (_CUT if end < len(text) else "")
    return printable(shown)
