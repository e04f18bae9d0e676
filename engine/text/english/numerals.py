"""Numbers as other countries and trades write them, in the form that `NUMBER` finds."""

import re

from engine.text.english.numbers import cardinal
from engine.text.english.rules import Found, Rules, one_of, spoken_forms, word_list

numerals_joined = Rules("sums")
"""1.234,56 and 1'234 and 1 234 with commas, 1-1/2 as 1 1/2, 200K and 5M with their words."""

_ALONE = r"(?<![\w.,:/+'’-])(?<!\d )"
_ENDS = r"(?!\w| \d|[.,:/'’-]\d)"
_CURRENCY = one_of(spoken_forms("currencies"))
_UNIT = one_of(spoken_forms("units"))
_MEASURED = rf" ?(?:{_CURRENCY}|{_UNIT}|euros?|francs?|million|billion|trillion)(?!\w)"


def _joined(found: Found) -> str:
    """Thousands under commas, whatever parted them, and decimals after a point."""
    decimals = found[2] if found.match.re.groups > 1 else None
    digits = re.sub(r"\D", "", found[1])
    return f"{int(digits):,}" + (f".{decimals}" if decimals else "")


for pattern in (
    rf"{_ALONE}([1-9]\d{{0,2}}(?:['’_]\d{{3}}){{1,4}})(?:[.,](\d\d))?{_ENDS}",
    rf"(?<![\w.,])([1-9]\d{{0,2}}(?:\.\d{{3}}){{2,4}})(?:,(\d{{1,2}}))?{_ENDS}",
    rf"(?<![\w.,])(\d{{1,3}}(?:\.\d{{3}}){{1,4}}),(\d{{1,2}}){_ENDS}",
    r"(?<![\w.,])([1-9]\d{0,2}\.\d{3})(?= ?(?:€|EUR|TL|₺|kr|euros?|reais|lira|pesos)(?!\w))",
    rf"(?<=[€₺])( ?[1-9]\d{{0,2}}\.\d{{3}}){_ENDS}",
    rf"{_ALONE}([1-9]\d{{0,2}}(?: \d{{3}}){{1,4}}),(\d{{1,2}}){_ENDS}",
    # With a plain space, where zeros, several groups or a unit leave no doubt.
    rf"{_ALONE}([1-9]\d{{0,2}}(?: \d{{3}}){{0,3}} 000){_ENDS}",
    rf"{_ALONE}([1-9]\d?(?: \d{{3}}){{2,4}}){_ENDS}",
    rf"{_ALONE}([1-9]\d{{0,2}}(?: \d{{3}}){{1,4}})(?={_MEASURED})",
    rf"(?<=[$£€¥₹])( ?[1-9]\d{{0,2}}(?: \d{{3}}){{1,4}}){_ENDS}",
    # In India.
    r"(?<![\w.,])(\d{1,2}(?:,\d\d){1,4},\d{3})(?![\w,])",
    # A comma before decimals.
    rf"(?<![\w.,])(\d{{1,4}}),(\d{{1,2}})(?={_MEASURED})",
    rf"(?<![\w.,])(\d{{1,4}}),(\d{{1,2}})(?= ?[-–x×] ?\d{{1,4}}\.\d{{1,2}}{_MEASURED})",
    rf"(?<=[€£$₺])( ?\d{{1,4}}),(\d\d){_ENDS}",
):
    numerals_joined.add(pattern, _joined)


_COUNT = r"\d{1,3}(?:,\d{3}|\d{0,6})(?:\.\d{1,3})?"
_WITH_K = word_list("with_k")
_OF_GOLD = frozenset({"gold", "white", "yellow", "rose"})
_MANY = ("ers", "ns", "ts", "es", "ds", "people")
_SCALES = {"K": "thousand", "M": "million", "B": "billion"}


@numerals_joined.reads(
    rf"(?<![\w.,/$£€:-])(?<![A-Z]\$)(?:({_COUNT}) ?[-–] ?)?({_COUNT})([KkMB])(?![\w/-])"
)
def _scaled(found: Found) -> str | None:
    """200K users, 5M people; but a 5k run, 4K, a 2B pencil."""
    first, last, letter = found.groups()
    following = found.next_word
    if letter in "Kk" and following in _OF_GOLD:
        return f"{last} karat"
    if following.lower() in _WITH_K:
        return f"{cardinal(last)} k" if letter == "k" and last.isdecimal() else None
    if not first and (letter == "k" or (len(last) == 1 and not following.endswith(_MANY))):
        return None
    counts = following[:1].islower() or (letter != "B" and found.after(1) in ("", ",", ".", ";"))
    if letter in "MB" and not counts:
        return None
    return (f"{first} to " if first else "") + f"{last} {_SCALES[letter.upper()]}"
