"""Numbers with units and sums of money: 5 km, 20°C, 5'10", 50 %, $5.20, £3 million, £7 10s. 6d."""

import re
from typing import NamedTuple

from engine.text.english.numbers import NUMBER, cardinal, fraction, mixed, quantity
from engine.text.english.rules import (
    Found,
    Rules,
    any_of,
    one_of,
    spoken_forms,
    starts_sentence,
    word_list,
)

money_spoken = Rules(apart=True)
"""Sums as words: "five dollars and twenty cents", "one point five billion euros"."""


class _Currency(NamedTuple):
    one: str
    several: str
    part: str = ""
    parts: str = ""


_CURRENCIES = {
    sign: _Currency(*names.split("/")) for sign, names in spoken_forms("currencies").items()
}
_SCALES = {
    "k": "thousand", "m": "million", "mn": "million", "mln": "million", "b": "billion",
    "bn": "billion", "tn": "trillion",
}  # fmt: skip
_SCALE = r"(?: ?(thousand|million|billion|trillion|mln|mn|bn|tn|[kKmMbB])(?!\w))?"
_BEFORE = r"((?<![A-Za-z])(?:US|A|C)\$|(?<![A-Za-z])(?:USD|GBP|EUR|JPY|CHF|Rs\.?) ?|[$£€¥₹₽₩₿]) ?"
_AFTER = r" ?(USD|GBP|EUR|JPY|CHF|[£€¥₹₽₩₿¢](?! ?\d)|\$(?! ?\d)|p)(?!\w)"
_TO = r" ?[-–—] ?"
_DESCRIBED = re.compile(rf"[ -](?:{any_of('described')})s?\b")

money_spoken.add(
    r"£ ?(\d{1,9}),? (\d{1,2})s\b\.?(?:,? (\d{1,2})d\b\.?)?",
    lambda found: ", ".join(_old_coins(*found.groups())),
)
money_spoken.add(
    r"(?<![\w.,])(\d{1,2})s\.,? (\d{1,2})d\b\.?",
    lambda found: " and ".join(_old_coins("", *found.groups())),
)


def _old_coins(pounds: str, shillings: str, pence: str | None) -> list[str]:
    coins = (
        (pounds, "pound", "pounds"),
        (shillings, "shilling", "shillings"),
        (pence, "penny", "pence"),
    )
    return [_counted(number, one, several) for number, one, several in coins if number]


@money_spoken.reads(
    rf"{_BEFORE}({NUMBER}){_SCALE}(?:{_TO}(?:US|A|C)?[$£€¥₹₽₩₿]? ?({NUMBER}){_SCALE})?(?!\d)"
)
def _sign_first(found: Found) -> str:
    sign, first, scale, last, last_scale = found.groups()
    currency = _CURRENCIES[sign.strip(" .")]
    if last:
        # "$1–2 million" counts millions on both sides, and "$5–10" dollars.
        return _amount(first, scale) + " to " + _sum(last, last_scale, currency)
    # A $5 bill, a £20 million bridge.
    goes_on = found.after(1) in (" ", "-") and found.after(2)[1:].islower()
    if found.goes_on_with(_DESCRIBED) or (found.follows_article and goes_on):
        currency = currency._replace(several=currency.one)
    return _sum(first, scale, currency)


@money_spoken.reads(rf"(?<![\w.,])({NUMBER})(?:{_TO}({NUMBER}))?{_AFTER}")
def _sign_last(found: Found) -> str | None:
    first, last, sign = found.groups()
    if sign == "p" and (last or len(first) > 2):
        return None  # 1080p is a picture
    words = f"{quantity(first)} to " if last else ""
    return words + _sum(last or first, None, _CURRENCIES[sign])


def _amount(number: str, scale: str | None) -> str:
    words = quantity(number)
    return f"{words} {_SCALES.get(scale.lower(), scale)}" if scale else words


def _sum(number: str, scale: str | None, currency: _Currency) -> str:
    whole, _, decimals = number.partition(".")
    if scale or len(decimals) != 2 or not currency.part:
        single = number == "1" and not scale
        return f"{_amount(number, scale)} {currency.one if single else currency.several}"
    if decimals == "00":
        return _counted(whole, currency.one, currency.several)
    parts = _counted(decimals, currency.part, currency.parts)
    if int(whole.replace(",", "")) == 0:
        return parts
    return f"{_counted(whole, currency.one, currency.several)} and {parts}"


def _counted(number: str, one: str, several: str) -> str:
    value = number.replace(",", "").lstrip("0") or "0"
    return f"{cardinal(number if ',' in number else value)} {one if value == '1' else several}"


_QUOTE = re.compile('["“”]')
_INCHES = re.compile(r"(?<![\w.,:/+-])\d{1,3}(?:\.\d{1,3})?(?:/\d{1,3})?$")
_BY = re.compile(" ?[×✕✖]")
_SPEAKING = word_list("speaking")


def inches_marked(text: str) -> str:
    """The text with inches under a sign of their own, not the one they share with quotes.

    An inch has a quote as far as no quotation is open there.
    """
    quoted = False

    def read(mark: re.Match[str]) -> str:
        nonlocal quoted
        if not quoted and mark[0] != "“" and _is_inch(Found(mark)):
            return "″"
        quoted = mark[0] == "“" or (mark[0] == '"' and not quoted)
        return mark[0]

    return _QUOTE.sub(read, text)


def _is_inch(mark: Found) -> bool:
    if not mark.follows(_INCHES, 12):
        return False
    if mark.goes_on_with(_BY):
        return True
    # The quotation may have begun in the clip before.
    word = mark.next_word
    return word[:1].islower() and word not in _SPEAKING and not starts_sentence(word.capitalize())


