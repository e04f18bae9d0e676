"""Numbers with units: 5 km, 20°C, 5'10", 2"x4", 50 %."""

import re

from engine.text.english.numbers import NUMBER, cardinal, fraction, mixed, quantity
from engine.text.english.rules import Found, Rules, one_of, spoken_forms, starts_sentence, word_list

_QUOTE = re.compile('["“”]')
_INCHES = re.compile(r"(?<![\w.,:/+-])\d{1,3}(?:\.\d{1,3})?(?:/\d{1,3} ?)?$")
_BY = re.compile(r" ?[×✕✖]| ?x ?\d")
_BY_BEFORE = re.compile(r"[\"″”] ?[x×✕✖] ?[\d./]{1,8}$")
_AFTER_ARTICLE = re.compile(r"\b[Aa]n? [\d./]{1,8}$")
_SPEAKING = word_list("speaking")


def inches_marked(text: str) -> str:
    """The text with inches under a sign of their own, not the one they share with quotes.

    An inch has a quote as far as no quotation is open there.
    """
    quoted = False

    def read(mark: re.Match[str]) -> str:
        nonlocal quoted
        if not quoted and mark[0] != "“" and _is_inch(Found(mark)):
            return "″"
        quoted = mark[0] == "“" or (mark[0] == '"' and not quoted)
        return mark[0]

    return _QUOTE.sub(read, text)


def _is_inch(mark: Found) -> bool:
    if mark.follows(_BY_BEFORE, 14):
        return True
    inches = mark.follows(_INCHES, 12)
    if not inches:
        return False
    if "/" in inches[0] or mark.goes_on_with(_BY) or mark.follows(_AFTER_ARTICLE, 14):
        return True
    # The quotation may have begun in the clip before.
    word = mark.next_word
    return word[:1].islower() and word not in _SPEAKING and not starts_sentence(word.capitalize())


_UNITS = spoken_forms("units")
_UNIT = one_of(_UNITS)

angles_and_heights_spoken = Rules("heights", apart=True)
"""Places, bearings and people's heights as words: "five foot ten"."""

_COMPASS = {"N": "north", "S": "south", "E": "east", "W": "west"}


@angles_and_heights_spoken.reads(
    r"(\d{1,3})° ?(\d{1,2}) ?['′’](?: ?(\d{1,2}(?:\.\d{1,4})?) ?[\"″”])?(?: ?([NSEW])\b)?"
)
def _place(found: Found) -> str:
    degrees, minutes, seconds, direction = found.groups()
    words = f"{cardinal(degrees)} degrees {cardinal(int(minutes))} minutes"
    if seconds:
        words += f" {quantity(seconds)} seconds"
    return f"{words} {_COMPASS[direction]}" if direction else words


angles_and_heights_spoken.add(
    r"(\d{1,3}(?:\.\d{1,6})?)° ?([NSEW])(?![\w'’])",
    lambda found: f"{quantity(found[1])} degrees {_COMPASS[found[2]]}",
)
# From and to with the unit at both: 10°C–15°C.
angles_and_heights_spoken.add(
    rf"(?<=\d) ?(?!s\b)({_UNIT}) ?([-–—]) ?(?=\d{{1,6}}(?:\.\d{{1,6}})? ?\1(?![\w°]))", r"\2"
)


@angles_and_heights_spoken.reads(
    r"(?<![\w.'′’])(\d{1,2}) ?['′’][ -]?(\d{1,2})(?: ?(?:\"|″|”|''|’’)|(?=[ ,;.]|$))"
)
def _height(found: Found) -> str | None:
    feet, inches = found.groups()
    return None if int(inches) > 11 else f"{cardinal(feet)} foot {cardinal(int(inches))}"


units_spoken = Rules()
"""Numbers with units as words: "five kilometres per hour"."""

_PLURALS = {"foot": "feet", "inch": "inches"}
_QUANTITY = rf"(?:\d{{1,4}} )?\d{{1,3}}/\d{{1,3}}(?![\d/])|{NUMBER}|\.\d{{1,15}}"
_FRACTION = re.compile(r"(?:(\d{1,4}) )?(\d{1,3})/(\d{1,3})")
_AFTER_INCHES = word_list("after_inches")
_ARTICLE_BY = re.compile(r"\b[Aa]n? [\d.]{1,6} by $")
_CORNER = re.compile(r" (?:angle|bend|corner|rotation|turn)s?\b")
_SCALE = r"(?:( (?:hundred|thousand|million|billion|trillion)|bn(?= )|k(?= )))?"
_SCALES = {"k": " thousand", "bn": " billion"}
_SIZE = rf"({_QUANTITY})( ?)({_UNIT})"


