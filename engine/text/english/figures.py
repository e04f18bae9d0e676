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
rows_and_rates_spoken.add(
    r"(?<=[$£€¥₹])(\d[\d.,]{0,15}[kKmMbB]?)((?:/[a-z]{2,12}){1,2})(?![\w/])",
    lambda found: found[1] + "".join(f" per {_PER.get(u, u)}" for u in found[2][1:].split("/")),
)

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
    r"(?<![\w/.,])(?:24/7(?:/365)?|9/11|20/20"
    rf"|\d{{1,2}}/\d{{1,2}}(?= (?:{any_of('metres')})s?\b)"
    r"|(?<=\b[Ii]n )(?:[2-7]/4|[35-79]/8|12/8)(?=[.,;:!?]|$))(?![\w/])",
    lambda found: " ".join(map(cardinal, found[0].split("/"))),
)


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


_RATED = re.compile(rf"(?i)\b(?:{any_of('rating')})\b[^.!?]{{0,30}}$")
_OF = re.compile(r" of\b")
_OUT_OF = {5: re.compile(r" stars?\b"), 10: re.compile(r" (?:people|stars?|[a-z]{3,20}s)\b")}
_SEEN = re.compile(r" (?:vision|eyesight|sight)\b")


def _pair(found: Found, first: str, second: str) -> str | None:
    """Two numbers with a stroke that are no fraction: marks, shares, sight, blood pressure."""
    one, two = int(first), int(second)
    rated = found.follows(_RATED, 50) and not found.goes_on_with(_OF)
    counted = two in (5, 10) and found.goes_on_with(_OUT_OF[two])
    seen = one == 20 and found.goes_on_with(_SEEN)
    between = " to " if two == 1 else ""
    if seen or (one + two == 100 and one % 5 == 0 < one) or (first == second == "4" and not rated):
        between = " "
    elif (one == two != 1) or (one < two and (counted or (rated and two in (5, 10, 20, 100)))):
        between = " out of "
    return between and cardinal(first) + between + cardinal(second)


_TENS = r"['’]?([1-9]0)"


# From decade to decade: the 1960s-80s, in their 50-60s.
@figures_spoken.reads(
    rf"(?<![\w.,])(?:(\d{{3}}0)|{_TENS})(['’]?s)? ?[-–—] ?(?:(\d{{3}}0)|{_TENS})['’]?s(?!\w)"
)
def _decades(found: Found) -> str:
    first, tens, several, last, last_tens = found.groups()
    # 1900–1920s begins with a year.
    begin = year(first) if first else cardinal(tens)
    begin = begin if first and last and not several else plural_of(begin)
    return f"{begin} to {plural_of(year(last) if last else cardinal(last_tens))}"


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
