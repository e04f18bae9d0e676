"""Figures that are neither times, dates, money nor measures: years, ranges, fractions, counts."""

import re

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
from engine.text.english.rules import Found, Rules, any_of, one_of, spoken_forms
from engine.text.english.times_and_dates import MONTHS

rows_and_rates_spoken = Rules()
"""Rows of digits that no other rule takes one by one, and units after a slash: $5/kg, 10 km/day."""

_PER = spoken_forms("per")


@rows_and_rates_spoken.reads(rf"(?:(\d{{1,15}})(\.))?(\d{{{LONGEST_RUN},}})")
def _one_by_one(found: Found) -> str:
    whole = f"{cardinal(found[1])} point " if found[2] else ""
    return found.spliced(whole + digit_by_digit(found[3]))


rows_and_rates_spoken.add(
    rf"(\d[\d.,]{{0,15}}(?:[ -]?[A-Za-z]{{1,4}}|%)?)/({one_of(_PER)})(?![\w/])",
    lambda found: f"{found[1]} per {_PER[found[2]]}",
)
rows_and_rates_spoken.add(r"([$£€¥₹]\d[\d.,]{0,15}[kKmMbB]?)/([a-z]{3,12})(?![\w/])", r"\1 per \2")

figures_spoken = Rules("powers", apart=True)
"""All other figures of a text as words."""


@figures_spoken.reads(r"(?<![\w.-])\d{1,19}(?:[.-]\d{1,19}){2,10}(?!\w|[.-]\d)")
def _chain(found: Found) -> str:
    """Versions, addresses, codes: 1.2.3 and 978-3-16-148410-0."""
    pieces = re.split(r"[.-]", found[0])
    read = cardinal if all(len(piece) < 3 for piece in pieces) else digit_by_digit
    return (" point " if "." in found[0] else " ").join(map(read, pieces))


# Pairs of numbers that are no fractions.
figures_spoken.add(
    r"(?<![\w/.,])(24/7(?:/365)?|9/11|7/7|20/20|4/4)(?![\w/])",
    lambda found: " ".join(map(cardinal, found[1].split("/"))),
)
figures_spoken.add(
    rf"(?<![\w/.,])(\d{{1,2}})/(\d{{1,2}})(?= (?:{any_of('metres')})s?\b)",
    lambda found: f"{cardinal(found[1])} {cardinal(found[2])}",
)
figures_spoken.add(r"(?<![\w.,])100s(?= of )", "hundreds")
figures_spoken.add(r"(?<![\w.,])1,?000s(?= of )", "thousands")


@figures_spoken.reads(
    r"(?<![\w.,/])(?:(\d{1,4}) )?(\d{1,4})/(\d{1,4})(?:th|ths|rd|rds|nd|nds)?(?![\w/]|[.,]\d)"
)
def _fraction(found: Found) -> str | None:
    whole, numerator, denominator = found.groups()
    if len(numerator) == 4 and _is_year(numerator):
        return None  # 1984/85
    if whole is None:
        return _pair(found, numerator, denominator) or fraction(numerator, denominator)
    if int(numerator) < int(denominator):
        return mixed(whole, numerator, denominator)
    return f"{cardinal(whole)} {fraction(numerator, denominator)}"


_RATED = re.compile(
    r"(?i)\b(?:rat(?:ed?|ing)|scor(?:ed?|ing)|g[ia]ves?|given|got|gets|earned|deserves|marks?)\b"
    r"[^.!?]{0,30}$"
)
_OF = re.compile(r" of\b")
_STARS_OR_PEOPLE = re.compile(r" (?:stars?|[a-z]{3,20}s)\b")
_SIGHT = re.compile(r" (?:vision|eyesight|sight)\b")
_SEEN = re.compile(r"(?:vision|eyesight|sight)\b[^.!?]{0,20}$")
_ON = re.compile(r"\b[Oo]n $")


def _pair(found: Found, first: str, second: str) -> str | None:
    """Two numbers with a stroke that are no fraction: marks, shares, sight, blood pressure."""
    one, two = int(first), int(second)
    words = cardinal(first), cardinal(second)
    if found.follows(_ON, 4) and (date := _day(one, two)):
        return date
    if one + two == 100 and one % 5 == 0 and one > 0:
        return " ".join(words)
    if one == 20 and (found.goes_on_with(_SIGHT) or found.follows(_SEEN, 40)):
        return " ".join(words)
    rated = two in (5, 10, 20, 100) and found.follows(_RATED, 50) and not found.goes_on_with(_OF)
    if (first == second != "1") or (one < two and rated):
        return " out of ".join(words)
    if two == 10 and one < two and found.goes_on_with(_STARS_OR_PEOPLE):
        return " out of ".join(words)
    return " over ".join(words) if one > two >= 20 else None


