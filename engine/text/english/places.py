"""Street addresses, ZIP codes and states: 1210 E Maple Ave, Springfield, IL 62704."""

import re

from engine.text.english.numbers import digit_by_digit, ordinal, paired, zip_code
from engine.text.english.rules import Found, Rules, one_of, spoken_forms, starts_sentence, word_list

places_spoken = Rules("boxes")
"""Addresses as words, a house's number in pairs: "twelve ten East Maple Avenue"."""

places_spoken.add(
    r"(?<![\w.])(?i:P\.? ?O\.? ?Box) #?(\d{1,6})(?!\w|[.,]\d)",
    lambda found: f"P O box {digit_by_digit(found[1])}",
)

_COMPASS = spoken_forms("compass")
_WAYS = spoken_forms("ways")
_STATES = spoken_forms("states")
_DIRECTION = rf"(?:{one_of(_COMPASS)})\.?(?![\w'’])"
_NAME = r"(?:[A-Z][A-Za-z'’]{1,20}|(?:St|Mt|Ft)\.|[A-Z]\.|\d{1,3}(?:st|nd|rd|th))"
_WAY = one_of(_WAYS)
_APARTMENT = re.compile(r",? (?:#|(?:Apt|Apartment|Unit|Ste|Suite|Floor|Fl|Room|Rm)\b)")
_TOWN = re.compile(r"\b([A-Z][a-z'’.-]{1,25})$")
# Degrees, and words that are shouted.
_WORDS = frozenset({"OK", "MD", "MA", "MS", "ID", "ME", "HI", "OH", "PA", "OR", "IN"})
_TOWNS = word_list("towns")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")
_MONTH = r"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_BEGINS_WITH_MONTH, _AFTER_MONTH = re.compile(_MONTH), re.compile(_MONTH + r"\.? $")


@places_spoken.reads(
    rf"(?<![\w.,/$£€:-])(?:(\d{{1,5}})([A-Z]?) )?(?:({_DIRECTION}) )?"
    rf"({_NAME}(?: {_NAME}){{0,3}}?) ((?i:{_WAY}))(\.?)(?![\w'’-])(?: ({_DIRECTION}))?"
)
def _address(found: Found) -> str | None:
    number, letter, before, name, way, stop, after = found.groups()
    if not _is_address(found):
        return None
    before, after = (direction and direction.rstrip(".") for direction in (before, after))
    house = number and (digit_by_digit(number) if len(number) > 4 else paired(number))
    kind = _WAYS.get(way) or _WAYS[way.capitalize()]
    street = _ORDINAL.sub(lambda match: ordinal(match[1]), name)
    words = house, letter, _COMPASS.get(before), street, kind, _COMPASS.get(after)
    return " ".join(filter(None, words)) + ("." if stop and found.ends_sentence else "")


def _is_address(found: Found) -> bool:
    number, _, before, name, way, _, after = found.groups()
    if not (number or before) or _BEGINS_WITH_MONTH.match(name):
        return False
    if found.follows(_AFTER_MONTH, 12):
        return False  # On May 5 Wall Street closed.
    # Saints and doctors have names after them.
    following = found.next_word
    named = following[:1].isupper() and not starts_sentence(following)
    clear = after or before or name[0].isdigit() or found.goes_on_with(_APARTMENT)
    return bool(way not in ("St", "Dr") or not named or clear)


@places_spoken.reads(
    rf"(,? )({one_of(_STATES)})(?:(,? )(\d{{5}})(?:[-–](\d{{4}}))?(?![\w-]|[.,]\d)"
    r"|(?=[,;.?!)]|$| [a-z]))"
)
def _state(found: Found) -> str | None:
    """A state after a town, with or without its ZIP code."""
    comma, state, space, code, more = found.groups()
    town = found.follows(_TOWN, 30)
    known = town and comma == ", " and (state not in _WORDS or town[1].lower() in _TOWNS)
    words = space + zip_code(code) + (f", {zip_code(more)}" if more else "") if code else ""
    return f"{comma}{_STATES[state]}{words}" if code or known else None
