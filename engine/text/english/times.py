"""Times of day: 7:30, 7:05 p.m., 10am, 18:45, 9–5pm."""

import re

from engine.text.english.context import at_end, next_word, spliced
from engine.text.english.dates import MONTHS
from engine.text.english.numbers import cardinal

_HALF_OF_DAY = r"(?: ?([AaPp])(?:\. ?[Mm]\b|[Mm]\b)(\.?))?"
_TIME = rf"(\d{{1,2}})(?:([:.])(\d\d)(?::(\d\d))?)?(?![\d:]){_HALF_OF_DAY}"
_TIMES = re.compile(
    rf"(?<![\w:.,/$£€#+-]){_TIME}(?: ?(?:[-–—]|to) ?{_TIME})?(?![\w/]|[.,:]\d)(?! ?%)"
)
_FIELDS = 6
# "5 p.m. Monday" goes on; "5 p.m. He" does not.
_GO_ON = re.compile(
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|[A-Z]{2,4}|Eastern|Pacific|Central|Greenwich|"
    + "|".join(MONTHS)
)


def times_spoken(text: str) -> str:
    """Times as words: "seven oh five p m"."""
    return _TIMES.sub(_spoken, text) if any(mark in text for mark in ":mM") else text


def _spoken(match: re.Match[str]) -> str:
    fields = match.groups()
    first, second = fields[:_FIELDS], fields[_FIELDS:]
    known = [time for time in (first, second) if time[0]]
    if not any(_sure(time) for time in known) or not all(_possible(time) for time in known):
        return match[0]
    words = " to ".join(_in_words(time) for time in known)
    stop = known[-1][5] or ""
    following = next_word(match.string, match.end())
    goes_on = not at_end(match.string, match.end()) and (
        not following[:1].isupper() or _GO_ON.fullmatch(following)
    )
    return spliced(match, words) + ("" if goes_on else stop)


def _sure(time: tuple[str | None, ...]) -> bool:
    """Whether this can be nothing but a time: 7:30 or 7 p.m., where 7.30 may be a number."""
    return time[1] == ":" or time[4] is not None


def _possible(time: tuple[str | None, ...]) -> bool:
    hour, _, minute, second, half, _ = time
    return int(hour or 0) <= (12 if half else 24) and int(minute or 0) < 60 > int(second or 0)


def _in_words(time: tuple[str | None, ...]) -> str:
    hour, _, minute, second, half, _ = time
    assert hour is not None
    words = cardinal(int(hour))
    if minute == "00" and not half and not second:
        words = {0: "midnight"}.get(int(hour), _on_the_hour(int(hour)))
    elif minute and minute != "00":
        words += f" {'oh ' if minute[0] == '0' else ''}{cardinal(int(minute))}"
    if second:
        words += f" and {cardinal(int(second))} second{'' if int(second) == 1 else 's'}"
    return f"{words} {half.lower()} m" if half else words


def _on_the_hour(hour: int) -> str:
    return cardinal(hour) + (" hundred hours" if hour > 12 else " o'clock")