def _day(one: int, two: int) -> str | None:
    """A day and month where one of them can only be the day: on 12/25."""
    if 1 <= one <= 12 < two <= 31:
        return f"{MONTHS[one - 1]} {ordinal(two)}"
    if 1 <= two <= 12 < one <= 31:
        return f"the {ordinal(one)} of {MONTHS[two - 1]}"
    return None


_TENS = r"['’]?([1-9]0)"


# From decade to decade: the 1960s-80s, in their 50-60s.
@figures_spoken.reads(
    rf"(?<![\w.,])(?:(\d{{3}}0)|{_TENS})(?:['’]?s)? ?[-–—] ?(?:(\d{{3}}0)|{_TENS})['’]?s(?!\w)"
)
def _decades(found: Found) -> str:
    first, tens, last, last_tens = found.groups()
    return " to ".join(
        plural_of(year(years) if years else cardinal(short))
        for years, short in ((first, tens), (last, last_tens))
    )


@figures_spoken.reads(r"(?<![\w.,])(?:(\d{3}0)['’]?s|['’]?([2-9]0)['’]?s|(\d{1,4})['’]?s)(?!\w)")
def _decade(found: Found) -> str:
    """The 1990s and '90s, and other numbers in the plural, as the Boeing 747s."""
    years, tens, number = found.groups()
    return plural_of(year(years) if years else cardinal(tens or number))


figures_spoken.add(r"(?<![\w'’])['’](\d\d)(?![\d'’]|\.\d)", lambda found: year(found[1]))


@figures_spoken.reads(
    r"(?<![\w.,/$£€-])([12]\d{3}) ?([-–—/]) ?([12]\d{3}|\d\d)(?![\w/-]|[.,]\d)(?! ?%)"
)
def _years(found: Found) -> str | None:
    first, link, last = found.groups()
    years = _is_year(first) and (len(last) == 2 or _is_year(last))
    if not years or _counts(found):
        return None
    return year(first) + (" " if link == "/" else " to ") + year(last)


@figures_spoken.reads(r"(?:(?<![\w.,/$£€-])|(?<=[a-z]-))([12]\d{3})(?![\w%]|[.,]\d)")
def _year(found: Found) -> str | None:
    return year(found[1]) if _is_year(found[1]) and not _counts(found) else None


def _is_year(written: str) -> bool:
    return 1010 <= int(written) <= 2099


# A count, not a year, stands before these.
_COUNTED = re.compile(rf" (?:{any_of('numerous')}|per cent)\b")
_PLURAL = re.compile(r" [a-z]{3,20}s\b")
_NO_PLURAL = re.compile(rf" (?:{any_of('no_plurals')}|[a-z]{{1,18}}ss|[a-z]{{1,17}}ous)\b")
_DATED = re.compile(rf"(?i)\b(?:{any_of('before_years')}|a d),? $")


def _counts(found: Found) -> bool:
    """Whether a number that may be a year counts something: "1500 men", not "in 1500 men …"."""
    if found.goes_on_with(_COUNTED):
        return True
    plural = found.goes_on_with(_PLURAL) and not found.goes_on_with(_NO_PLURAL)
    return plural and not found.follows(_DATED, 12)


figures_spoken.add(
    rf"(?<![\w.,])({NUMBER})(?:st|nd|rd|th|ST|ND|RD|TH)(?!\w)",
    lambda found: ordinal(found[1].partition(".")[0]),
)
figures_spoken.add(
    r"(?<![\w.,:])(\d{1,4}):(\d{1,4})(?![\w:]|[.,]\d)",
    lambda found: f"{cardinal(found[1])} to {cardinal(found[2])}",
)
figures_spoken.add(
    rf"(?<![\w.,/-])({NUMBER}) ?[-–—‒] ?({NUMBER})(?![\w/]|[-–]\d|[.,]\d)",
    lambda found: f"{quantity(found[1])} to {quantity(found[2])}",
)
figures_spoken.add(rf"{NUMBER}|(?<!\.)\.\d{{1,19}}", lambda found: quantity(found[0]))
