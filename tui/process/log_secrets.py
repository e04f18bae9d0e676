"""What a log must not have: credentials, and anything that a terminal would obey."""

import logging
import os
import re
from collections.abc import Mapping
from urllib.parse import quote, quote_plus

_HIDDEN = "…"
_CALLED = (
    r"(?:secret|token|passw(?:or)?d|passphrase|api_?-?key|access_?-?key|account_?-?key|private_?-?key"
    r"|credential|signature|authori[sz]ation|cookie)"
)
_NAME_OF_VARIABLE = re.compile(
    r"key|token|secret|passw|passphrase|credential|signature|cookie|auth", re.IGNORECASE
)
# Shorter values ("1", "true", "none") are no secrets, and hiding them would hide the text.
_SHORTEST = 6

_PATTERNS = [
    # Everything that was exported, as Python writes it.
    (re.compile(r"environ\(\{.*?(?:\}\)|\Z)", re.DOTALL), f"environ({{{_HIDDEN}}})"),
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL),
        _HIDDEN,
    ),
    # A header of HTTP up to the end of its line, or of the text that quotes it.
    (
        re.compile(r"((?:proxy-)?authorization['\"]?\s*[:=,]\s*b?)(['\"]?)[^'\"\r\n]+", re.I),
        rf"\1\2{_HIDDEN}",
    ),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.I), rf"\1 {_HIDDEN}"),
    # user:password@ of a URL.
    (re.compile(r"(://)[^/\s'\"<>]{0,400}@"), rf"\1{_HIDDEN}@"),
    (re.compile(r"(://)[^/\s'\"<>@]{0,200}:[^\s'\"<>@]{0,200}@"), rf"\1{_HIDDEN}@"),
    # What signs a URL.
    (
        re.compile(
            r"([?&;][^?=&;\s'\"]{0,40}(?:sig|key|code|" + _CALLED + r")[^?=&;\s'\"]{0,40}=)"
            r"[^&;\s'\"<>]+",
            re.I,
        ),
        rf"\1{_HIDDEN}",
    ),
    # name = value, "name": "value", name=b'value', and XML.
    (
        re.compile(
            r"(" + _CALLED + r"[\w-]{0,40}['\"]?\s{0,8}(?:=>|[=:])\s{0,8}b?)"
            r"(?:\"(?:[^\"\\\n]|\\.)+\"|'(?:[^'\\\n]|\\.)+'|[^\s'\",;&<>)}\]]+)",
            re.I,
        ),
        rf"\1{_HIDDEN}",
    ),
    (re.compile(r"(<[\w-]{0,40}" + _CALLED + r"[\w-]{0,40}>)[^<]+", re.I), rf"\1{_HIDDEN}"),
    # Keys that say themselves what they are: of AWS, Google, GitHub, Hugging Face; signed tokens.
    (re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}\b"), _HIDDEN),
    (re.compile(r"\b(?:AIza[\w-]{30,}|ya29\.[\w-]{10,}|gh[pousr]_\w{20,}|hf_\w{20,})"), _HIDDEN),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"), _HIDDEN),
]


def without_secrets(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Hide credentials in a text.

    Hidden are the values of environment variables whose names say that they are secret, as they
    stand and as a URL has them; passwords and signatures in URLs; what is called a key, a token
    and the like; keys that are known by their form.
    """
    for secret in sorted(_secrets_of(environment), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def _secrets_of(environment: Mapping[str, str]) -> set[str]:
    values = {
        value
        for name, value in environment.items()
        if _NAME_OF_VARIABLE.search(name) and len(value) >= _SHORTEST and not _is_place(value)
    }
    return {
        written
        for value in values
        for written in (value, quote(value, safe=""), quote_plus(value), repr(value)[1:-1])
    }


def _is_place(value: str) -> bool:
    """Whether it is a file, such as one with keys: its name is none, and helps whoever reads."""
    return value.startswith("/") and os.path.lexists(value)


def shown(text: str) -> str:
    """Write as an escape whatever a terminal, on which a log is read, would obey."""
    return "".join(
        letter
        if letter in "\n\t" or letter.isprintable()
        else letter.encode("unicode_escape").decode()
        for letter in text
    )


class DiscreetFormatter(logging.Formatter):
    """Formats records of any library, tracebacks included, for others than their owner to read."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record without what it must not have."""
        return shown(without_secrets(super().format(record)))
