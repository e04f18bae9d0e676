"""Figures that name a thing and count nothing: telephone numbers, cards, codes, models."""

import re

from engine.text.english.numbers import cardinal, digit_by_digit, paired, spelled, year, zip_code
from engine.text.english.rules import Found, Rules, any_of, spoken_forms

codes_spoken = Rules("models", apart=True)
"""Telephone numbers, cards, codes and models as words."""

_START = r"(?<![\w.,-])"
_END = r"(?![\w-]|[.,]\d)"
_EXTENSION = r"(?:,? ?(?:x|ext\.?|extension) ?(\d{1,6}))?"
_CURRENCIES = spoken_forms("currencies")

# Emergency numbers, where somebody is to call them.
codes_spoken.add(
    r"(?i)\b((?:call|dial|phone|ring)(?:s|ed|led|ing|ling)? |rang )(999|911|112|111|101)"
    r"(?!\w|[.,:-]\d)",
    lambda found: found[1] + digit_by_digit(found[2]),
)
codes_spoken.add(
    rf"{_START}(?:\d{{4}}([ -])\d{{4}}\1\d{{4}}\1\d{{4}}|3[47]\d\d([ -])\d{{6}}\2\d{{5}}){_END}",
    lambda found: ", ".join(map(digit_by_digit, re.split("[ -]", found[0]))),
)


@codes_spoken.reads(
    rf"{_START}((?:1[-. ])?\(?(?:8\d\d|900)\)?[-. ]|0[38]00[- ]|1[-. ]\(?[2-9]\d\d\)?[-. ])"
    r"(?=[\dA-Z-]{0,12}[A-Z]{3})([\dA-Z]{1,10}(?:-[\dA-Z]{1,10}){0,3})(?![\w-])"
)
def _vanity(found: Found) -> str:
    words = [cardinal(part) if part.isdecimal() else part.lower() for part in found[2].split("-")]
    return f"{_dialled(found[1])}, {' '.join(words)}"


@codes_spoken.reads(
    rf"{_START}(?:(\+) ?\d{{1,3}}(?:[ .-]?\(?\d{{1,5}}\)?){{1,6}}"
    r"|\(?0\d{2,4}\)?(?:[ -]\d{3,8}){1,3}"
    r"|(?:1[-. ]?)?(?:\(\d{3}\)[-. ]?|(?<![\d(])\d{3}[-. ])\d{3}[-. ]\d{4}"
    rf"|[2-9]\d\d-\d{{2}}(?!00)\d\d){_EXTENSION}{_END}"
)
def _telephone(found: Found) -> str | None:
    plus, extension = found.groups()
    number = found[0][: found.match.start(2) - found.match.start()] if extension else found[0]
    if sum(map(str.isdecimal, number)) < 7:
        return None
    words = ("plus " if plus else "") + _dialled(number)
    return words + (f", extension {digit_by_digit(extension)}" if extension else "")


def _dialled(number: str) -> str:
    groups = re.findall(r"\d+", number)
    area = ["eight hundred" if group == "800" else digit_by_digit(group) for group in groups[:2]]
    return ", ".join([*area, *map(digit_by_digit, groups[2:])])


# Seven digits are a number of the neighbourhood where somebody is to call it.
codes_spoken.add(
    r"(?i)\b((?:call|phone|text|dial|ring|fax|tel|telephone|hotline|mobile|cell)\.?"
    r"(?:,? (?:me|us|him|her|them|at|on|is|the|number|now|today|back)){0,4}:? )"
    r"(\d{3})[-. ]?(\d{4})(?!\w|[.,-]\d)",
    lambda found: f"{found[1]}{digit_by_digit(found[2])}, {digit_by_digit(found[3])}",
)
codes_spoken.add(
    r"(?i)\b(text \w{1,12} to |dial )(\d{5,6})(?!\w|[.,-]\d)",
    lambda found: found[1] + digit_by_digit(found[2]),
)

_LINKS = r"(?:,? (?:number|code|no\.?|num|id|is|was|reads?|are)\b\.?){0,3}:? ?#?"
_NAMED = r"(?:(?: (?:number|code|no\.?|num|id)\b\.?){1,2}(?: (?:is|was|are))?:? ?#?|:? ?#)"


