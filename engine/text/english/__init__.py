"""English text as the words that are spoken: the front door is `spoken`.

The passes go from what is sure to what is left: addresses, times and dates before numbers, and
abbreviations before the dots that end sentences. Every expression repeats boundedly or from one
place only, so that the time is proportional to the length of the text.
"""

import re
import unicodedata
from functools import lru_cache

from engine.text.english.abbreviations import abbreviations_spoken
from engine.text.english.addresses import addresses_spoken
from engine.text.english.capitals import acronyms_spoken, roman_spoken
from engine.text.english.characters import latin, romanised, typed
from engine.text.english.codes import codes_spoken
from engine.text.english.figures import figures_spoken, rows_and_rates_spoken
from engine.text.english.formulas import formulas_spoken
from engine.text.english.marks import READ_AS, punctuated
from engine.text.english.measures import angles_and_heights_spoken, inches_marked, units_spoken
from engine.text.english.money import money_spoken
from engine.text.english.numbers import digit_by_digit
from engine.text.english.numerals import numerals_joined
from engine.text.english.places import places_spoken
from engine.text.english.symbols import arrows_spoken, number_signs_spoken, signs_spoken
from engine.text.english.times_and_dates import dates_spoken, times_spoken

__all__ = ["spoken", "stand_in", "worded"]

_LINE_END = re.compile(r"[\n\r\v\f\x85\u2028\u2029]+")
_DIGIT = re.compile(r"\d")
_ADDRESS = re.compile(r"[./\\@]|localhost:")
_ARROW = re.compile(r"[<>=≤≥←→↑↓↔➔➜➡⟶⟵⇒⇔★]")
_TWO_CAPITALS = re.compile(r"\b[A-Z][a-z]?[A-Z]")
# Of the signs that say something only beside a number.
_SIGN = re.compile(r"[#№~≈∼≃≤≥<>±^xyz✕✖×*·÷/+−=–-]|\de\d")


def spoken(text: str) -> str:
    """A text as English words: letters a to z in either case, and the marks `.,;:?!'-`.

    The lines stay; each is read by itself. A line with a digit or a letter has a letter after,
    unless it has only letters without a sound, such as ь.
    """
    return "\n".join(map(_line_spoken, _LINE_END.split(text)))


def worded(text: str) -> str:
    """A text whose numbers, abbreviations and signs are words, its marks as they were written."""
    return "\n".join(map(_line_worded, _LINE_END.split(text)))


def stand_in(character: str) -> str:
    """What `spoken` has in place of a character that stands by itself among words."""
    if character in READ_AS:
        return READ_AS[character]
    if character.isalpha() or unicodedata.category(character)[0] == "M":
        return romanised(character)
    return punctuated("a" + character)[1:] or " "


def _line_spoken(line: str) -> str:
    words = punctuated(latin(_line_worded(line)))
    if not any(map(str.isalpha, words)) and any(map(str.isalnum, line)):
        return _by_character(line)
    return words


# A corpus is read several times, by its check and for its features: LJ Speech has 13,000 lines,
# each of which comes as it is written and as it was cleaned.
@lru_cache(maxsize=2**15)
def _line_worded(line: str) -> str:
    line = typed(line)
    if _ARROW.search(line):
        line = arrows_spoken(line)
    if _ADDRESS.search(line):
        line = addresses_spoken(line)
    if has_numbers := _DIGIT.search(line) is not None:
        line = numerals_joined(formulas_spoken(line))
        line = codes_spoken(places_spoken(line))
        line = inches_marked(rows_and_rates_spoken(line))
        if _SIGN.search(line):
            line = number_signs_spoken(line)
        line = times_spoken(line)
    elif _TWO_CAPITALS.search(line):
        line = places_spoken(formulas_spoken(line))
    line = abbreviations_spoken(line)
    if has_numbers:
        line = units_spoken(angles_and_heights_spoken(money_spoken(dates_spoken(line))))
        line = figures_spoken(line)
    return signs_spoken(acronyms_spoken(roman_spoken(line)))


def _by_character(line: str) -> str:
    """Every letter and digit of a line that was nothing but markup, as far as rules can tell."""
    plain = unicodedata.normalize("NFKC", line)
    return " ".join("".join(map(_letter_or_digit, plain)).split())


def _letter_or_digit(character: str) -> str:
    if character.isdecimal():
        return f" {digit_by_digit(character)} "
    return romanised(character) if character.isalpha() and character not in READ_AS else " "
