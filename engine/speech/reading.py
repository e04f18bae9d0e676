"""What a voice reads of a text, without loading a network."""

from pathlib import Path

from engine.errors import InputError
from engine.text.unknown import reading_note
from engine.text.vocabulary import Vocabulary, split_sentences
from engine.voice.folder import Voice


def text_as_read(voice_folder: Path, text: str) -> tuple[list[str], str]:
    """Return the sentences that a voice would speak one by one, numbers as words, and what is
    lost of the text: see `reading_note`.

    Raises:
        InputError: there is no such voice, or nothing in the text that it can read.
    """
    voice = Voice.open(voice_folder)
    max_characters = voice.settings.limits.max_characters
    sentences = split_sentences(text, voice.vocabulary, max_characters)
    if not sentences:
        raise nothing_to_speak(voice.vocabulary)
    return sentences, reading_note(text, voice.vocabulary)


def nothing_to_speak(vocabulary: Vocabulary) -> InputError:
    """The error for a text without a character that the voice reads."""
    return InputError(
        f"There is nothing to speak; this voice reads the characters {vocabulary.symbols[2:]!r}."
    )