@codes_spoken.reads(
    rf"(?i)(?<![\w'’])((?:{any_of('codes')}){_LINKS}|(?:{any_of('numbered_papers')}){_NAMED}"
    r"|(?:ending|ends|ended) (?:in|with) )(?<=[ #:=])(?=[a-z]{0,6}\d)"
    r"([a-z\d]{3,24}(?:-[a-z\d]{1,12}){0,4})(?![\w%’']|[.,:/]\d)(?! [a-z]{3,20}s\b)"
)
def _code(found: Found) -> str | None:
    introduction, code = found.groups()
    if code[:-2].isdecimal() and code[-2:].lower() in ("st", "nd", "rd", "th"):
        return None
    read = zip_code if introduction.lower().startswith(("zip", "post")) else spelled
    named = re.search(r"(?i)\bn(?:umber|um|o)\b", introduction) is not None
    return introduction.replace("#", "" if named else "number ") + read(code)


@codes_spoken.reads(
    r"(?<![\w'’])([Ff]lights? |FLIGHT )([A-Z]{0,3}|[A-Z]\d|\d[A-Z])[- ]?(\d{1,4})(?!\w)"
)
def _flight(found: Found) -> str | None:
    word, airline, number = found.groups()
    return None if found.goes_on_with(_MANY) else f"{word}{spelled(airline)} {paired(number)}"


_MANY = re.compile(r"[.,:-]\d| (?:hours?|minutes?|miles|passengers|attendants|of)\b")
codes_spoken.add(
    rf"((?<!\w)(?:{any_of('paired_after')})[ -]|(?<![\w-])I-)(\d{{3,4}})(?=[A-Z]?(?!\w|[.,:-]\d))",
    lambda found: None if found.goes_on_with(_MANY) else f"{found[1]}{paired(found[2])}",
)
codes_spoken.add(
    r"(?<![\w.,])(?:Boeing )?(7[0-8]7)-(\d{1,3})(?!\w|[.,-]\d)",
    lambda found: f"{'Boeing ' * found[0].startswith('B')}{paired(found[1])} {paired(found[2])}",
)
# Postcodes of Britain and of Canada, and number plates.
codes_spoken.add(
    r"(?<![\w.-])(?:[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]\d[A-Z] \d[A-Z]\d|[A-Z]{2}\d\d [A-Z]{3})"
    r"(?![\w-])",
    lambda found: spelled(found[0]),
)
# Letters and digits in turn: X7K9.
codes_spoken.add(
    r"(?<![\w.,$-])(?!\d+[XE]\d+\b)(?=[A-Z\d]{4,16}(?![\w-]))"
    r"(?:\d{1,9}[A-Z]{1,9}\d|[A-Z]{1,9}\d{1,9}[A-Z])[A-Z\d]*",
    lambda found: spelled(found[0]),
)
codes_spoken.add(
    r"(?<![\w.,])0x([\da-fA-F]{1,16})(?!\w)", lambda found: f"zero x {spelled(found[1])}"
)


@codes_spoken.reads(r"(?<![\w.,/'’$-])([A-Z]{1,3})-?(\d{3})(-\d{3})?(?=s?(?!\w|[.,:-]\d))")
def _model(found: Found) -> str | None:
    """A380, F-150, KC-135, MH370."""
    letters, number, variant = found.groups()
    if letters in _CURRENCIES or letters == "ISBN":
        return None
    read = f"{spelled(letters)} {paired(number)}"
    return f"{read} {paired(variant[1:])}" if variant else read


@codes_spoken.reads(r"(?<![\w.,/'’$-])([A-Z]{2,3}|[a-z]{2,3})(\d{4,12})(?!\w|[.,:-]\d)")
def _serial(found: Found) -> str | None:
    letters, digits = found.groups()
    if letters in _CURRENCIES:
        return None
    if len(digits) == 4 and digits.endswith("000"):
        return f"{spelled(letters)} {cardinal(digits)}"
    read = year if re.fullmatch(r"(?:19|20)\d\d", digits) else digit_by_digit
    return f"{spelled(letters)} {read(digits)}"


codes_spoken.add(
    rf"(?<!\w)((?:{any_of('phones')}) )(\d{{1,2}})([a-zA-Z]{{1,2}})(?!\w)",
    lambda found: f"{found[1]}{cardinal(found[2])} {spelled(found[3])}",
)
codes_spoken.add(
    r"(?<![\w.,])(480|576|720|1080|1440|2160)([pi])(?!\w)",
    lambda found: f"{paired(found[1])} {found[2]}",
)
