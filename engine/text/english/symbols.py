"""Signs that are words: & @ # + = § × and the like, and those in addresses."""

import re

from engine.text.english.rules import Found, Rules, any_of, one_of, spoken_forms

addresses_spoken = Rules()
"""Addresses as words: "example dot com slash news"; their case stays."""

# An address is taken whole or not at all, from a place where none can be under way: so its
# repetitions need no bound.
_MAIL = r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_HOST = r"[A-Za-z0-9](?:[\w-]*\.)+"
_PATH = r"(?:[/?#][\w./?#=&%~+:@-]*)?"
_ENDINGS = any_of("address_endings")
_PAGE = (
    rf"(?:(?:https?|ftp)://|(?<![\w.@/-])www\.)[\w.-]+(?::\d{{1,5}})?{_PATH}"
    rf"|(?<![\w.@/-]){_HOST}(?:{_ENDINGS})\b(?!\.\w){_PATH}"
)
_SCHEME = re.compile(r"^(?:https?|ftp)://")
_MARK = re.compile(r"[^\w]|_")
_ADDRESS_MARKS = spoken_forms("address_marks")


def _address(found: Found) -> str:
    address = found[0].rstrip(".,:?-")
    rest = found[0][len(address) :]
    address = _SCHEME.sub("", address).rstrip("/")
    if address.lower().startswith("www."):
        address = "w w w" + address[3:]
    return _MARK.sub(lambda mark: f" {_ADDRESS_MARKS.get(mark[0], '')} ", address).strip() + rest


addresses_spoken.add(_MAIL, _address)
addresses_spoken.add(_PAGE, _address)

number_signs_spoken = Rules("beside_numbers")
"""Signs that say something only beside a number: #5, ~20, 3 × 4, 10^6."""

signs_spoken = Rules()
"""All other signs as words."""

_GREEK = spoken_forms("greek")
_SIGNS = spoken_forms("signs")
_NEXT_IN_HASHTAG = re.compile(r"(?<=[a-z])(?=[A-Z])|_")

signs_spoken.add(
    r"(?<![^\W_])([\u0391-\u03a9\u03b1-\u03c9])(?![^\W\d_])",
    lambda found: f" {_GREEK[found[1].lower()]} ",
)
signs_spoken.add(r"(?<![\w'’])([A-G])#(?!\w)", r"\1 sharp")
# Its words, as far as capitals separate them: #MeToo.
signs_spoken.add(
    r"(?<!\w)#([^\W\d_]\w{0,60})",
    lambda found: f"hashtag {_NEXT_IN_HASHTAG.sub(' ', found[1])}",
)


@signs_spoken.reads(
    r"(?i)\b(he/she|she/he|him/her|his/her|his/hers|s/he|and/or|either/or|yes/no)\b"
)
def _choice(found: Found) -> str:
    words = found[1].lower()
    return {"s/he": "she or he", "and/or": "and or"}.get(words) or words.replace("/", " or ")


signs_spoken.add(r" ?[/\\] ?", " ")
signs_spoken.add(f" ?({one_of(_SIGNS)}) ?", lambda found: f" {_SIGNS[found[1]]} ")