@units_spoken.reads(rf"(?<![\w.,/-]){_SIZE} by {_SIZE}(?: by {_SIZE})?(?![\w/^°'’])(\.?)")
def _dimensions(found: Found) -> str | None:
    """Two inches by four, in the singular where something is described."""
    *sides, stop = found.groups()
    units = [unit for unit in sides[2::3] if unit]
    single = _is_adjective(found, units[-1], stop)
    words = [_side(side, unit, single) for side, unit in zip(sides[::3], units, strict=False)]
    return found.spliced(" by ".join(words)) + (stop if found.ends_sentence else "")


@units_spoken.reads(
    rf"(?<![\w.,/-])({_QUANTITY})(?: ?(?:[-–—]|to) ?({_QUANTITY}))?{_SCALE}(-| ?)({_UNIT})"
    rf"(?:/({_UNIT}))?(?![\w/^°'’]|-\d)(\.?)"
)
def _measure(found: Found) -> str | None:
    first, last, scale, link, unit, per, stop = found.groups()
    number = last or first
    if not _is_unit(number, link, unit):
        return None
    one, several = _names(unit)
    part = _FRACTION.fullmatch(number)
    words = f"{_quantity(first)} to " if last else ""
    if part and not part[1] and int(part[2]) < int(part[3]) and link != "-" and unit not in "%‰":
        words += _part_of(part, one)
    else:
        alone = number == "1" and not last and not scale
        single = link == "-" or alone or _is_adjective(found, unit, stop)
        amount = _quantity(number) + (_SCALES.get(scale, scale) if scale else "")
        words += f"{amount} {one if single else several}"
    if per:
        words += f" per {_names(per)[0]}"
    # In "5 ft. long" the dot is the unit's own.
    ends = not (per or unit).isalpha() or found.at_end or found.next_word[:1].isupper()
    return found.spliced(words) + (stop if ends else "")


def _side(number: str, unit: str, single: bool) -> str:
    one, several = _names(unit)
    part = _FRACTION.fullmatch(number)
    if part and not part[1] and not single:
        return _part_of(part, one)
    return f"{_quantity(number)} {one if single or number == '1' else several}"


def _part_of(part: re.Match[str], one: str) -> str:
    """Half a kilometre, three quarters of an hour."""
    article = "an" if one[0] in "aeio" or one.startswith("hour") else "a"
    words = "half" if part[0] == "1/2" else f"{fraction(part[2], part[3])} of"
    return f"{words} {article} {one}"


def _is_unit(number: str, link: str, unit: str) -> bool:
    """Whether letters after a number can be its unit: 90s are years, 747s planes."""
    if unit in ("k", "bn", "tn", "mn", "mln", "in", "sf"):
        return link == ""
    if unit == "s" and link == "":
        return "." in number or len(number) == 1 or (len(number) == 2 and number[1] != "0")
    return link != "-" or unit not in ("s", "in.", "%", "°", "′", "″")


def _quantity(written: str) -> str:
    part = _FRACTION.fullmatch(written)
    if not part:
        return quantity(written)
    return mixed(*part.groups()) if part[1] else fraction(part[2], part[3])


def _names(unit: str) -> tuple[str, str]:
    """The unit's name for one, and for several."""
    one, _, several = _UNITS[unit].partition("/")
    if several:
        return one, several
    head, per, rest = one.partition(" per ")
    before, space, last = head.rpartition(" ")
    return one, f"{before}{space}{_PLURALS.get(last, last + 's')}{per}{rest}"


def _is_adjective(found: Found, unit: str, stop: str) -> bool:
    """Whether the measure describes what follows: a 5 km run."""
    following = found.next_word
    sign_of = unit in ("″", "′") and not stop and following not in _AFTER_INCHES
    noun = following[:1].islower() or (following.isupper() and len(following) > 1)
    if noun and (sign_of or found.follows_article or found.follows(_ARTICLE_BY, 16)):
        return True
    return unit == "°" and found.goes_on_with(_CORNER)
