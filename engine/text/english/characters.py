"""Characters: without markup and invisible ones, in common forms, and in English letters."""

import html
import re
import unicodedata
from fractions import Fraction
from functools import lru_cache

from engine.text.english.numbers import digit_by_digit
from engine.text.english.rules import any_of

# With the semicolon only: "AT&T" and "R&D" have none.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TAG = re.compile(rf"(?i)</?(?:{any_of('inline_tags')})(?: [^<>]{{0,300}})?/?>")
_BLOCK_TAG = re.compile(
    rf"(?i)<(?:/?(?:{any_of('block_tags')})(?: [^<>]{{0,300}})?/?|!--[^<>]{{0,300}}--)>"
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
# After a number, and after one or two letters that stand by themselves or in a formula.
_EXPONENT = re.compile(
    r"(?:(?<=\d)|(?<=^[^\W\d_])|(?<=^[^\W\d_]{2})|(?<=[\d /=+*×·(−-][^\W\d_])"
    r"|(?<=[\d /=+*×·(−-][^\W\d_]{2}))(⁻?[⁰¹²³⁴-⁹]{1,9})"
)
_FOOTNOTE = re.compile(r"(?<=[^\W\d_])[⁰¹²³⁴-⁹]{1,3}|(?<=[.,;:!?\"'”’)])[⁰¹²³⁴-⁹]{1,3}")
# Thousands as print parts them, with spaces that keep a number on its line.
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:[\u00a0\u2009\u202f]\d{3}){1,4}(?!\d)")
_SPACE = re.compile(r"\s+")
_FORMS_OF_MARKS = ((0xFF01, 0xFF5E), (0xFE50, 0xFE6B), (0x3371, 0x33DF))
_SPECIAL = {"º": "°", "№": "No. ", "℃": "°C", "℉": "°F", "℅": "care of ", "⁄": "/", "∕": "/"}
# What `marks.punctuated` reads; all other signs are left out.
_MARKS = frozenset("—–―‒…‐‑‘’‚‛“”„‟«»‹›′″、。，！？：；·¿¡ʼʻ「」『』〈〉《》【】")
_ASCII_MARKS = str.maketrans("‐‑、。，！？：；", "--,.,!?:;")


def typed(line: str) -> str:
    """One line without markup, entities and invisible characters, in common characters.

    Entities are read twice, since texts that went through two programs have `&amp;quot;`.
    """
    for _ in range(2):
        line = _ENTITY.sub(lambda found: html.unescape(found[0]), line)
    line = _BLOCK_TAG.sub(" ", _TAG.sub("", line))
    if not (line.isascii() and line.isprintable()):
        line = unicodedata.normalize("NFC", line)
        line = _GROUPED.sub(lambda found: _SPACE.sub("", found[0]), line)
        line = _FOOTNOTE.sub("", _EXPONENT.sub(_exponent, line))
        line = "".join(map(_common, line))
    return _SPACE.sub(" ", line).strip(" ")


def _exponent(match: re.Match[str]) -> str:
    following = match.string[match.end() : match.end() + 1]
    return f"^{match[1].translate(_RAISED)}{' ' if following.isalnum() else ''}"


@lru_cache(maxsize=8192)
def _common(character: str) -> str:
    """A character in the form that keyboards have, or itself; empty where it is invisible."""
    if character.isascii():
        return character if character.isprintable() else " "
    if character in _SPECIAL:
        return _SPECIAL[character]
    category = unicodedata.category(character)
    if category[0] == "Z" or character.isspace():
        return " "
    # Variation selectors and the keycap's frame only change how another character looks.
    if category[0] == "C" or category == "Me" or "\ufe00" <= character <= "\ufe0f":
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    plain = unicodedata.normalize("NFKC", character)
    if category[0] == "N" and not plain.isascii():
        # A space: 3¾ is not 33/4.
        return f" {Fraction(unicodedata.numeric(character)).limit_denominator(1000)} "
    form = any(first <= ord(character) <= last for first, last in _FORMS_OF_MARKS)
    return plain if form or (category[0] in "LN" and plain.isascii()) else character


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
        return character.translate(_ASCII_MARKS)
    match unicodedata.category(character)[0]:
        case "P":
            return _mark(character)
        case "M":
            return _vowel_sign(character)
        case "S" | "C":
            return ""
        case "Z":
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
    kept = "".join(c if c.isalpha() or c in " '" else _spelled_digit(c) for c in found)
    if any(map(str.isalpha, kept)):
        return kept
    # ь, ъ, hamza and the like are written as an apostrophe: they have no sound of their own.
    silent = found.strip("'`") == "" and found != ""
    if silent or not character.isalnum() or unicodedata.category(character) == "Lm":
        return ""
    # The script of a letter that nothing tells the sound of.
    name = unicodedata.name(character, "letter").split()[0]
    word = "".join(letter for letter in name.lower() if "a" <= letter <= "z")
    return f" {word or 'letter'} "


def _vowel_sign(character: str) -> str:
    """A vowel that is written around its consonant, as in Hindi; accents have no sound."""
    import anyascii

    return "".join(filter(str.isalpha, anyascii.anyascii(character)))


def _spelled_digit(character: str) -> str:
    return f" {digit_by_digit(character)} " if character.isdecimal() else " "


def _mark(character: str) -> str:
    import anyascii

    found = anyascii.anyascii(character)
    return found if len(found) == 1 and found in ".,;:?!'\"-()[]{}" else " "
