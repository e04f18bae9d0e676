"""Numbers with units: 5 km, 20°C, 60 mph, 5'10", 3.5 GB, 50 %."""

import re
from functools import cache

from engine.text.english.context import (
    at_end,
    follows_article,
    next_word,
    respoken,
    spliced,
    spoken_forms,
    starts_sentence,
    word_list,
)
from engine.text.english.numbers import NUMBER, cardinal, fraction, mixed, quantity

_UNITS = spoken_forms("units")
_PLURALS = {"foot": "feet", "inch": "inches"}
_QUANTITY = rf"(?:\d{{1,4}} )?\d{{1,3}}/\d{{1,3}}(?![\d/])|{NUMBER}|\.\d{{1,15}}"
_FRACTION = re.compile(r"(?:(\d{1,4}) )?(\d{1,3})/(\d{1,3})")
_HEIGHT = re.compile(r"(?<![\w.'′’])(\d{1,2}) ?['′’] ?(\d{1,2})(?: ?(?:\"|″|”|''|’’)|(?=[ ,;]))")
_PLACE = re.compile(
    r"(\d{1,3})° ?(\d{1,2}) ?['′’](?: ?(\d{1,2}(?:\.\d{1,4})?) ?[\"″”])?(?: ?([NSEW])\b)?"
)
_BEARING = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)° ?([NSEW])(?![\w'’])")
# "3 in his hand" has no inches.
_FEET_AND_INCHES = re.compile(
    r"(?<![\w.,])(\d{1,3}) ?ft\.?,? (\d{1,2}) ?in\b(?!\.| (?:the|a|an|his|her|my|our|their|its)\b)"
)
_COMPASS = {"N": "north", "S": "south", "E": "east", "W": "west"}
_FEET = re.compile(r"(?<=\d)['’](?= (?:tall|high|long|wide|deep)\b)")
# Quotes after a number: an inch has one of them, as far as no quotation is open there.
_QUOTE = re.compile('["“”]')
_INCHES = re.compile(r"(?<![\w.,:/+-])\d{1,3}(?:\.\d{1,3})?(?:/\d{1,3})?$")
_SPEAKING = word_list("speaking")
_AFTER_INCHES = word_list("after_inches")
# From and to with the unit at both: 10°C–15°C.
_UNIT_TWICE = re.compile(
    r"(?<=\d) ?(°[CF]?|[ckm]?m|kg|%) ?([-–—]) ?(?=\d{1,6}(?:\.\d{1,6})? ?\1(?![\w°]))"
)
_CORNER = re.compile(r" (?:angle|bend|corner|rotation|turn)s?\b")


@cache
def _measures() -> re.Pattern[str]:
    unit = "|".join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))
    return re.compile(
        rf"(?<![\w.,/-])({_QUANTITY})(?: ?(?:[-–—]|to) ?({_QUANTITY}))?(-| ?)({unit})"
        rf"(?:/({unit}))?(?![\w/^°'’]|-\d)(\.?)"
    )


def inches_marked(text: str) -> str:
    """The text with inches under a sign of their own, not the one they share with quotes."""
    if not any(mark in text for mark in '"”'):
        return text
    quoted, pieces, done = False, [], 0
    for mark in _QUOTE.finditer(text):
        if quoted or mark[0] == "“":
            quoted = mark[0] == "“"
        elif _is_inch(text, mark):
            pieces += [text[done : mark.start()], "″"]
            done = mark.end()
        else:
            quoted = mark[0] == '"'
    return "".join([*pieces, text[done:]])


def _is_inch(text: str, mark: re.Match[str]) -> bool:
    if not _INCHES.search(text, max(0, mark.start() - 12), mark.start()):
        return False
    if text[mark.end() : mark.end() + 2].strip()[:1] in ("×", "✕", "✖"):
        return True
    # The quotation may have begun in the clip before.
    word = next_word(mark)
    return word[:1].islower() and word not in _SPEAKING and not starts_sentence(word.capitalize())


def measures_spoken(text: str) -> str:
    """Measures as words: "five kilometres per hour", "five foot ten"."""
    if "°" in text:
        text = respoken(_PLACE, _place, text)
        text = respoken(
            _BEARING, lambda match: f"{quantity(match[1])} degrees {_COMPASS[match[2]]}", text
        )
    text = _UNIT_TWICE.sub(r"\2", _FEET.sub("′", text))
    text = _FEET_AND_INCHES.sub(r"\1 ft \2 in.", text)
    return _measures().sub(_measure, respoken(_HEIGHT, _height, text))


def _height(match: re.Match[str]) -> str | None:
    feet, inches = match.groups()
    return None if int(inches) > 11 else f"{cardinal(feet)} foot {cardinal(int(inches))}"


def _place(match: re.Match[str]) -> str:
    degrees, minutes, seconds, direction = match.groups()
    words = f"{cardinal(degrees)} degrees {cardinal(int(minutes))} minutes"
    if seconds:
        words += f" {quantity(seconds)} seconds"
    return f"{words} {_COMPASS[direction]}" if direction else words


def _measure(match: re.Match[str]) -> str:
    first, last, link, unit, per, stop = match.groups()
    number = last or first
    if not _is_unit(number, link, unit):
        return match[0]
    one, several = _names(unit)
    part = _FRACTION.fullmatch(number)
    words = f"{_quantity(first)} to " if last else ""
    if part and not part[1] and link != "-" and unit not in "%‰":
        words += _part_of(part, one)
    else:
        single = link == "-" or (number == "1" and not last) or _is_adjective(match)
        words += f"{_quantity(number)} {one if single else several}"
    if per:
        words += f" per {_names(per)[0]}"
    # In "5 ft. long" the dot is the unit's own.
    ends = not (per or unit).isalpha() or at_end(match) or next_word(match)[:1].isupper()
    return spliced(match, words) + (stop if ends else "")


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


def _part_of(part: re.Match[str], one: str) -> str:
    """Parts of one unit: "half a kilometre", "three quarters of an hour"."""
    article = "an" if one[0] in "aeio" or one.startswith("hour") else "a"
    words = "half" if part[0] == "1/2" else f"{fraction(part[2], part[3])} of"
    return f"{words} {article} {one}"


def _names(unit: str) -> tuple[str, str]:
    one, _, several = _UNITS[unit].partition("/")
    if several:
        return one, several
    head, per, rest = one.partition(" per ")
    before, space, last = head.rpartition(" ")
    return one, f"{before}{space}{_PLURALS.get(last, last + 's')}{per}{rest}"


def _is_adjective(match: re.Match[str]) -> bool:
    """Whether the measure describes what follows: a 5 km run."""
    following = next_word(match)
    if (
        match[4] == "″"
        and match[6] == ""
        and following[:1].islower()
        and following not in _AFTER_INCHES
    ):
        return True
    if match[4] == "°" and _CORNER.match(match.string, match.end()):
        return True
    return follows_article(match) and following[:1].islower()
