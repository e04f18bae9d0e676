"""What stands around a match, and words put in its place."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

_WORDS = tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))
BOOKS: list[str] = _WORDS["books"]
"""Books of the Bible, as parts of an expression."""


def word_list(name: str) -> frozenset[str]:
    """A list of `words.toml`."""
    return frozenset(_WORDS[name].split())


def spoken_forms(name: str) -> dict[str, str]:
    """A table of `words.toml`: what is spoken, by how it is written."""
    return {form: words for words, forms in _WORDS[name].items() for form in forms.split("|")}


_STARTERS = word_list("starters")
_NEXT_WORD = re.compile(r"""[ "'”’»)\]]{1,4}["'“‘«(\[]{0,2}([^\W\d_]{1,20})""")
_PREVIOUS_WORD = re.compile(r"([\w'’]{1,30})[ ,]{1,2}$")
_REACH = 34
_REST = re.compile(r"""["'”’»)\]]{0,3} ?$""")
_ARTICLE = re.compile(r"\b[Aa]n? $")


def respoken(
    pattern: re.Pattern[str], speak: Callable[[re.Match[str]], str | None], text: str
) -> str:
    """Put words in place of all matches; where `speak` returns None, a match stays as it is."""

    def replaced(match: re.Match[str]) -> str:
        words = speak(match)
        return match[0] if words is None else spliced(match, words)

    return pattern.sub(replaced, text)


def spliced(match: re.Match[str], words: str) -> str:
    """Words to stand in place of a match, with spaces where letters or digits would touch them."""
    text, start, end = match.string, match.start(), match.end()
    before = " " if start and text[start - 1].isalnum() else ""
    after = " " if end < len(text) and text[end].isalnum() else ""
    return before + words + after


def next_word(match: re.Match[str]) -> str:
    """The word that begins after white space behind a match; empty where something else does."""
    found = _NEXT_WORD.match(match.string, match.end())
    return found[1] if found else ""


def previous_word(match: re.Match[str], pattern: re.Pattern[str] = _PREVIOUS_WORD) -> str:
    """The word before a match, as the first group of an expression finds it; may be empty."""
    found = pattern.search(match.string, max(0, match.start() - _REACH), match.start())
    return found[1] if found else ""


def follows_article(match: re.Match[str]) -> bool:
    """Whether "a" or "an" stands before a match."""
    return bool(_ARTICLE.search(match.string, max(0, match.start() - 4), match.start()))


def at_end(match: re.Match[str]) -> bool:
    """Whether nothing but quotes and brackets follows a match."""
    return _REST.match(match.string, match.end()) is not None


def starts_sentence(word: str) -> bool:
    """Whether a capitalised word is one that sentences begin with, and names hardly ever."""
    return word[:1].isupper() and word.lower() in _STARTERS


def ends_sentence(match: re.Match[str]) -> bool:
    """Whether an abbreviation may end its sentence.

    That is at the end of the text, and before a word that begins sentences but no names.
    """
    return at_end(match) or starts_sentence(next_word(match))
