"""Addresses of mail, of pages and of files, with their marks spoken."""

import re

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
_NAMES = {
    ".": "dot",
    "@": "at",
    "/": "slash",
    "-": "dash",
    "_": "underscore",
    ":": "colon",
    "?": "question mark",
    "=": "equals",
    "&": "and",
    "#": "hash",
    "%": "percent",
    "~": "tilde",
    "+": "plus",
}


def addresses_spoken(text: str) -> str:
    """Addresses as words: "example dot com slash news"; they stay in the case they are in."""
    if "@" in text:
        text = _MAIL.sub(_spoken, text)
    if "." in text:
        text = _PAGE.sub(_spoken, text)
    return text


def _spoken(match: re.Match[str]) -> str:
    address = match[0].rstrip(".,:?-")
    rest = match[0][len(address) :]
    address = re.sub(r"^(?:https?|ftp)://", "", address).rstrip("/")
    if address.lower().startswith("www."):
        address = "w w w" + address[3:]
    return _MARK.sub(lambda mark: f" {_NAMES.get(mark[0], '')} ", address).strip() + rest
