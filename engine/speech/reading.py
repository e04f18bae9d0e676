"""What a voice reads of a text, without loading a network."""

from dataclasses import dataclass
from pathlib import Path

from engine.errors import InputError
from engine.text.vocabulary import Vocabulary, split_sentences
from engine.voice.folder import Voice

_NO_LIMIT = 10**9


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as a voice reads it."""

    sentences: tuple[str, ...]
    """As they are spoken one by one, numbers as words; none where nothing can be read."""
    replaced: dict[str, str]
    """Characters for which the voice has no symbol, and what it reads in place of each: nothing
    or a space where it leaves one out."""
    cut: bool
    """Whether a sentence is too long to be spoken in one piece."""


class Reader:
    """Reads texts as a voice does."""

    def __init__(self, voice_folder: Path) -> None:
        """Open the voice; raises `InputError` where there is none."""
        voice = Voice.open(voice_folder)
        self.vocabulary = voice.vocabulary
        self.max_characters = voice.settings.limits.max_characters
        """Symbols of a piece, its E included."""

    def read(self, text: str) -> Reading:
        """Return how a text is read."""
        vocabulary, limit = self.vocabulary, self.max_characters
        pieces = split_sentences(text, vocabulary, limit)
        # Where all of it fits into one piece, none was cut.
        cut = sum(map(len, pieces)) + len(pieces) > limit and len(pieces) > len(
            split_sentences(text, vocabulary, _NO_LIMIT)
        )
        replaced = {one: vocabulary.replacement(one) for one in vocabulary.unknown(text)}
        return Reading(tuple(pieces), replaced, cut)


def text_as_read(voice_folder: Path, text: str) -> list[str]:
    """Return the sentences that a voice would speak one by one, numbers as words.

    Raises:
        InputError: there is no such voice, or nothing in the text that it can read.
    """
    reader = Reader(voice_folder)
    sentences = split_sentences(text, reader.vocabulary, reader.max_characters)
    if not sentences:
        raise nothing_to_speak(reader.vocabulary)
    return sentences


def nothing_to_speak(vocabulary: Vocabulary) -> InputError:
    """The error for a text without a character that the voice reads."""
    return InputError(
        f"There is nothing to speak; this voice reads the characters {vocabulary.symbols[2:]!r}."
    )
