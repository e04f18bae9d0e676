"""Sums of money: $5.20, £3 million, 50p, €1.5bn, £7 10s. 6d."""

import re
from typing import NamedTuple

from engine.text.english.context import follows_article, respoken, spoken_forms
from engine.text.english.numbers import NUMBER, cardinal, quantity


class _Currency(NamedTuple):
    one: str
    several: str
    part: str = ""
    parts: str = ""


_CURRENCIES = {
    sign: _Currency(*names.split("/")) for sign, names in spoken_forms("currencies").items()
}
_SCALES = {
    "k": "thousand", "m": "million", "mn": "million", "mln": "million", "b": "billion",
    "bn": "billion", "tn": "trillion",
}  # fmt: skip
_SCALE = r"(?: ?(thousand|million|billion|trillion|mln|mn|bn|tn|[kKmMbB])(?!\w))?"
_BEFORE = r"((?<![A-Za-z])(?:US|A|C)\$|(?<![A-Za-z])(?:USD|GBP|EUR|JPY|CHF|Rs\.?) ?|[$£€¥₹₽₩₿]) ?"
_AFTER = r" ?(USD|GBP|EUR|JPY|CHF|[£€¥₹₽₩₿¢](?! ?\d)|\$(?! ?\d)|p)(?!\w)"
_TO = r" ?[-–—] ?"
_SIGN_FIRST = re.compile(
    rf"{_BEFORE}({NUMBER}){_SCALE}(?:{_TO}(?:US|A|C)?[$£€¥₹₽₩₿]? ?({NUMBER}){_SCALE})?(?!\d)"
)
_SIGN_LAST = re.compile(rf"(?<![\w.,])({NUMBER})(?:{_TO}({NUMBER}))?{_AFTER}")
_OLD_POUNDS = re.compile(r"£ ?(\d{1,9}),? (\d{1,2})s\b\.?(?:,? (\d{1,2})d\b\.?)?")
_SHILLINGS = re.compile(r"(?<![\w.,])(\d{1,2})s\.,? (\d{1,2})d\b\.?")
# Nouns that a sum describes, with or without an article: a £5m deal, £10 notes.
_DESCRIBED = re.compile(
    r"[ -](?:bill|bond|bonus|budget|business|cheque|check|coin|company|contract|deal|fee|fine|fund|"
    r"gift|grant|house|investment|loan|lawsuit|mortgage|note|phone|plan|prize|programme|project|"
    r"reward|scheme|settlement|stamp|takeover|ticket|voucher)s?\b"
)


def money_spoken(text: str) -> str:
    """Sums as words: "five dollars and twenty cents", "one point five billion euros"."""
    if "£" in text:
        text = respoken(_OLD_POUNDS, _old_pounds, text)
    text = respoken(_SHILLINGS, lambda match: " and ".join(_old_coins("", *match.groups())), text)
    return respoken(_SIGN_LAST, _sign_last, respoken(_SIGN_FIRST, _sign_first, text))


def _sign_first(match: re.Match[str]) -> str:
    sign, first, scale, last, last_scale = match.groups()
    currency = _CURRENCIES[sign.strip(" .")]
    if last:
        # "$1–2 million" counts millions on both sides, and "$5–10" dollars.
        return _amount(first, scale) + " to " + _sum(last, last_scale, currency)
    if _is_adjective(match):
        currency = currency._replace(several=currency.one)
    return _sum(first, scale, currency)


def _sign_last(match: re.Match[str]) -> str | None:
    first, last, sign = match.groups()
    if sign == "p" and (last or len(first) > 2):
        return None  # 1080p is a picture
    words = f"{quantity(first)} to " if last else ""
    return words + _sum(last or first, None, _CURRENCIES[sign])


def _amount(number: str, scale: str | None) -> str:
    words = quantity(number)
    return f"{words} {_SCALES.get(scale.lower(), scale)}" if scale else words


def _sum(number: str, scale: str | None, currency: _Currency) -> str:
    whole, _, decimals = number.partition(".")
    if scale or len(decimals) != 2 or not currency.part:
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


def _is_adjective(match: re.Match[str]) -> bool:
    """Whether the sum describes what follows: a $5 bill, a £20 million bridge."""
    if _DESCRIBED.match(match.string, match.end()):
        return True
    after = match.string[match.end() : match.end() + 2]
    return follows_article(match) and len(after) == 2 and after[0] in " -" and after[1].islower()


def _old_pounds(match: re.Match[str]) -> str:
    return ", ".join(_old_coins(*match.groups()))


def _old_coins(pounds: str, shillings: str, pence: str | None) -> list[str]:
    coins = (
        (pounds, "pound", "pounds"),
        (shillings, "shilling", "shillings"),
        (pence, "penny", "pence"),
    )
    return [_counted(number, one, several) for number, one, several in coins if number]
