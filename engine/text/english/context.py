"""What stands around a match: whether a sentence ends there, and room for words put in."""

import re

from engine.text.english.word_list import word_list

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
_REST = re.compile(r"""["'”’»)\]]{0,3} ?$""")


def spliced(match: re.Match[str], words: str) -> str:
    """Words to stand in place of a match, with spaces where letters or digits would touch them."""
    text, start, end = match.string, match.start(), match.end()
    before = " " if start and text[start - 1].isalnum() else ""
    after = " " if end < len(text) and text[end].isalnum() else ""
    return before + words + after


def next_word(text: str, end: int) -> str:
    """The word that begins after white space at `end`; empty where something else stands there."""
    found = _NEXT_WORD.match(text, end)
    return found[1] if found else ""


def at_end(text: str, end: int) -> bool:
    """Whether nothing but quotes and brackets follows."""
    return _REST.match(text, end) is not None


def starts_sentence(word: str) -> bool:
    """Whether a capitalised word is one that sentences begin with, and names hardly ever."""
    return word[:1].isupper() and word.lower() in _STARTERS


def ends_sentence(text: str, end: int) -> bool:
    """Whether an abbreviation whose dot stands before `end` may end its sentence there.

    That is at the end of the text, and before a word that begins sentences but no names.
    """
    return at_end(text, end) or starts_sentence(next_word(text, end))
