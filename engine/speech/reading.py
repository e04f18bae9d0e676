"""What a voice reads of a text, without loading a network."""

from dataclasses import dataclass
from pathlib import Path

from engine.errors import InputError
from engine.text.unknown import missed_characters, reading_note
from engine.text.vocabulary import Vocabulary, split_sentences
from engine.voice.folder import Voice

_NO_LIMIT = 10**9


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as a voice reads it."""

    sentences: tuple[str, ...]
    """As they are spoken one by one, numbers as words; none where nothing can be read."""
    note: str
    """What a listener misses or would not expect: see `reading_note`."""
    missed: str
    """Characters that are not spoken, each once, in lower case."""
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
        missed = missed_characters(text, vocabulary)
        return Reading(tuple(pieces), reading_note(text, vocabulary), missed, cut)


def nothing_to_speak(vocabulary: Vocabulary) -> InputError:
    """The error for a text without a character that the voice reads."""
    return InputError(
        f"There is nothing to speak; this voice reads the characters {vocabulary.symbols[2:]!r}."
    )
