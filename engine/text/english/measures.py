"""Numbers with units: 5 km, 20°C, 60 mph, 5'10", 3.5 GB, 50 %."""

import re
from functools import cache

from engine.text.english.context import at_end, next_word, spliced, starts_sentence
from engine.text.english.numbers import NUMBER, cardinal, fraction, is_one, mixed, quantity
from engine.text.english.word_list import word_list

# Unit as written: its name, and the plural where that is not the name with an s.
_UNITS = {
    "km": "kilometre", "m": "metre", "cm": "centimetre", "mm": "millimetre", "nm": "nanometre",
    "µm": "micrometre", "μm": "micrometre", "mi": "mile", "ft": "foot/feet", "yd": "yard",
    "yds": "yard", "in.": "inch/inches", "nmi": "nautical mile", "km^2": "square kilometre",
    "m^2": "square metre", "cm^2": "square centimetre", "mm^2": "square millimetre",
    "km2": "square kilometre", "m2": "square metre", "cm2": "square centimetre",
    "m^3": "cubic metre", "cm^3": "cubic centimetre", "m3": "cubic metre",
    "cm3": "cubic centimetre", "sq ft": "square foot/square feet",
    "sq. ft": "square foot/square feet", "cu ft": "cubic foot/cubic feet",
    "cu. ft": "cubic foot/cubic feet", "sq mi": "square mile", "sq. mi": "square mile",
    "sq km": "square kilometre", "sq m": "square metre", "ha": "hectare", "kg": "kilogram",
    "g": "gram", "mg": "milligram", "µg": "microgram", "μg": "microgram", "lb": "pound",
    "lbs": "pound", "oz": "ounce", "gal": "gallon", "qt": "quart", "tsp": "teaspoon",
    "tbsp": "tablespoon", "l": "litre", "L": "litre", "ml": "millilitre",
    "mL": "millilitre", "cl": "centilitre", "dl": "decilitre", "dL": "decilitre", "cc": "c c/c c",
    "s": "second", "s^2": "second squared/seconds squared", "sec": "second", "secs": "second",
    "ms": "millisecond", "µs": "microsecond", "μs": "microsecond", "ns": "nanosecond",
    "min": "minute", "mins": "minute", "h": "hour", "hr": "hour", "hrs": "hour", "yr": "year",
    "yrs": "year", "Hz": "hertz/hertz", "kHz": "kilohertz/kilohertz", "MHz": "megahertz/megahertz",
    "GHz": "gigahertz/gigahertz", "W": "watt", "kW": "kilowatt", "MW": "megawatt", "GW": "gigawatt",
    "kWh": "kilowatt hour", "MWh": "megawatt hour", "Wh": "watt hour", "V": "volt",
    "kV": "kilovolt", "mV": "millivolt", "mA": "milliamp", "mAh": "milliamp hour",
    "kJ": "kilojoule", "MJ": "megajoule", "cal": "calorie", "kcal": "kilocalorie", "Pa": "pascal",
    "hPa": "hectopascal", "kPa": "kilopascal", "MPa": "megapascal",
    "mpg": "mile per gallon/miles per gallon",
    "psi": "pound per square inch/pounds per square inch", "mph": "mile per hour/miles per hour",
    "m p h": "mile per hour/miles per hour", "kph": "kilometre per hour/kilometres per hour",
    "kmh": "kilometre per hour/kilometres per hour",
    "rpm": "revolution per minute/revolutions per minute", "hp": "horsepower/horsepower",
    "fps": "frame per second/frames per second", "bpm": "beat per minute/beats per minute",
    "ppm": "part per million/parts per million", "dpi": "dot per inch/dots per inch",
    "KB": "kilobyte", "kB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte",
    "PB": "petabyte", "KiB": "kibibyte", "MiB": "mebibyte", "GiB": "gibibyte", "TiB": "tebibyte",
    "kbit": "kilobit", "Mbit": "megabit", "Gbit": "gigabit",
    "kbps": "kilobit per second/kilobits per second",
    "Mbps": "megabit per second/megabits per second",
    "Gbps": "gigabit per second/gigabits per second", "dB": "decibel", "px": "pixel",
    "Ω": "ohm", "kΩ": "kilohm", "MΩ": "megohm",
    "°C": "degree Celsius/degrees Celsius", "° C": "degree Celsius/degrees Celsius",
    "°F": "degree Fahrenheit/degrees Fahrenheit", "° F": "degree Fahrenheit/degrees Fahrenheit",
    "°": "degree", "′": "foot/feet", "″": "inch/inches", "%": "percent/percent",
    "‰": "per thousand/per thousand", "bn": "billion/billion", "tn": "trillion/trillion",
    "mn": "million/million", "k": "thousand/thousand",
}  # fmt: skip
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
_SPOKE = frozenset({"said", "says", "asked", "replied", "cried", "wrote", "thought", "told"})
# What an inch does not describe, unlike in "a 12 inch record".
_FREE = word_list(
    "long wide tall high deep thick across apart by square of in on at to from is are was were and "
    "or but more less off above below per"
)
# From and to with the unit at both: 10°C–15°C.
_UNIT_TWICE = re.compile(
    r"(?<=\d) ?(°[CF]?|[ckm]?m|kg|%) ?([-–—]) ?(?=\d{1,6}(?:\.\d{1,6})? ?\1(?![\w°]))"
)
_CORNER = re.compile(r" (?:angle|bend|corner|rotation|turn)s?\b")
_ADJECTIVE = re.compile(r"\b[Aa]n? $")


