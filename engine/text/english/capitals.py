"""Roman numerals and acronyms: Henry VIII, Chapter IV, the XIX century, BBC, GPUs."""

import re
from functools import lru_cache

from engine.text.english.numbers import cardinal, ordinal, year
from engine.text.english.rules import Found, Rules, any_of, one_of, spoken_forms, word_list

roman_spoken = Rules(apart=True)
"""Roman numerals as words: "Henry the eighth", "Chapter four"."""

_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_WELL_FORMED = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_PREVIOUS = re.compile(r"([^\W\d_][\w'’]{0,30})(?:, | )$")
# Things that are counted: "Chapter IV" is chapter four.
_COUNTED = word_list("counted")
# An X after these is a letter: Model X.
_WITH_LETTERS = word_list("with_letters")
_SAGAS = word_list("sagas")
_AFTER_ONE = re.compile(rf" (?:{any_of('after_one')})\b")
_PRONOUN = re.compile(rf"['’]| (?:{any_of('after_i')})\b")
_SEXES = re.compile(r" (?:chromosome|karyotype|female|male)s?\b")
# Rulers and popes of whom there were so many that V and X, and in places I, are numbers.
_RULERS = word_list("rulers")
_GIVEN = word_list("given_names") | _RULERS
_PERSON = re.compile(
    r"((?:[A-Z][\w'’]{0,20}\.? ){1,3})(?:(?:van|von|de|der|du|la) ){0,2}[A-Z][\w'’-]{1,20},? $"
)
_REALM = re.compile(
    r" of (?:the )?[A-Z]|, (?:the )?(?:Count|Duke|Earl|Emperor|King|Lord|Prince|Queen|Sultan) "
)
_AFTER_FIRST = re.compile(rf"(?:[,;:.!?)\"”’—-]|$| (?:{any_of('after_first')})\b)|['’]s\b")
_CENTURY = re.compile(r"(?:th)?[ -](?:[Cc]entur(?:y|ies)|[Dd]ynasty)\b")
_INTO_A_VEIN = re.compile(r" (?:access|antibiotics|bag|drip|fluid|infusion|line|pole|therapy)s?\b")


# In lower case only after what is counted, and no letter by itself: "page xii", "scene iv".
@roman_spoken.reads(rf"(?<![\w'’-])((?i:{any_of('small_numerals')})) ([ivxl]{{2,8}})(?![\w'’&-])")
def _small(found: Found) -> str | None:
    numeral = found[2].upper()
    if not _WELL_FORMED.fullmatch(numeral):
        return None
    return f"{found[1]} {cardinal(_value_of(numeral))}"


@roman_spoken.reads(r"(?<![\w.'’&-])([IVXLCDM]{1,15})(?![\w&]|['’][a-rt-z])")
def _numeral(found: Found) -> str | None:
    numeral = found[1]
    # A single C or D is a letter: Section C, Type D.
    if numeral in ("L", "C", "D", "M") or not _WELL_FORMED.fullmatch(numeral):
        return None
    value, name = _value_of(numeral), found.previous_word(_PREVIOUS)
    saga = name in _SAGAS and set(numeral) <= set("IVX")
    counted = (name.lower() in _COUNTED or saga) and not (
        numeral == "X" and name.lower() in _WITH_LETTERS
    )
    first = found.goes_on_with(_AFTER_FIRST) or found.goes_on_with(_AFTER_ONE)
    first = name == "War" or (first and not found.goes_on_with(_PRONOUN))
    if counted and (first or numeral != "I"):
        return cardinal(value)
    if found.goes_on_with(_CENTURY) and numeral != "I":
        return ordinal(value)
    if _is_spelled(found, name):
        return None
    if _is_ruler(found, name):
        return f"the {ordinal(value)}"
    if len(numeral) >= 5 and numeral[0] == "M":
        return year(str(value))
    return cardinal(value) if len(numeral) > 1 and set(numeral) <= set("IVX") else None


def _is_spelled(found: Found, name: str) -> bool:
    """An XX chromosome, an IV drip."""
    if found[1] == "IV":
        return name.lower() == "an" or found.goes_on_with(_INTO_A_VEIN)
    alone = not name[:1].isupper() or name.lower() == "an" or found.goes_on_with(_SEXES)
    return found[1] in ("XX", "XXX") and alone


def _is_ruler(found: Found, name: str) -> bool:
    """Whether the numeral counts the bearers of the name before it."""
    numeral, following = found[1], found.after(2)
    if not name[:1].isupper() or not set(numeral) <= set("IVXL"):
        return False
    if len(numeral) > 1:
        return name.lower() in _RULERS or found.goes_on_with(_REALM) or _is_family(found)
    if name.lower() not in _RULERS or (following[:1] == " " and following[1:].isupper()):
        return False
    if numeral == "I":
        return found.goes_on_with(_AFTER_FIRST)
    return numeral in "VX" and (name, numeral) != ("Malcolm", "X")


def _is_family(found: Found) -> bool:
    """Whether a full name stands before: John D. Rockefeller III."""
    person = found.follows(_PERSON, 60)
    before = person[1].split() if person else []
    initial = len(before) > 1 and len(before[-1].rstrip(".")) == 1
    return initial or any(name.lower().rstrip(".") in _GIVEN for name in before)


def _value_of(numeral: str) -> int:
    values = [_VALUES[letter] for letter in numeral]
    return sum(
        -value if value < max(values[place:]) else value for place, value in enumerate(values)
    )


acronyms_spoken = Rules("sexes")
"""Acronyms letter by letter, if they are known or have no vowel: "b b c"; others are words."""

# Read letter by letter although they have vowels that could make them words.
_KNOWN = word_list("acronyms")
# A word too: letters only where other words are not in capitals.
_OFTEN_WORDS = word_list("often_words")
# Sounds without a vowel, and short forms that are no initials.
_SOUNDS = word_list("sounds")
_LOWER = re.compile(r"[a-z]{2}")
_MIXED = spoken_forms("mixed_case")


acronyms_spoken.add(
    r"(?<![\w&])([A-Z]{1,3}) ?& ?([A-Z]{1,3})(?![\w&])",
    lambda found: f"{' '.join(found[1])} and {' '.join(found[2])}",
)
acronyms_spoken.add(rf"(?<![\w.'’-])({one_of(_MIXED)})(?![\w'’-])", lambda found: _MIXED[found[1]])


@acronyms_spoken.reads(r"(?<![A-Za-z0-9'’])([A-Z]{2,6})((?:['’]?s)?)(?![A-Za-z0-9]|['’][a-z])")
def _acronym(found: Found) -> str | None:
    capitals, plural = found.groups()
    shouted = _is_shouted(found.match.string)
    known = capitals in _KNOWN and not (shouted and capitals in _OFTEN_WORDS)
    letters = known or (not set("AEIOUY") & set(capitals) and capitals not in _SOUNDS)
    if capitals == "US":
        letters = not shouted
    if not letters or len(set(capitals)) == 1 < len(capitals) - 2:
        return None
    return " ".join(capitals) + (f"'{plural[-1]}" if plural else "")


@lru_cache(maxsize=1)
def _is_shouted(line: str) -> bool:
    """Whether a line is in capitals; all acronyms of a line ask."""
    return not _LOWER.search(line)
