"""Signs that are words: & @ # + = § × and the like, and those in addresses."""

import re

from engine.text.english.context import spoken_forms

_BEFORE_NUMBERS = (
    (re.compile(r"(?<!\w)(?:#|№) ?(?=\d)"), "number "),
    (re.compile(r"[~≈∼≃] ?(?=[\d$£€.])"), "about "),
    (re.compile(r"(?:≤|<=) ?(?=[\d$£€.])"), " at most "),
    (re.compile(r"(?:≥|>=) ?(?=[\d$£€.])"), " at least "),
    (re.compile(r"< ?(?=[\d$£€.])"), " less than "),
    (re.compile(r"> ?(?=[\d$£€.])"), " more than "),
    (re.compile(r"± ?(?=[\d.])"), " plus or minus "),
    (re.compile(r"(?<=\d)['’] ?[x×✕✖] ?(\d{1,3})['’](?!\w)"), r"′ by \1′"),
    (re.compile(r"(?<=\d)( ?(?:[mck]?m|in|ft)\.?|[″′]) ?[x×✕✖] ?(?=\d)"), r"\1 by "),
    (re.compile(r"(?<=\d) ?[x✕✖] ?(?=\d)"), " by "),
    (
        re.compile(
            r"(?<![\w.,])(\d{1,19}(?:\.\d{1,19})?)(?:e\+?|E(?:\+|(?=[-−])))([-−]?\d{1,3})(?!\w|\.\d)"
        ),
        r"\1 times 10^\2",
    ),
    (re.compile(r"(?<=\d) ?× ?(?=\d)"), " times "),
    (re.compile(r"(?<=\d) ?[*·] ?(?=\d)"), " times "),
    (re.compile(r"(?<=\d)[x×](?!\w)"), " times"),
    (re.compile(r"(?<=\d) ?÷ ?(?=\d)"), " divided by "),
    (re.compile(r"(?<=[\d)]) [-−] (?=[\d.]{1,20} ?=)"), " minus "),
    (re.compile(r"(?<=\d) ?\+(?!\w)(?! ?\d)"), " plus"),
    (re.compile(r"(?<=%) ?[-–—] ?(?=\d)"), " to "),
    (re.compile(r"(?<![\w)\]%°.'’\"-])[-–−](?=[$£€]?\.?\d)|−(?= ?[$£€]?\d)"), "minus "),
)
# Units that follow a number, a sum or another unit after a slash: $5/kg, 10 km/day.
_PER = re.compile(
    r"(\d[\d.,]{0,15}(?:[ -]?[A-Za-z]{1,4})?)/(day|week|month|year|hour|minute|second|night|person|"
    r"head|mile|litre|ton|tonne|kg|lb|km|kWh|hr|min|sec|yr)\b"
)
_SHORT = spoken_forms("per")
_HAS_SIGN = re.compile(r"[#№~≈∼≃≤≥<>±^x✕✖×*·÷+−=–-]|\de\d")
_WORDS = spoken_forms("signs")
_SIGN = re.compile(r" ?([" + re.escape("".join(_WORDS)) + r"]) ?")
_POWERS = (
    (re.compile(r"(?<=[\w)])\^2(?!\d)"), " squared "),
    (re.compile(r"(?<=[\w)])\^3(?!\d)"), " cubed "),
    (re.compile(r"(?<=[\w)])\^(?=\w)"), " to the power of "),
    (re.compile(r"(?<=[\w)])\^[-−](?=\w)"), " to the power of minus "),
)
_CHOICE = re.compile(
    r"\b(he/she|she/he|him/her|his/her|his/hers|s/he|and/or|either/or|yes/no)\b", re.IGNORECASE
)
_SHARP = re.compile(r"(?<![\w'’])([A-G])#(?!\w)")
_HASHTAG = re.compile(r"(?<!\w)#([^\W\d_]\w{0,60})")
_NEXT_IN_HASHTAG = re.compile(r"(?<=[a-z])(?=[A-Z])|_")
_SLASH = re.compile(r" ?[/\\] ?")
_GREEK = re.compile(r"(?<![^\W_])([\u0391-\u03a9\u03b1-\u03c9])(?![^\W\d_])")
_GREEK_NAMES = spoken_forms("greek")

