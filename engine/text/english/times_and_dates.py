"""Times of day, verses of the Bible, and dates: 3/4/1999 is a day in April, as in Britain."""

import re

from engine.text.english.numbers import cardinal, ordinal, year
from engine.text.english.rules import BOOKS, Found, Rules, spoken_forms

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
SHORT_MONTHS = {name[:3]: name for name in MONTHS} | {"Sept": "September"}

times_spoken = Rules("clock")
"""Verses and times as words: "John three sixteen", "seven oh five p m"."""

_SHORT_BOOKS = spoken_forms("short_books")
_BOOK = "|".join([*BOOKS, *map(re.escape, _SHORT_BOOKS)])


# No verse is numbered 05, as the minutes of a time are.
@times_spoken.reads(
    rf"(?<!\w)(?:([1-3]) )?({_BOOK}) (\d{{1,3}}):([1-9]\d{{0,2}})"
    r"(?: ?[-–—] ?(\d{1,3})(?!:))?(?![\w:]|[.,]\d)(?! ?[ap]\.? ?m\b)",
)
def _verse(found: Found) -> str:
    part, book, chapter, first, last = found.groups()
    which = f"{ordinal(part)} " if part else ""
    verses = f"{cardinal(first)} to {cardinal(last)}" if last else cardinal(first)
    return f"{which}{_SHORT_BOOKS.get(book, book)} {cardinal(chapter)} {verses}"


_HALF_OF_DAY = r"(?: ?([AaPp])(?:\. ?[Mm]\b|[Mm]\b)(\.?))?"
_TIME = rf"(\d{{1,2}})(?:([:.])(\d\d)(?::(\d\d))?)?(?![\d:]){_HALF_OF_DAY}"
_TIME_FIELDS = 6
# "5 p.m. Monday" continues a sentence; "5 p.m. He" does not.
_CONTINUES = re.compile(
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|[A-Z]{2,4}|Eastern|Pacific|Central|Greenwich|"
    + "|".join(MONTHS)
)


@times_spoken.reads(
    rf"(?<![\w:.,/$£€#+-]){_TIME}(?: ?(?:[-–—]|to) ?{_TIME})?(?![\w/]|[.,:]\d)"
    r"(?! ?%| (?:ratio|odds|scale|aspect|mix))",
)
def _time(found: Found) -> str | None:
    fields = found.groups()
    times = [time for time in (fields[:_TIME_FIELDS], fields[_TIME_FIELDS:]) if time[0]]
    # 7:30 and 7 p.m. can be nothing but times, where 7.30 may be a number.
    sure = any(time[1] == ":" or time[4] is not None for time in times)
    if not sure or not all(_possible(time) for time in times):
        return None
    words = " to ".join(_time_in_words(time) for time in times)
    following = found.next_word
    continues = not following[:1].isupper() or _CONTINUES.fullmatch(following)
    stop = "" if continues and not found.at_end else times[-1][5] or ""
    return found.spliced(words) + stop


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


dates_spoken = Rules("calendar", apart=True)
"""Dates as words: "the twelfth of March nineteen ninety nine"."""

_NAMES = "|".join([*MONTHS, *sorted(SHORT_MONTHS, key=len, reverse=True)])
# "In June. 5 came" has two sentences.
_MONTH = rf"((?i:{_NAMES}))(?!\w)(?:(?<=\b\w{{3}})(?<![Mm]ay)\.|(?<=\b\w{{3}}t)\.)?"
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_DAYS = rf"{_DAY}(?: ?[-–] ?{_DAY})?"
# Months that are words in lower case, and what stands before them in dates.
_WORDS = frozenset({"may", "march", "mar"})
_SURELY = re.compile(r"\d(?:st|nd|rd|th)\b|\.")
_BEFORE_DATES = re.compile(r"(?i)\b(?:on|by|since|until|till|from|before|after|to|and|,) ?$")
_YEAR = r"(?:(?:,? |[/-])(\d{4})(?![\d%°]|[,.:/-]\d))?"


@dates_spoken.reads(r"(?<![\w./-])(\d{4})([-/.])(\d\d)\2(\d\d)(?![\w/-]|\.\d)")
def _year_first(found: Found) -> str | None:
    return _date(found[4], found[3], found[1])


@dates_spoken.reads(r"(?<![\w./-])(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d\d)(?![\w/-]|\.\d)")
def _figures(found: Found) -> str | None:
    day, mark, month, written = found.groups()
    # Two digits with dots or hyphens are as likely a version or a score.
    if len(written) == 2 and mark != "/":
        return None
    return _date(month, day, written) if int(month) > 12 else _date(day, month, written)


# On 12/25, where one of the two can only be the day.
@dates_spoken.reads(r"(?<=\b[Oo]n )(\d{1,2})/(\d{1,2})(?![\w/]|[.,]\d)")
def _without_year(found: Found) -> str | None:
    month, day = sorted(found.groups(), key=int)
    return _date(day, month, "") if int(day) > 12 else None


def _date(day: str, month: str, written: str) -> str | None:
    if not 1 <= int(month) <= 12 or not 1 <= int(day) <= 31:
        return None
    date = f"the {ordinal(int(day))} of {MONTHS[int(month) - 1]}"
    return f"{date} {year(written)}" if written else date


@dates_spoken.reads(rf"(?<![\w.,:/-])([Tt]he )?{_DAYS}(?: of)?[ /-]{_MONTH}{_YEAR}")
def _day_first(found: Found) -> str | None:
    the, first, last, month, written = found.groups()
    # "We had 25 march past" is no date.
    ambiguous = month in _WORDS and not (written or the) and found.next_word
    if not _are_days(first, last) or ambiguous:
        return None
    until = f" to the {ordinal(int(last))}" if last else ""
    return _dated(f"{the or 'the '}{ordinal(int(first))}{until} of {_month(month)}", written, found)


@dates_spoken.reads(rf"(?<![\w-]){_MONTH}[ -](?:the )?{_DAYS}(?![\w%°/]|[.,:]\d)(,?){_YEAR}")
def _month_first(found: Found) -> str | None:
    month, first, last, comma, written = found.groups()
    # "You may 5 times", "march 10 miles".
    ambiguous = month in _WORDS and not written and not _SURELY.search(found[0])
    if not _are_days(first, last) or (ambiguous and not found.follows(_BEFORE_DATES, 10)):
        return None
    until = f" to {ordinal(int(last))}" if last else ""
    return _dated(f"{_month(month)} {ordinal(int(first))}{until}{comma}", written, found)


# Sept. 2019
dates_spoken.add(
    rf"(?<![\w-])(?!may |march ){_MONTH}(,?) ([12]\d{{3}})(?!\w|[.,:/-]\d)",
    lambda found: f"{_month(found[1])}{found[2]} {year(found[3])}",
)


def _month(written: str) -> str:
    """The month in full, a small letter where it is written so."""
    name = SHORT_MONTHS.get(written.capitalize(), written)
    return name if written[0].isupper() else name.lower()


def _dated(day: str, written: str | None, found: Found) -> str:
    """A day and its year; the dot of a month's short form stays where it ends a sentence."""
    stop = "." if found[0].endswith(".") and found.ends_sentence else ""
    return (f"{day} {year(written)}" if written else day) + stop


def _are_days(first: str, last: str | None) -> bool:
    return 1 <= int(first) <= 31 and (last is None or int(first) < int(last) <= 31)
