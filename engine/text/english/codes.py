"""Figures that name a thing and count nothing: telephone numbers, cards, codes, models."""

import re

from engine.text.english.numbers import (
    cardinal,
    digit_by_digit,
    paired,
    plural_of,
    spelled,
    year,
    zip_code,
)
from engine.text.english.rules import Found, Rules, any_of, spoken_forms

codes_spoken = Rules("models", apart=True)
"""Telephone numbers, cards, codes and models as words."""

_START = r"(?<![\w.,-])"
_END = r"(?![\w-]|[.,]\d)"
_EXTENSION = r"(?:,? ?(?:x|ext\.?|extension) ?(\d{1,6}))?"
_CURRENCIES = spoken_forms("currencies")

# Emergency numbers, where somebody is to call them.
codes_spoken.add(
    r"(?i)\b((?:call|dial|phone|ring)(?:s|ed|led|ing|ling)? |rang )(999|911|112|111|101)"
    r"(?!\w|[.,:-]\d)",
    lambda found: found[1] + digit_by_digit(found[2]),
)
codes_spoken.add(
    rf"{_START}(?:\d{{4}}([ -])\d{{4}}\1\d{{4}}\1\d{{4}}|3[47]\d\d([ -])\d{{6}}\2\d{{5}}){_END}",
    lambda found: ", ".join(map(digit_by_digit, re.split("[ -]", found[0]))),
)


@codes_spoken.reads(
    rf"{_START}((?:8\d\d|900)-|0[38]00[- ]|1[-. ]\(?[2-9]\d\d\)?[-. ])"
    r"(?=[\dA-Z-]{0,12}[A-Z]{3})([\dA-Z]{1,10}(?:-[\dA-Z]{1,10}){0,3})(?![\w-])"
)
def _vanity(found: Found) -> str:
    words = [cardinal(part) if part.isdecimal() else part.lower() for part in found[2].split("-")]
    return f"{_dialled(found[1])}, {' '.join(words)}"


@codes_spoken.reads(
    rf"{_START}(?:(\+) ?\d{{1,3}}(?:[ .-]?\(?\d{{1,5}}\)?){{1,6}}"
    r"|\(?0\d{2,4}\)?(?:[ -]\d{3,8}){1,3}"
    r"|(?:1[-. ]?)?(?:\(\d{3}\)[-. ]?|(?<![\d(])\d{3}[-. ])\d{3}[-. ]\d{4}"
    rf"|[2-9]\d\d-\d{{2}}(?!00)\d\d){_EXTENSION}{_END}"
)
def _telephone(found: Found) -> str | None:
    plus, extension = found.groups()
    number = found[0].removesuffix(extension) if extension else found[0]
    if sum(map(str.isdecimal, number)) < 7:
        return None
    words = ("plus " if plus else "") + _dialled(number)
    return words + (f", extension {digit_by_digit(extension)}" if extension else "")


def _dialled(number: str) -> str:
    groups = re.findall(r"\d+", number.replace("(0)", ""))
    area = ["eight hundred" if group == "800" else digit_by_digit(group) for group in groups[:2]]
    return ", ".join([*area, *map(digit_by_digit, groups[2:])])


