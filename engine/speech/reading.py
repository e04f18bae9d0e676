"""What a voice reads where a text is given: numbers as words, marks that it has, by sentences."""

from pathlib import Path

from engine.errors import InputError
from engine.text.vocabulary import split_sentences
from engine.voice.folder import Voice


def text_as_read(voice_folder: Path, text: str) -> list[str]:
    """Return the sentences that a voice would speak one by one, without loading a network.

    Raises:
        InputError: there is no such voice, or nothing in the text that it can read.
    """
    voice = Voice.open(voice_folder)
    vocabulary = voice.vocabulary
    sentences = split_sentences(text, vocabulary, voice.settings.limits.max_characters)
    if not sentences:
        raise InputError(
            "There is nothing to speak; this voice reads the characters "
            f"{vocabulary.symbols[2:]!r}."
        )
    return sentences
