"""Times of day, dates, and verses of the Bible, which look like times.

Where 3/4/1999 does not say which is the day, the day comes first, as in Britain.
"""

import re

from engine.text.english.context import BOOKS, at_end, next_word, respoken, spliced, spoken_forms
from engine.text.english.numbers import cardinal, ordinal, year

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
SHORT_MONTHS = {name[:3]: name for name in MONTHS} | {"Sept": "September"}

_HALF_OF_DAY = r"(?: ?([AaPp])(?:\. ?[Mm]\b|[Mm]\b)(\.?))?"
_TIME = rf"(\d{{1,2}})(?:([:.])(\d\d)(?::(\d\d))?)?(?![\d:]){_HALF_OF_DAY}"
_TIMES = re.compile(
    rf"(?<![\w:.,/$£€#+-]){_TIME}(?: ?(?:[-–—]|to) ?{_TIME})?(?![\w/]|[.,:]\d)(?! ?%)"
)
_TIME_FIELDS = 6
# "5 p.m. Monday" continues a sentence; "5 p.m. He" does not.
_CONTINUES = re.compile(
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|[A-Z]{2,4}|Eastern|Pacific|Central|Greenwich|"
    + "|".join(MONTHS)
)

_SHORT_BOOKS = spoken_forms("short_books")
_BOOK = "|".join([*BOOKS, *map(re.escape, _SHORT_BOOKS)])
# No verse is numbered 05, as the minutes of a time are.
_VERSES = re.compile(
    rf"(?<!\w)(?:([1-3]) )?({_BOOK}) (\d{{1,3}}):([1-9]\d{{0,2}})"
    r"(?: ?[-–—] ?(\d{1,3})(?!:))?(?![\w:]|[.,]\d)(?! ?[ap]\.? ?m\b)"
)

_MONTH = f"({'|'.join([*MONTHS, *sorted(SHORT_MONTHS, key=len, reverse=True)])})"
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


def verses_spoken(text: str) -> str:
    """Verses as words: "John three sixteen", "first Corinthians thirteen four to eight"."""
    return _VERSES.sub(_verse, text) if ":" in text else text


def _verse(match: re.Match[str]) -> str:
    part, book, chapter, first, last = match.groups()
    which = f"{ordinal(part)} " if part else ""
    verses = f"{cardinal(first)} to {cardinal(last)}" if last else cardinal(first)
    return f"{which}{_SHORT_BOOKS.get(book, book)} {cardinal(chapter)} {verses}"


def times_spoken(text: str) -> str:
    """Times as words: "seven oh five p m"."""
    return _TIMES.sub(_time, text) if any(mark in text for mark in ":mM") else text


def _time(match: re.Match[str]) -> str:
    fields = match.groups()
    times = [time for time in (fields[:_TIME_FIELDS], fields[_TIME_FIELDS:]) if time[0]]
    # 7:30 and 7 p.m. can be nothing but times, where 7.30 may be a number.
    sure = any(time[1] == ":" or time[4] is not None for time in times)
    if not sure or not all(_possible(time) for time in times):
        return match[0]
    words = " to ".join(_time_in_words(time) for time in times)
    following = next_word(match)
    continues = not following[:1].isupper() or _CONTINUES.fullmatch(following)
    stop = "" if continues and not at_end(match) else times[-1][5] or ""
    return spliced(match, words) + stop


def _possible(time: tuple[str | None, ...]) -> bool:
    hour, _, minute, second, half, _ = time
    return int(hour or 0) <= (12 if half else 24) and int(minute or 0) < 60 > int(second or 0)


def _time_in_words(time: tuple[str | None, ...]) -> str:
    hour, _, minute, second, half, _ = time
    assert hour is not None
    words = cardinal(int(hour))
    if minute == "00" and not half and not second:
        words += " hundred hours" if int(hour) > 12 else " o'clock"
        words = words if int(hour) else "midnight"
    elif minute and minute != "00":
        words += f" {year(minute)}"
    if second:
        words += f" and {cardinal(int(second))} second{'' if int(second) == 1 else 's'}"
    return f"{words} {half.lower()} m" if half else words


def dates_spoken(text: str) -> str:
    """Dates as words: "the twelfth of March nineteen ninety nine"."""
    text = respoken(_YEAR_FIRST, lambda match: _date(match[4], match[3], match[1]), text)
    text = respoken(_FIGURES, _figures, text)
    text = respoken(_DAY_FIRST, _day_first, text)
    return respoken(_MONTH_FIRST, _month_first, text)


def _figures(match: re.Match[str]) -> str | None:
    day, mark, month, written = match.groups()
    # Two digits with dots or hyphens are as likely a version or a score.
    if len(written) == 2 and mark != "/":
        return None
    return _date(month, day, written) if int(month) > 12 else _date(day, month, written)


def _date(day: str, month: str, written: str) -> str | None:
    if not 1 <= int(month) <= 12 or not 1 <= int(day) <= 31:
        return None
    return f"the {ordinal(int(day))} of {MONTHS[int(month) - 1]} {year(written)}"


def _day_first(match: re.Match[str]) -> str | None:
    the, first, last, month, written = match.groups()
    if not _are_days(first, last):
        return None
    days = f"{the or 'the '}{ordinal(int(first))}"
    if last:
        days += f" to the {ordinal(int(last))}"
    return _with_year(f"{days} of {SHORT_MONTHS.get(month, month)}", written)


def _month_first(match: re.Match[str]) -> str | None:
    month, first, last, comma, written = match.groups()
    if not _are_days(first, last):
        return None
    words = f"{SHORT_MONTHS.get(month, month)} {ordinal(int(first))}"
    if last:
        words += f" to {ordinal(int(last))}"
    return _with_year(words + comma, written)


def _with_year(day: str, written: str | None) -> str:
    return f"{day} {year(written)}" if written else day


def _are_days(first: str, last: str | None) -> bool:
    return 1 <= int(first) <= 31 and (last is None or int(first) < int(last) <= 31)