angles_and_heights_spoken = Rules(apart=True)
"""Places, bearings and people's heights as words: "five foot ten"."""

_COMPASS = {"N": "north", "S": "south", "E": "east", "W": "west"}


@angles_and_heights_spoken.reads(
    r"(\d{1,3})° ?(\d{1,2}) ?['′’](?: ?(\d{1,2}(?:\.\d{1,4})?) ?[\"″”])?(?: ?([NSEW])\b)?"
)
def _place(found: Found) -> str:
    degrees, minutes, seconds, direction = found.groups()
    words = f"{cardinal(degrees)} degrees {cardinal(int(minutes))} minutes"
    if seconds:
        words += f" {quantity(seconds)} seconds"
    return f"{words} {_COMPASS[direction]}" if direction else words


angles_and_heights_spoken.add(
    r"(\d{1,3}(?:\.\d{1,6})?)° ?([NSEW])(?![\w'’])",
    lambda found: f"{quantity(found[1])} degrees {_COMPASS[found[2]]}",
)
angles_and_heights_spoken.add(r"(?<=\d)['’](?= (?:tall|high|long|wide|deep)\b)", "′")
# From and to with the unit at both: 10°C–15°C.
angles_and_heights_spoken.add(
    r"(?<=\d) ?(°[CF]?|[ckm]?m|kg|%) ?([-–—]) ?(?=\d{1,6}(?:\.\d{1,6})? ?\1(?![\w°]))", r"\2"
)
# "3 in his hand" has no inches.
angles_and_heights_spoken.add(
    r"(?<![\w.,])(\d{1,3}) ?ft\.?,? (\d{1,2}) ?in\b(?!\.| (?:the|a|an|his|her|my|our|their|its)\b)",
    r"\1 ft \2 in.",
)


@angles_and_heights_spoken.reads(
    r"(?<![\w.'′’])(\d{1,2}) ?['′’] ?(\d{1,2})(?: ?(?:\"|″|”|''|’’)|(?=[ ,;]))"
)
def _height(found: Found) -> str | None:
    feet, inches = found.groups()
    return None if int(inches) > 11 else f"{cardinal(feet)} foot {cardinal(int(inches))}"


units_spoken = Rules()
"""Numbers with units as words: "five kilometres per hour"."""

_UNITS = spoken_forms("units")
_PLURALS = {"foot": "feet", "inch": "inches"}
_QUANTITY = rf"(?:\d{{1,4}} )?\d{{1,3}}/\d{{1,3}}(?![\d/])|{NUMBER}|\.\d{{1,15}}"
_FRACTION = re.compile(r"(?:(\d{1,4}) )?(\d{1,3})/(\d{1,3})")
_UNIT = one_of(_UNITS)
_AFTER_INCHES = word_list("after_inches")
_CORNER = re.compile(r" (?:angle|bend|corner|rotation|turn)s?\b")


@units_spoken.reads(
    rf"(?<![\w.,/-])({_QUANTITY})(?: ?(?:[-–—]|to) ?({_QUANTITY}))?(-| ?)({_UNIT})"
    rf"(?:/({_UNIT}))?(?![\w/^°'’]|-\d)(\.?)"
)
def _measure(found: Found) -> str | None:
    first, last, link, unit, per, stop = found.groups()
    number = last or first
    if not _is_unit(number, link, unit):
        return None
    one, several = _names(unit)
    part = _FRACTION.fullmatch(number)
    words = f"{_quantity(first)} to " if last else ""
    if part and not part[1] and link != "-" and unit not in "%‰":
        # Half a kilometre, three quarters of an hour.
        article = "an" if one[0] in "aeio" or one.startswith("hour") else "a"
        words += "half" if part[0] == "1/2" else f"{fraction(part[2], part[3])} of"
        words += f" {article} {one}"
    else:
        single = link == "-" or (number == "1" and not last) or _is_adjective(found)
        words += f"{_quantity(number)} {one if single else several}"
    if per:
        words += f" per {_names(per)[0]}"
    # In "5 ft. long" the dot is the unit's own.
    ends = not (per or unit).isalpha() or found.at_end or found.next_word[:1].isupper()
    return found.spliced(words) + (stop if ends else "")


def _is_unit(number: str, link: str, unit: str) -> bool:
    """Whether letters after a number can be its unit: 90s are years, 747s planes."""
    if unit in ("k", "bn", "tn", "mn"):
        return link == ""
    if unit == "s" and link == "":
        return "." in number or len(number) == 1 or (len(number) == 2 and number[1] != "0")
    return link != "-" or unit not in ("s", "in.", "%", "°", "′", "″")


def _quantity(written: str) -> str:
    part = _FRACTION.fullmatch(written)
    if not part:
        return quantity(written)
    return mixed(*part.groups()) if part[1] else fraction(part[2], part[3])


def _names(unit: str) -> tuple[str, str]:
    """The unit's name for one, and for several."""
    one, _, several = _UNITS[unit].partition("/")
    if several:
        return one, several
    head, per, rest = one.partition(" per ")
    before, space, last = head.rpartition(" ")
    return one, f"{before}{space}{_PLURALS.get(last, last + 's')}{per}{rest}"


def _is_adjective(found: Found) -> bool:
    """Whether the measure describes what follows: a 5 km run."""
    unit, stop, following = found[4], found[6], found.next_word
    inch_of = unit == "″" and not stop and following not in _AFTER_INCHES
    if following[:1].islower() and (inch_of or found.follows_article):
        return True
    return unit == "°" and found.goes_on_with(_CORNER)
