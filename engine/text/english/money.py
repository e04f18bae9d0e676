"""Sums of money: $5.20, £3 million, 10 €, US$76.3 trillion, £7 10s. 6d."""

import re
from typing import NamedTuple

from engine.text.english.numbers import NUMBER, cardinal, quantity
from engine.text.english.rules import Found, Rules, any_of, one_of, spoken_forms

money_spoken = Rules(apart=True)
"""Sums as words: "five dollars and twenty cents", "one point five billion euros"."""


class _Currency(NamedTuple):
    one: str
    several: str
    part: str = ""
    parts: str = ""


_CURRENCIES = {
    sign: _Currency(*names.split("/")) for sign, names in spoken_forms("currencies").items()
}
_SCALES = spoken_forms("scales")
_SCALE = (
    r"(?:[ -]?(thousand|(?:m|b|tr)illion|crore|lakh|ml?n|mil|bl?n|tr?n|MM|[kKmMbB]|T(?=[ .,;]))"
    r"(?![\w/]))?"
)
_CODES = [sign for sign in _CURRENCIES if sign.isalpha() and sign != "p"]
_SIGNS = one_of(sign for sign in _CURRENCIES if not sign.isalnum() and sign != "¢")
_BEFORE = rf"((?<![A-Za-z])(?:{one_of(_CODES)}) ?|(?<![A-Za-z])(?:{_SIGNS})) ?"
_AFTER = rf" ?((?:{one_of(_CODES)}|p)(?![\w$])|(?:{_SIGNS}|¢)(?! ?\d)(?!\w))"
_CENTS = re.compile(r"\.(?!00)\d\d(?!\d)")
_TO = r" ?[-–—] ?"
_DESCRIBED = re.compile(rf"[ -](?:{any_of('described')})s?\b")

money_spoken.add(
    r"£ ?(\d{1,9}),? (\d{1,2})s\b\.?(?:,? (\d{1,2})d\b\.?)?",
    lambda found: ", ".join(_old_coins(*found.groups())),
)
money_spoken.add(
    r"(?<![\w.,])(\d{1,2})s\.,? (\d{1,2})d\b\.?",
    lambda found: " and ".join(_old_coins("", *found.groups())),
)


def _old_coins(pounds: str, shillings: str, pence: str | None) -> list[str]:
    coins = (
        (pounds, "pound", "pounds"),
        (shillings, "shilling", "shillings"),
        (pence, "penny", "pence"),
    )
    return [_counted(number, one, several) for number, one, several in coins if number]


@money_spoken.reads(
    rf"{_BEFORE}({NUMBER}){_SCALE}(?:{_TO}(?:{_SIGNS})? ?({NUMBER}){_SCALE})?(?!\d)"
    rf"(?: ({one_of(_CODES)}|US)(?![\w$]))?"
)
def _sign_first(found: Found) -> str:
    sign, first, scale, last, last_scale, code = found.groups()
    currency = _CURRENCIES.get(code) or _CURRENCIES[sign.strip()]
    if last:
        # "$1–2 million" counts millions on both sides, and "$5–10" dollars.
        parts = not (scale or last_scale) and _CENTS.search(f"{first} {last}")
        lower = _sum(first, scale, currency) if parts else _amount(first.removesuffix(".00"), scale)
        return f"{lower} to {_sum(last, last_scale, currency)}"
    # A $5 bill, a £20 million bridge.
    goes_on = found.after(1) in (" ", "-") and found.after(2)[1:].islower()
    if found.goes_on_with(_DESCRIBED) or (found.follows_article and goes_on):
        coins = currency.parts if currency.parts == "pence" else currency.part
        currency = currency._replace(several=currency.one, parts=coins)
    return _sum(first, scale, currency)


@money_spoken.reads(rf"(?<![\w.,])({NUMBER})(?:{_TO}({NUMBER}))?{_SCALE}{_AFTER}")
def _sign_last(found: Found) -> str | None:
    first, last, scale, sign = found.groups()
    if sign == "p" and (scale or last or len(first) > 2):
        return None  # 1080p is a picture
    words = f"{quantity(first)} to " if last else ""
    return words + _sum(last or first, scale, _CURRENCIES[sign])


def _amount(number: str, scale: str | None) -> str:
    words = quantity(number)
    return f"{words} {_SCALES.get(scale.lower(), scale)}" if scale else words


def _sum(number: str, scale: str | None, currency: _Currency) -> str:
    whole, _, decimals = number.partition(".")
    if scale or len(decimals) != 2 or not (currency.part or decimals == "00"):
        single = number == "1" and not scale
        return f"{_amount(number, scale)} {currency.one if single else currency.several}"
    if decimals == "00":
        return _counted(whole, currency.one, currency.several)
    parts = _counted(decimals, currency.part, currency.parts)
    if int(whole.replace(",", "")) == 0:
        return parts
    return f"{_counted(whole, currency.one, currency.several)} and {parts}"


def _counted(number: str, one: str, several: str) -> str:
    value = number.replace(",", "").lstrip("0") or "0"
    return f"{cardinal(number if ',' in number else value)} {one if value == '1' else several}"
