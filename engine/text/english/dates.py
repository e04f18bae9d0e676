"""Dates: 12 March 1999, March 12th, 1999-03-12, 25/12/1999.

Where 3/4/1999 does not say which is the day, the day comes first, as in Britain.
"""

import re

from engine.text.english.context import spliced
from engine.text.english.numbers import cardinal, ordinal, year

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip

_SHORT = {name[:3]: name for name in MONTHS} | {"Sept": "September"}
_MONTH = f"({'|'.join([*MONTHS, *sorted(_SHORT, key=len, reverse=True)])})"
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?:,? (\d{4})(?![\d%°]|[,.:/-]\d))?"
_DAY_FIRST = re.compile(
    rf"(?<![\w.,:/-])([Tt]he )?{_DAY}(?: ?[-–] ?{_DAY})?(?: of)? {_MONTH}\b{_YEAR}"
)
_MONTH_FIRST = re.compile(
    rf"(?<![\w-]){_MONTH} (?:the )?{_DAY}(?: ?[-–] ?{_DAY})?(?![\w%°/]|[.,:-]\d)(,?){_YEAR}"
)
_YEAR_FIRST = re.compile(r"(?<![\w./-])(\d{4})([-/.])(\d\d)\2(\d\d)(?![\w/-]|\.\d)")
_FIGURES = re.compile(r"(?<![\w./-])(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d\d)(?![\w/-]|\.\d)")


def dates_spoken(text: str) -> str:
    """Dates as words: "the twelfth of March nineteen ninety nine"."""
    text = _YEAR_FIRST.sub(_year_first, text)
    text = _FIGURES.sub(_figures, text)
    text = _DAY_FIRST.sub(_day_first, text)
    return _MONTH_FIRST.sub(_month_first, text)


def _day_first(match: re.Match[str]) -> str:
    the, first, last, month, written = match.groups()
    if not _are_days(first, last):
        return match[0]
    days = f"{the or 'the '}{ordinal(int(first))}"
    if last:
        days += f" to the {ordinal(int(last))}"
    return spliced(match, _joined(f"{days} of {_SHORT.get(month, month)}", written))


def _month_first(match: re.Match[str]) -> str:
    month, first, last, comma, written = match.groups()
    if not _are_days(first, last):
        return match[0]
    words = f"{_SHORT.get(month, month)} {ordinal(int(first))}"
    if last:
        words += f" to {ordinal(int(last))}"
    return spliced(match, _joined(words + comma, written))


def _year_first(match: re.Match[str]) -> str:
    written, _, month, day = match.groups()
    return _in_words(match, int(day), int(month), written)


def _figures(match: re.Match[str]) -> str:
    day, mark, month, written = match.groups()
    # Two digits with dots or hyphens are as likely a version or a score.
    if len(written) == 2 and mark != "/":
        return match[0]
    if int(month) > 12:
        day, month = month, day
    return _in_words(match, int(day), int(month), written)


def _in_words(match: re.Match[str], day: int, month: int, written: str) -> str:
    if not 1 <= month <= 12 or not 1 <= day <= 31:
        return match[0]
    return spliced(match, _joined(f"the {ordinal(day)} of {MONTHS[month - 1]}", written))


def _joined(day: str, written: str | None) -> str:
    if not written:
        return day
    return f"{day} {year(written) if len(written) == 4 else _short_year(written)}"


def _short_year(written: str) -> str:
    return f"oh {cardinal(int(written))}" if written[0] == "0" else cardinal(written)


def _are_days(first: str, last: str | None) -> bool:
    return 1 <= int(first) <= 31 and (last is None or int(first) < int(last) <= 31)
