"""Roman numerals: Henry VIII, Chapter IV, World War II, the XIX century."""

import re

from engine.text.english.context import previous_word, spliced, word_list
from engine.text.english.numbers import cardinal, ordinal, year

_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_WELL_FORMED = re.compile(
    r"(?=.)M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})", re.DOTALL
)
_NUMERAL = re.compile(r"(?<![\w.'’&-])([IVXLCDM]{1,15})(?![\w&]|['’][a-rt-z])")
# In lower case only after what is counted, and no letter by itself: "page xii", "scene iv".
_SMALL = re.compile(
    r"(?<![\w'’-])((?i:act|book|canto|chap|chapter|page|pages|part|psalm|scene|section|stanza|verse|"
    r"volume)) ([ivxl]{2,8})(?![\w'’&-])"
)
_PREVIOUS = re.compile(r"([^\W\d_][\w'’]{0,30})(?:, | )$")

# Things that are counted: "Chapter IV" is chapter four.
_COUNTED = word_list("counted")
# Rulers and popes of whom there were so many that V and X, and in places I, are numbers.
_RULERS = word_list("rulers")
_AFTER_FIRST = re.compile(
    r"(?:[,;:.!?)\"”’—-]|$| (?:of|was|is|and|died|reigned|became|ruled|made|gave|in|at|by|to|the|"
    r"who|whose|wore|took|came|went|married|lost|won|fought|granted|founded)\b)|['’]s\b"
)
_CENTURY = re.compile(r"(?:th)?[ -](?:[Cc]entur(?:y|ies)|[Dd]ynasty)\b")

_INTO_A_VEIN = re.compile(r" (?:access|antibiotics|bag|drip|fluid|infusion|line|pole|therapy)s?\b")


def roman_spoken(text: str) -> str:
    """Roman numerals as words: "Henry the eighth", "Chapter four"."""
    return _NUMERAL.sub(_spoken, _SMALL.sub(_small, text))


def _spoken(match: re.Match[str]) -> str:
    numeral = match[1]
    # A single C or D is a letter: Section C, Type D.
    if numeral in ("L", "C", "D", "M") or not _WELL_FORMED.fullmatch(numeral):
        return numeral
    value = _value_of(numeral)
    word = previous_word(match, _PREVIOUS)
    if word.lower() in _COUNTED and (word == "War" or numeral != "I" or _is_first(match)):
        return spliced(match, cardinal(value))
    if numeral == "IV" and (word.lower() == "an" or _INTO_A_VEIN.match(match.string, match.end())):
        return numeral
    if _CENTURY.match(match.string, match.end()) and numeral != "I":
        return spliced(match, ordinal(value))
    if _is_ruler(match, word, numeral):
        return spliced(match, f"the {ordinal(value)}")
    if len(numeral) >= 5 and numeral[0] == "M":
        return spliced(match, year(str(value)))
    small = len(numeral) > 1 and set(numeral) <= set("IVX")
    return spliced(match, cardinal(value)) if small else numeral


def _small(match: re.Match[str]) -> str:
    numeral = match[2].upper()
    if not _WELL_FORMED.fullmatch(numeral):
        return match[0]
    return f"{match[1]} {cardinal(_value_of(numeral))}"


def _is_ruler(match: re.Match[str], name: str, numeral: str) -> bool:
    """Whether the numeral counts the bearers of the name before it."""
    if not name[:1].isupper() or not set(numeral) <= set("IVXL") or name.isupper():
        return False
    following = match.string[match.end() : match.end() + 2]
    if len(numeral) > 1:
        return name.lower() not in ("the", "a", "an", "and", "in", "of", "to")
    if name.lower() not in _RULERS or (following[:1] == " " and following[1:].isupper()):
        return False
    if numeral == "I":
        return _is_first(match)
    return numeral in "VX" and (name, numeral) != ("Malcolm", "X")


def _is_first(match: re.Match[str]) -> bool:
    return _AFTER_FIRST.match(match.string, match.end()) is not None


def _value_of(numeral: str) -> int:
    values = [_VALUES[letter] for letter in numeral]
    return sum(
        -value if value < max(values[place:]) else value for place, value in enumerate(values)
    )
