"""Figures that are neither times, dates, money nor measures: years, ranges, codes, counts."""

import re

from engine.text.english.context import spliced
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
# Numbers in need that are three digits everywhere, where somebody is told to call them.
_EMERGENCY = re.compile(
    r"\b((?:call|dial|phone|ring)(?:s|ed|led|ing|ling)? |rang )(999|911|112|111|101)"
    r"(?!\w|[.,:-]\d)",
    re.IGNORECASE,
)
# 50 000 with a plain space, where the zeros leave no doubt.
_PARTED = re.compile(r"(?<![\w.,:/+-])(?<!\d )[1-9]\d{0,2}(?: \d{3}){0,3} 000(?!\w| \d|[.,:/-]\d)")
_CHAIN = re.compile(r"(?<![\w.-])\d{1,19}(?:[.-]\d{1,19}){2,10}(?![\w-]|\.\d)")
# Shares of a hundred and the like, which are no fractions.
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
    return _TOO_LONG.sub(_one_by_one, text)


def figures_spoken(text: str) -> str:
    """All figures of a text as words."""
    text = _EMERGENCY.sub(lambda match: match[1] + digit_by_digit(match[2]), text)
    text = _TELEPHONE.sub(_telephone, text)
    text = _CHAIN.sub(_chain, text)
    text = _NICKNAME.sub(_nickname, text)
    text = _HUNDREDS.sub(lambda match: spliced(match, _HUNDREDS_OF[match[0]]), text)
    text = _FRACTION.sub(_fraction, text)
    text = _DECADE.sub(_decade, text)
    text = _SHORT_YEAR.sub(lambda match: spliced(match, _short_year(match[1])), text)
    text = _YEARS.sub(_years, text)
    text = _YEAR.sub(_year, text)
    text = _ORDINAL.sub(lambda match: spliced(match, ordinal(match[1].partition(".")[0])), text)
    text = _RATIO.sub(_ratio, text)
    text = _RANGE.sub(_range, text)
    return _NUMBER.sub(lambda match: spliced(match, quantity(match[0])), text)


def _one_by_one(match: re.Match[str]) -> str:
    whole = f"{cardinal(match[1])} point " if match[2] else ""
    return spliced(match, whole + digit_by_digit(match[3]))


def _telephone(match: re.Match[str]) -> str:
    groups = [digit_by_digit(group) for group in re.findall(r"\d+", match[0])]
    return spliced(match, ("plus " if match[1] else "") + ", ".join(groups))


def _chain(match: re.Match[str]) -> str:
    """Versions, addresses, codes: 1.2.3 and 978-3-16-148410-0."""
    link = " point " if "." in match[0] else " "
    pieces = re.split(r"[.-]", match[0])
    read = cardinal if all(len(piece) < 3 for piece in pieces) else digit_by_digit
    return spliced(match, link.join(map(read, pieces)))


def _nickname(match: re.Match[str]) -> str:
    return spliced(match, " ".join(map(cardinal, match[1].split("/"))))


def _fraction(match: re.Match[str]) -> str:
    whole, numerator, denominator = match.groups()
    if len(numerator) == 4 and _is_year(numerator):
        return match[0]  # 1984/85
    if whole is None and numerator == denominator != "1":
        return spliced(match, f"{cardinal(numerator)} out of {cardinal(denominator)}")
    if whole is None:
        return spliced(match, fraction(numerator, denominator))
    if int(numerator) < int(denominator):
        return spliced(match, mixed(whole, numerator, denominator))
    return spliced(match, f"{cardinal(whole)} {fraction(numerator, denominator)}")


def _decade(match: re.Match[str]) -> str:
    """The 1990s and '90s, and other numbers of which there are several, as the Boeing 747s."""
    years, tens, number = match.groups()
    return spliced(match, plural_of(year(years) if years else cardinal(tens or number)))


def _short_year(written: str) -> str:
    return f"oh {cardinal(int(written))}" if written[0] == "0" else cardinal(written)


def _years(match: re.Match[str]) -> str:
    first, link, last = match.groups()
    if not (_is_year(first) and (len(last) == 2 or _is_year(last))):
        return match[0]
    if _counts(match):
        return match[0]
    link = " " if link == "/" else " to "
    return spliced(
        match, year(first) + link + (year(last) if len(last) == 4 else _short_year(last))
    )


def _year(match: re.Match[str]) -> str:
    if not _is_year(match[1]) or _counts(match):
        return match[0]
    return spliced(match, year(match[1]))


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


def _ratio(match: re.Match[str]) -> str:
    return spliced(match, f"{cardinal(match[1])} to {cardinal(match[2])}")


def _range(match: re.Match[str]) -> str:
    return spliced(match, f"{quantity(match[1])} to {quantity(match[2])}")
