"""Numbers as English words: whole numbers, ordinals, fractions, decimals, years, digits."""

import re
from functools import lru_cache

NUMBER = r"(?:\d{1,3}(?:,\d{3}){1,5}(?!\d)|\d{1,19})(?:\.\d{1,19}(?!\d))?"
"""A number as it is written, for use in expressions."""

LONGEST_RUN = 20
"""Digits in a row that `NUMBER` does not take: they are read one by one before anything else."""

_ROUND = re.compile(r"[1-9]\d{0,2}(?:000){2,4}")
_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ("", " thousand", " million", " billion", " trillion")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip


@lru_cache(maxsize=16_384)
def cardinal(written: str | int) -> str:
    """A whole number in words, as in "one hundred and five"; its commas are ignored.

    One with leading zeros, or too long to be a quantity, is read digit by digit.
    """
    digits = str(written).replace(",", "")
    longest = 15 if digits != written or _ROUND.fullmatch(digits) else 9
    if len(digits) > longest or (len(digits) > 1 and digits[0] == "0"):
        return digit_by_digit(digits)
    groups = [int(group) for group in f"{int(digits):,}".split(",")]
    scales = reversed(_SCALES[: len(groups)])
    words = [_hundreds(group) + scale for group, scale in zip(groups, scales, strict=True) if group]
    if len(groups) > 1 and 0 < groups[-1] < 100:
        words.insert(-1, "and")
    return " ".join(words) or "zero"


def _hundreds(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [_ONES[hundreds], "hundred"] if hundreds else []
    if hundreds and rest:
        words.append("and")
    if rest >= 20:
        words.append(_TENS[rest // 10 - 2])
        rest %= 10
    return " ".join([*words, _ONES[rest]] if rest else words)


def digit_by_digit(digits: str) -> str:
    """The digits of a text in words, one by one; everything else is left out."""
    return " ".join(_ONES[int(digit)] for digit in digits if digit.isdecimal())


def spelled(code: str) -> str:
    """The letters and digits of a code in words, one by one; everything else is left out."""
    signs = (_ONES[int(sign)] if sign.isdecimal() else sign.lower() for sign in code)
    return " ".join(sign for sign in signs if sign.isalnum())


def zip_code(code: str) -> str:
    """A code spelled with "oh" for zero."""
    return spelled(code).replace("zero", "oh")


def paired(number: str) -> str:
    """The number of a house, a room or a model, as "seven forty seven" and "twelve ten"."""
    return year(number) if len(number) in (3, 4) and number[0] != "0" else cardinal(number)


def quantity(written: str) -> str:
    """A number as `NUMBER` finds it, in words: "three point one four"."""
    whole, _, decimals = written.partition(".")
    words = cardinal(whole) if whole else ""
    return f"{words} point {digit_by_digit(decimals)}".strip() if decimals else words


def ordinal(written: str | int) -> str:
    """A place in a row: "twenty first"."""
    before, space, last = cardinal(written).rpartition(" ")
    place = last[:-1] + "ieth" if last.endswith("y") else _ORDINALS.get(last, last + "th")
    return before + space + place


def plural_of(words: str) -> str:
    """The plural of a number in words: "nineteen nineties"."""
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith("x") else "s")


def fraction(numerator: str, denominator: str) -> str:
    """Parts of a whole: "one half", "three quarters", "five eighths".

    Where the lower number names no parts, as in a blood pressure, "over" stands between the two.
    """
    names_parts = 2 <= int(denominator) <= 100 or denominator == "1000"
    if not names_parts or int(numerator) > int(denominator) >= 20:
        return f"{cardinal(numerator)} over {cardinal(denominator)}"
    names = {"2": ("half", "halves"), "4": ("quarter", "quarters")}
    place = ordinal(denominator)
    one, several = names.get(denominator, (place, plural_of(place)))
    return f"{cardinal(numerator)} {one if int(numerator) == 1 else several}"


def mixed(whole: str, numerator: str, denominator: str) -> str:
    """A whole number and parts: "one and a half", "three and three quarters"."""
    parts = fraction(numerator, denominator)
    return f"{cardinal(whole)} and {parts.replace('one ', 'a ', 1)}"


def year(written: str) -> str:
    """A year of four digits or two: "nineteen oh five", "two thousand and seven", "oh five"."""
    if len(written) == 2:
        return f"oh {cardinal(int(written))}" if written[0] == "0" else cardinal(written)
    century, rest = divmod(int(written), 100)
    if not century or (rest < 10 and century % 10 == 0):
        return cardinal(int(written))
    if not rest:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"