# Seven digits are a number of the neighbourhood where somebody is to call it.
codes_spoken.add(
    r"(?i)\b((?:call|phone|text|dial|ring|fax|tel|telephone|hotline|mobile|cell)\.?"
    r"(?:,? (?:me|us|him|her|them|at|on|is|the|number|now|today|back)){0,4}:? )"
    r"(\d{3})[-. ]?(\d{4})(?!\w|[.,-]\d)",
    lambda found: f"{found[1]}{digit_by_digit(found[2])}, {digit_by_digit(found[3])}",
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_LINKS = r"(?:,? (?:number|code|no\.?|num|id|is|was|reads?|are)\b\.?){0,3}:? ?#?"
_NAMED = r"(?:(?: (?:number|code|no\.?|num|id)\b\.?){1,2}(?: (?:is|was|are))?:? ?#?|:? ?#)"


@codes_spoken.reads(
    rf"(?i)(?<![\w'’])((?:{any_of('codes')}){_LINKS}|(?:{any_of('numbered_papers')}){_NAMED}"
    r"|(?:card|account|number|digits|phone|visa)\b[^.!?\d]{0,20} (?:ending|ends|ended) (?:in|with) "
    r"|(?:ending|ends) in (?=(?!1\d{3}|20)\d{4}(?!\d)))(?<=[ #:=])(?=[a-z]{0,6}\d)"
    r"([a-z\d]{3,24}(?:-[a-z\d]{1,12}){0,4})(?![\w%’']|[.,:/]\d)"
    r"(?! (?:[a-z]{3,20}s|per|percent|million|billion|thousand|hundred)\b)"
)
def _code(found: Found) -> str | None:
    introduction, code = found.groups()
    if code[:-2].isdecimal() and code[-2:].lower() in ("st", "nd", "rd", "th"):
        return None
    if introduction == "Code " and _YEAR.fullmatch(code):
        return None  # Summer of Code 2010
    read = zip_code if introduction.lower().startswith(("zip", "post")) else spelled
    named = re.search(r"(?i)\bn(?:umber|um|o)\b", introduction) is not None
    return introduction.replace("#", "" if named else "number ") + read(code)


_MANY = re.compile(
    r"[.,:-]\d| (?:hours?|minutes?|miles|passengers|attendants|of|k?m|mi|ft|k?g|lbs?|m?l|hrs?)\b"
)


@codes_spoken.reads(
    rf"((?<!\w)(?:{any_of('paired_after')})[ -]|(?<![\w-])I-|(?<![\w.,-])(?=7[0-8]7-))"
    r"([A-Z]{0,2}) ?(\d{1,4})(?:-(\d{1,3}))?(s?)(?=[A-Z]{0,2}(?!\w|[.,:-]\d))"
)
def _in_pairs(found: Found) -> str | None:
    name, letters, number, variant, several = found.groups()
    words = f"{name}{spelled(letters)} {_pairs(number, variant)}"
    return None if found.goes_on_with(_MANY) else plural_of(words) if several else words


def _pairs(*numbers: str | None) -> str:
    return " ".join(paired(number) for number in numbers if number)


# Postcodes of Britain and of Canada; and letters and digits in turn: X7K9.
codes_spoken.add(
    r"(?<![\w.,$-])(?:[A-Z]{1,2}\d[A-Z\d]? \d(?![AP]M|[KMGT]B|ST|ND|RD|TH|KG)[A-Z]{2}"
    r"|[A-Z]\d[A-Z] \d[A-Z]\d"
    r"|(?!\d+[XE]\d+\b)(?=[A-Z\d]{4,16}(?![\w-]))"
    r"(?:\d{1,9}[A-Z]{1,9}\d|[A-Z]{1,9}\d{1,9}[A-Z])[A-Z\d]*|0x[\da-fA-F]{1,16}|(?:[\dA-Fa-f]{2}:){5}[\dA-Fa-f]{2})(?![\w-])",
    lambda found: spelled(found[0]),
)


@codes_spoken.reads(r"(?<![\w.,/'’$-])([A-Z]{1,3})-?(\d{3})(?:-(\d{3}))?(s?)(?!\w|[.,:-]\d)")
def _model(found: Found) -> str | None:
    """A380, F-150, KC-135, MH370."""
    letters, number, variant, several = found.groups()
    words = f"{spelled(letters)} {_pairs(number, variant)}"
    return None if letters in _CURRENCIES else plural_of(words) if several else words


@codes_spoken.reads(
    r"(?<![\w.,/'’$-])([A-Z]{2,3}|[a-z]{2,3}|[A-Z](?=\d{5}))(\d{4,12})(?!\w|[.,:-]\d)"
)
def _serial(found: Found) -> str | None:
    letters, digits = found.groups()
    is_year = _YEAR.fullmatch(digits) or digits[1:] == "000"
    read = year if is_year else digit_by_digit
    return None if letters in _CURRENCIES else f"{spelled(letters)} {read(digits)}"
