"""Street addresses, ZIP codes and states: 1210 E Maple Ave, Springfield, IL 62704."""

import re

from engine.text.english.numbers import digit_by_digit, ordinal, paired, zip_code
from engine.text.english.rules import Found, Rules, one_of, spoken_forms, starts_sentence

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
_MONTHS = re.compile(r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*")


@places_spoken.reads(
    rf"(?<![\w.,/$£€:-])(?:(\d{{1,5}})([A-Z]?) )?(?:({_DIRECTION}) )?"
    rf"({_NAME}(?: {_NAME}){{0,3}}?) ((?i:{_WAY}))(\.?)(?![\w'’-])(?: ({_DIRECTION}))?"
)
def _address(found: Found) -> str | None:
    number, letter, before, name, way, stop, after = found.groups()
    if not _is_address(found):
        return None
    words = [_house(number)] if number else []
    words += [letter] if letter else []
    words += [_COMPASS[before.rstrip(".")]] if before else []
    words += [_street(name), _WAYS.get(way, _WAYS.get(way.capitalize(), way))]
    words += [_COMPASS[after.rstrip(".")]] if after else []
    end = found.at_end or starts_sentence(found.next_word)
    return " ".join(words) + ("." if end and (after or stop).endswith(".") else "")


def _is_address(found: Found) -> bool:
    number, _, before, name, way, _, after = found.groups()
    if not (number or before) or _MONTHS.match(name):
        return False
    if (
        before
        and before.rstrip(".") in ("E", "S", "N", "W")
        and before.endswith(".")
        and not number
    ):
        return way.capitalize() in _WAYS and way.capitalize() not in ("Dr", "St")
    # Saints and doctors have names after them.
    following = found.next_word
    named = following[:1].isupper() and not starts_sentence(following)
    clear = after or before or name[0].isdigit() or found.goes_on_with(_APARTMENT)
    return bool(way not in ("St", "Dr") or not named or clear)


def _house(number: str) -> str:
    return digit_by_digit(number) if len(number) > 4 else paired(number)


def _street(name: str) -> str:
    return re.sub(r"(\d+)(?:st|nd|rd|th)", lambda match: ordinal(match[1]), name)


@places_spoken.reads(
    rf"(,? )({one_of(_STATES)})(?:(,? )(\d{{5}})(?:[-–](\d{{4}}))?(?![\w-]|[.,]\d)"
    r"|(?=[,;.?!)]|$| [a-z]))"
)
def _state(found: Found) -> str | None:
    """A state after a town, with or without its ZIP code."""
    comma, state, space, code, more = found.groups()
    town = found.follows(_TOWN, 30)
    if not code and (not town or not comma.startswith(",")):
        return None
    words = f"{comma}{_STATES[state]}"
    if code:
        words += space + zip_code(code) + (f", {zip_code(more)}" if more else "")
    return words


_TOWN = re.compile(r"\b[A-Z][a-z'’.-]{1,25}$")
places_spoken.add(
    r"(?<=[a-z], )(\d{5})-(\d{4})(?![\w-]|[.,]\d)",
    lambda found: f"{zip_code(found[1])}, {zip_code(found[2])}",
)
