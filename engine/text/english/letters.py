"""Letters of other alphabets in those of English, by how they sound where that is known."""

import unicodedata
from functools import lru_cache

from engine.text.english.numbers import digit_by_digit

# What `marks.punctuated` reads; all other signs are left out.
_MARKS = frozenset("—–―‒…‐‑‘’‚‛“”„‟«»‹›′″、。，！？：；·¿¡ʼʻ「」『』〈〉《》【】")
_SAME = {
    "‐": "-",
    "‑": "-",
    "、": ",",
    "。": ".",
    "，": ",",
    "！": "!",
    "？": "?",
    "：": ":",
    "；": ";",
}


def latin(text: str) -> str:
    """The text in the letters a to z, ASCII's marks, and the marks that English prints."""
    if text.isascii():
        return text
    return "".join(map(romanised, unicodedata.normalize("NFC", text)))


@lru_cache(maxsize=8192)
def romanised(character: str) -> str:
    """One character as English letters; a mark stays, and what has no sound is empty."""
    if character.isascii():
        return character
    if character in _MARKS:
        return _SAME.get(character, character)
    category = unicodedata.category(character)
    if category[0] == "P":
        return _mark(character)
    if category[0] == "S" or category[0] == "M" or category[0] == "C":
        return ""
    if category[0] == "Z":
        return " "
    return _letters(character)


def _letters(character: str) -> str:
    """A letter as English letters; never empty."""
    import anyascii  # its tables are read when they are needed

    base = unicodedata.normalize("NFD", character)[0]
    if base.isascii() and base.isalpha():
        return base
    found = anyascii.anyascii(character)
    if not character.isupper():
        found = found.lower()
    kept = "".join(c if c.isalpha() or c in " '" else _digits(c) for c in found)
    if any(map(str.isalpha, kept)):
        return kept
    if not character.isalnum() or unicodedata.category(character) == "Lm":
        return ""
    return f" {script_of(character)} "


def _digits(character: str) -> str:
    return f" {digit_by_digit(character)} " if character.isdecimal() else " "


def _mark(character: str) -> str:
    import anyascii

    found = anyascii.anyascii(character)
    return found if len(found) == 1 and found in ".,;:?!'\"-()[]{}" else " "


def script_of(character: str) -> str:
    """The script of a letter that nothing tells the sound of, as a word."""
    name = unicodedata.name(character, "letter").split()[0]
    word = "".join(letter for letter in name.lower() if "a" <= letter <= "z")
    return word or "letter"