@cache
def _measures() -> re.Pattern[str]:
    unit = "|".join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))
    return re.compile(
        rf"(?<![\w.,/-])({_QUANTITY})(?: ?(?:[-–—]|to) ?({_QUANTITY}))?(-| ?)({unit})"
        rf"(?:/({unit}))?(?![\w/^°'’]|-\d)(\.?)"
    )


def inches_marked(text: str) -> str:
    """The text with inches under a sign of their own, which print has in common with quotes."""
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
    # The quotation may have begun in the clip before.
    word = next_word(text, mark.end())
    return (
        word[:1].islower() and word not in _SPOKE and not starts_sentence(word.capitalize())
    ) or text[mark.end() : mark.end() + 2].strip()[:1] in ("×", "✕", "✖")


def measures_spoken(text: str) -> str:
    """Measures as words: "five kilometres per hour", "five foot ten"."""
    if "°" in text:
        text = _BEARING.sub(_bearing, _PLACE.sub(_place, text))
    text = _UNIT_TWICE.sub(r"\2", _FEET.sub("′", text))
    text = _FEET_AND_INCHES.sub(r"\1 ft \2 in.", text)
    return _measures().sub(_measure, _HEIGHT.sub(_height, text))


def _height(match: re.Match[str]) -> str:
    feet, inches = match.groups()
    if int(inches) > 11:
        return match[0]
    return spliced(match, f"{cardinal(feet)} foot {cardinal(int(inches))}")


def _place(match: re.Match[str]) -> str:
    degrees, minutes, seconds, way = match.groups()
    words = f"{cardinal(degrees)} degrees {cardinal(int(minutes))} minutes"
    if seconds:
        words += f" {quantity(seconds)} seconds"
    return spliced(match, f"{words} {_COMPASS[way]}" if way else words)


def _bearing(match: re.Match[str]) -> str:
    return spliced(match, f"{quantity(match[1])} degrees {_COMPASS[match[2]]}")


def _measure(match: re.Match[str]) -> str:
    first, last, link, unit, per, stop = match.groups()
    if not _is_unit(last or first, link, unit):
        return match[0]
    one, several = _names(unit)
    number = last or first
    part = _FRACTION.fullmatch(number)
    single = link == "-" or (is_one(number) and not last) or _is_adjective(match)
    words = f"{_quantity(first)} to " if last else ""
    if part and not part[1] and link != "-" and unit not in "%‰":
        words += _part_of(part, one)
    else:
        words += f"{_quantity(number)} {one if single else several}"
    if per:
        words += f" per {_names(per)[0]}"
    return spliced(match, words) + _stop(match, per or unit, stop)


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
    """A unit's name in the singular and in the plural."""
    one, _, several = _UNITS[unit].partition("/")
    return one, several or f"{one}s"


def _stop(match: re.Match[str], unit: str, stop: str) -> str:
    """The dot after a unit where it ends a sentence: in "5 ft. long" it is the unit's own."""
    end = match.end()
    if not unit.isalpha():
        return stop
    return stop if at_end(match.string, end) or next_word(match.string, end)[:1].isupper() else ""


def _is_adjective(match: re.Match[str]) -> bool:
    """Whether the measure describes what follows: a 5 km run."""
    following = next_word(match.string, match.end())
    if match[4] == "″" and match[6] == "" and following[:1].islower() and following not in _FREE:
        return True
    if match[4] == "°" and _CORNER.match(match.string, match.end()):
        return True
    before = _ADJECTIVE.search(match.string, max(0, match.start() - 4), match.start())
    return bool(before) and following[:1].islower()
