"""What stands around a match, and words put in its place."""

import re
from collections.abc import Callable


def word_list(words: str) -> frozenset[str]:
    """The words of a text, in no order."""
    return frozenset(words.split())


_STARTERS = word_list(
    """
    a after all also although an and another are as at because before both but by can could did
    do does each even every everyone few finally for from had has have he her here his how
    however i if in is it its later let many meanwhile more most my never next no nobody not
    nothing now of on once one or our perhaps she should since so some somebody soon still such
    that the their then there these they this those though through thus to today tomorrow two
    under until upon was we were what when where whether which while who why will with without
    would yes yesterday yet you your
    """
)
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
