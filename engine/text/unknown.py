"""Characters that transcripts have and a voice has no symbol for, counted before training."""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from engine.formatting import printable
from engine.text.mapping import listed_symbols
from engine.text.vocabulary import Vocabulary

_PUNCTUATION = {"Pc", "Pd", "Ps", "Pe", "Pi", "Pf"}
_PAUSES = "'\"….,;:?!¿¡·।॥،؛؟۔、。"
# Words of another script that a note shows.
_MAX_FOREIGN = 3
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

    @property
    def is_letter(self) -> bool:
        """Whether it has a sound: a letter or digit that is not another form of a mark, as ʼ."""
        mark = self.becomes.strip() and not any(map(str.isalnum, self.becomes))
        return any(map(str.isalnum, self.character)) and not mark

    @property
    def is_of_another_alphabet(self) -> bool:
        """Whether it is a letter or a vowel sign, and what is read instead is not the same."""
        sign = unicodedata.category(self.character[0])[0] == "M"
        return sign or (self.is_letter and self.character.isalpha())


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
        for one in found:
            lines.setdefault(one, line)
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
    if len(unknown.becomes) == 1 and not unknown.becomes.isspace():
        reading = name_of(unknown.becomes)
    return (
        f"{name_of(unknown.character)} {times} line {unknown.line} ({unknown.example}): "
        f"{'read as ' + reading if unknown.becomes else 'left out'}"
    )


def reading_note(text: str, vocabulary: Vocabulary) -> str:
    """What a listener misses of a text or would not expect, as clauses; empty if nothing."""
    lost = missed_characters(text, vocabulary)
    notes = [f"not spoken, no symbol for: {listed_symbols(lost)}"] if lost else []
    if vocabulary.cleaner == "english" and (foreign := words_of_other_scripts(text)):
        read = ((word, vocabulary.clean(word)) for word in foreign[:_MAX_FOREIGN])
        named = [f"{printable(word)!r} is read as {reading!r}" for word, reading in read]
        more = len(foreign) - len(named)
        notes.append(f"not English: {', '.join(named)}" + (f" and {more:,} more" if more else ""))
    return "; ".join(notes)


def missed_characters(text: str, vocabulary: Vocabulary) -> str:
    """What a listener misses of a text, each character once, in lower case."""
    return "".join(one for one in vocabulary.unknown(text) if _is_missed(one, vocabulary))


def words_of_other_scripts(text: str) -> list[str]:
    """The words, as spaces part them, that have letters of another script than Latin."""
    if text.isascii():
        return []
    found = [word for word in text.split() if not all(map(_is_latin, filter(str.isalpha, word)))]
    return [word.strip("".join(c for c in word if not _is_of_word(c))) for word in found]


@lru_cache(maxsize=8192)
def _is_latin(letter: str) -> bool:
    script = unicodedata.name(letter, "UNNAMED").split(" ")[0]
    # ª and º, and letters that only modify others, as the apostrophe ʼ.
    return script in ("LATIN", "FEMININE", "MASCULINE", "MODIFIER", "FULLWIDTH")


def _is_of_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _is_missed(character: str, vocabulary: Vocabulary) -> bool:
    """Whether a character without a symbol is lost to the ear: not replaced, nor punctuation."""
    if vocabulary.replacement(character).strip():
        return False
    category = unicodedata.category(character[0])
    if vocabulary.cleaner == "english":
        return category[0] not in "PM"
    # Letters that are left out are vowel signs; what marks a pause or a quotation is no loss.
    return category not in _PUNCTUATION and character not in _PAUSES


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