_ENDINGS = (
    "ac|ai|app|au|biz|ca|ch|co|com|de|dev|edu|eu|fm|fr|gov|ie|info|io|it|jp|me|mil|museum|net|nl|"
    "nz|org|ru|tv|uk|us|xyz|"
    "bin|bmp|cfg|conf|css|csv|doc|docx|exe|flac|gif|gz|htm|html|ini|jpeg|jpg|js|json|log|md|mov|"
    "mp3|mp4|npz|ogg|pdf|png|ppt|py|rar|sh|svg|tar|tex|toml|txt|wav|xls|xlsx|xml|yaml|yml|zip"
)
# An address is taken whole or not at all, from a place where none can be under way: so its
# repetitions need no bound.
_HOST = r"[A-Za-z0-9](?:[\w-]*\.)+"
_PATH = r"(?:[/?#][\w./?#=&%~+:@-]*)?"
_PAGE = re.compile(
    rf"(?:(?:https?|ftp)://|(?<![\w.@/-])www\.)[\w.-]+(?::\d{{1,5}})?{_PATH}"
    rf"|(?<![\w.@/-]){_HOST}(?:{_ENDINGS})\b(?!\.\w){_PATH}"
)
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_MARK = re.compile(r"[^\w]|_")
_ADDRESS_MARKS = spoken_forms("address_marks")


def addresses_spoken(text: str) -> str:
    """Addresses as words: "example dot com slash news"; their case stays."""
    if "@" in text:
        text = _MAIL.sub(_address, text)
    return _PAGE.sub(_address, text) if "." in text else text


def _address(match: re.Match[str]) -> str:
    address = match[0].rstrip(".,:?-")
    rest = match[0][len(address) :]
    address = re.sub(r"^(?:https?|ftp)://", "", address).rstrip("/")
    if address.lower().startswith("www."):
        address = "w w w" + address[3:]
    return _MARK.sub(lambda mark: f" {_ADDRESS_MARKS.get(mark[0], '')} ", address).strip() + rest


def signs_of_numbers_spoken(text: str) -> str:
    """Signs that say something only beside a number: #5, ~20, 3 × 4, 10^6."""
    if "/" in text:
        text = _PER.sub(lambda match: f"{match[1]} per {_SHORT.get(match[2], match[2])}", text)
    if _HAS_SIGN.search(text):
        for sign, words in _BEFORE_NUMBERS:
            text = sign.sub(words, text)
    return text


def powers_spoken(text: str) -> str:
    """Exponents as words: "x squared"; those of units are part of their names."""
    if "^" in text:
        for power, words in _POWERS:
            text = power.sub(words, text)
    return text


def signs_spoken(text: str) -> str:
    """All other signs as words."""
    if not text.isascii():
        text = _GREEK.sub(lambda match: f" {_GREEK_NAMES[match[1].lower()]} ", text)
    if "#" in text:
        text = _HASHTAG.sub(
            # Its words, as far as capitals separate them: #MeToo.
            lambda match: f"hashtag {_NEXT_IN_HASHTAG.sub(' ', match[1])}",
            _SHARP.sub(r"\1 sharp", text),
        )
    if "/" in text or "\\" in text:
        text = _CHOICE.sub(lambda match: _choice(match[1]), text)
        text = _SLASH.sub(" ", text)
    return _SIGN.sub(lambda match: f" {_WORDS[match[1]]} ", text)


def _choice(words: str) -> str:
    lower = words.lower()
    return {"s/he": "she or he", "and/or": "and or"}.get(lower) or lower.replace("/", " or ")
