"""Figures that are neither times, dates, money nor measures: years, ranges, codes, counts."""

import re

from engine.text.english.context import respoken
from engine.text.english.numbers import (
    LONGEST_RUN,
    NUMBER,
    cardinal,
    digit_by_digit,
    fraction,
    mixed,
    ordinal,
    plural_of,
    quantity,
    year,
)

_TOO_LONG = re.compile(rf"(?:(\d{{1,15}})(\.))?(\d{{{LONGEST_RUN},}})")
_TELEPHONE = re.compile(
    r"(?<![\w.,-])(?:(\+) ?\d{1,3}(?:[ -]\(?\d{1,5}\)?){1,6}"
    r"|\(?0\d{2,4}\)?(?:[ -]\d{3,8}){1,3}"
    r"|(?:1[- ])?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-.]\d{4}"
    r"|[2-9]\d\d-\d{2}(?!00)\d\d)(?![\w-]|[.,]\d)"
)
# Emergency numbers, where somebody is to call them.
_EMERGENCY = re.compile(
    r"\b((?:call|dial|phone|ring)(?:s|ed|led|ing|ling)? |rang )(999|911|112|111|101)"
    r"(?!\w|[.,:-]\d)",
    re.IGNORECASE,
)
# 50 000 with a plain space, where the zeros leave no doubt.
_PARTED = re.compile(r"(?<![\w.,:/+-])(?<!\d )[1-9]\d{0,2}(?: \d{3}){0,3} 000(?!\w| \d|[.,:/-]\d)")
_CHAIN = re.compile(r"(?<![\w.-])\d{1,19}(?:[.-]\d{1,19}){2,10}(?![\w-]|\.\d)")
# Pairs of numbers that are no fractions.
_NICKNAME = re.compile(
    r"(?<![\w/.,])(24/7|9/11|20/20|50/50|60/40|40/60|70/30|30/70|80/20|20/80|90/10)(?![\w/])"
)
_FRACTION = re.compile(
    r"(?<![\w.,/])(?:(\d{1,4}) )?(\d{1,4})/(\d{1,4})(?:th|ths|rd|rds|nd|nds)?(?![\w/]|[.,]\d)"
)
_DECADE = re.compile(r"(?<![\w.,])(?:(\d{3}0)['’]?s|['’]?([2-9]0)['’]?s|(\d{1,4})['’]?s)(?!\w)")
_HUNDREDS = re.compile(r"(?<![\w.,])(?:100|1,?000)s(?= of )")
_HUNDREDS_OF = {"100s": "hundreds", "1000s": "thousands", "1,000s": "thousands"}
_SHORT_YEAR = re.compile(r"(?<![\w'’])['’](\d\d)(?![\d'’]|\.\d)")
_YEARS = re.compile(
    r"(?<![\w.,/$£€-])([12]\d{3}) ?([-–—/]) ?([12]\d{3}|\d\d)(?![\w/-]|[.,]\d)(?! ?%)"
)
_YEAR = re.compile(r"(?:(?<![\w.,/$£€-])|(?<=[a-z]-))([12]\d{3})(?![\w%]|[.,]\d)")
_ORDINAL = re.compile(rf"(?<![\w.,])({NUMBER})(?:st|nd|rd|th|ST|ND|RD|TH)(?!\w)")
_RANGE = re.compile(rf"(?<![\w.,/-])({NUMBER}) ?[-–—‒] ?({NUMBER})(?![\w/]|[-–]\d|[.,]\d)")
_RATIO = re.compile(r"(?<![\w.,:])(\d{1,4}):(\d{1,4})(?![\w:]|[.,]\d)")
_NUMBER = re.compile(rf"{NUMBER}|(?<!\.)\.\d{{1,19}}")

# A count, not a year, stands before these.
_COUNTED = re.compile(
    r" (?:people|men|women|children|soldiers|troops|sheep|fish|feet|miles|metres|meters|years|days|"
    r"hours|minutes|seconds|months|weeks|times|million|billion|thousand|dozen|percent|per cent|"
    r"pounds|dollars|euros|pence|copies|pages|words|votes|points|degrees)\b"
)
_PLURAL = re.compile(r" [a-z]{3,20}s\b")
_NO_PLURAL = re.compile(
    r" (?:[a-z]{1,18}ss|was|has|his|its|this|does|thus|plus|minus|always|perhaps|besides|across|"
    r"towards|afterwards|previous|[a-z]{1,17}ous|versus|series)\b"
)
_DATED = re.compile(
    r"\b(?:in|of|since|until|till|by|from|before|after|during|circa|about|year|anno|a d|"
    r"AD|early|late|mid|spring|summer|autumn|fall|winter|christmas|january|february|march|april|may|"
    r"june|july|august|september|october|november|december),? $",
    re.IGNORECASE,
)
_FIRST_YEAR = 1010
_LAST_YEAR = 2099


