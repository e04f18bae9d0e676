"""What a voice reads where a text is given: numbers as words, marks that it has, by sentences."""

from pathlib import Path

from engine.errors import InputError
from engine.exported.card import read_card
from engine.text.vocabulary import Vocabulary, split_sentences
from engine.voice.folder import Voice, is_exported


def text_as_read(voice_folder: Path, text: str) -> list[str]:
    """Return the sentences that a voice, or an exported voice, would speak one by one.

    Loads no network, so that a person can look at the text before it is spoken.

    Raises:
        InputError: there is no such voice, or nothing in the text that it can read.
    """
    if is_exported(voice_folder):
        card = read_card(voice_folder)
        vocabulary, limits = Vocabulary(card.symbols, card.cleaner), card.limits
    else:
        voice = Voice.open(voice_folder)
        vocabulary, limits = voice.vocabulary, voice.settings.limits
    sentences = split_sentences(text, vocabulary, limits.max_characters)
    if not sentences:
        raise InputError(
            "There is nothing to speak; this voice reads the characters "
            f"{vocabulary.symbols[2:]!r}."
        )
    return sentences