def long_runs_spoken(text: str) -> str:
    """Rows of digits that no other rule takes, one by one; thousands with a space as one number."""
    text = _PARTED.sub(lambda match: match[0].replace(" ", ""), text)
    return respoken(_TOO_LONG, _one_by_one, text)


def figures_spoken(text: str) -> str:
    """All figures of a text as words."""
    text = _EMERGENCY.sub(lambda match: match[1] + digit_by_digit(match[2]), text)
    for pattern, speak in (
        (_TELEPHONE, _telephone),
        (_CHAIN, _chain),
        (_NICKNAME, lambda match: " ".join(map(cardinal, match[1].split("/")))),
        (_HUNDREDS, lambda match: _HUNDREDS_OF[match[0]]),
        (_FRACTION, _fraction),
        (_DECADE, _decade),
        (_SHORT_YEAR, lambda match: year(match[1])),
        (_YEARS, _years),
        (
            _YEAR,
            lambda match: year(match[1]) if _is_year(match[1]) and not _counts(match) else None,
        ),
        (_ORDINAL, lambda match: ordinal(match[1].partition(".")[0])),
        (_RATIO, lambda match: f"{cardinal(match[1])} to {cardinal(match[2])}"),
        (_RANGE, lambda match: f"{quantity(match[1])} to {quantity(match[2])}"),
        (_NUMBER, lambda match: quantity(match[0])),
    ):
        text = respoken(pattern, speak, text)
    return text


def _one_by_one(match: re.Match[str]) -> str:
    whole = f"{cardinal(match[1])} point " if match[2] else ""
    return whole + digit_by_digit(match[3])


def _telephone(match: re.Match[str]) -> str:
    groups = [digit_by_digit(group) for group in re.findall(r"\d+", match[0])]
    return ("plus " if match[1] else "") + ", ".join(groups)


def _chain(match: re.Match[str]) -> str:
    """Versions, addresses, codes: 1.2.3 and 978-3-16-148410-0."""
    pieces = re.split(r"[.-]", match[0])
    read = cardinal if all(len(piece) < 3 for piece in pieces) else digit_by_digit
    return (" point " if "." in match[0] else " ").join(map(read, pieces))


def _fraction(match: re.Match[str]) -> str | None:
    whole, numerator, denominator = match.groups()
    if len(numerator) == 4 and _is_year(numerator):
        return None  # 1984/85
    if whole is None and numerator == denominator != "1":
        return f"{cardinal(numerator)} out of {cardinal(denominator)}"
    if whole is None:
        return fraction(numerator, denominator)
    if int(numerator) < int(denominator):
        return mixed(whole, numerator, denominator)
    return f"{cardinal(whole)} {fraction(numerator, denominator)}"


def _decade(match: re.Match[str]) -> str:
    """The 1990s and '90s, and other numbers in the plural, as the Boeing 747s."""
    years, tens, number = match.groups()
    return plural_of(year(years) if years else cardinal(tens or number))


def _years(match: re.Match[str]) -> str | None:
    first, link, last = match.groups()
    years = _is_year(first) and (len(last) == 2 or _is_year(last))
    if not years or _counts(match):
        return None
    return year(first) + (" " if link == "/" else " to ") + year(last)


def _is_year(written: str) -> bool:
    return _FIRST_YEAR <= int(written) <= _LAST_YEAR


def _counts(match: re.Match[str]) -> bool:
    """Whether a number that may be a year counts something: "1500 men", not "in 1500 men …"."""
    text, end = match.string, match.end()
    if _COUNTED.match(text, end):
        return True
    dated = _DATED.search(text, max(0, match.start() - 12), match.start())
    plural = _PLURAL.match(text, end) and not _NO_PLURAL.match(text, end)
    return bool(plural) and not dated
