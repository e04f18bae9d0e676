"""Letters that are read one by one: J. F. Kennedy, U.S.A., e.g., BBC, GPUs."""

import re

from engine.text.english.context import (
    at_end,
    ends_sentence,
    next_word,
    previous_word,
    starts_sentence,
    word_list,
)

_WORDS = {"e.g": "for example", "i.e": "that is", "a.k.a": "also known as"}
# A sentence goes on after these, whatever follows.
_INTRODUCING = frozenset({"e.g", "i.e", "a.k.a", "n.b", "p.s"})
_DOTTED = re.compile(r"(?<![\w.'’])([A-Za-z](?:\.[A-Za-z])+)(?![\w'’])(\.?)")
_DOTTED_POSSESSIVE = re.compile(r"(?<![\w.'’])([A-Za-z](?:\.[A-Za-z])+)\.?(?=['’]s\b)")
_IN_A_ROW = re.compile(r"(?<![\w.'’])([A-Z])\.(?= [A-Z]\.)")
_SINGLE = re.compile(r"(?<![\w.'’°])([A-Z])\.(?= [A-Za-z])")

_CAPITALS = re.compile(r"(?<![A-Za-z0-9'’])([A-Z]{2,6})((?:['’]?s)?)(?![A-Za-z0-9]|['’][a-z])")
_AND = re.compile(r"(?<![\w&])([A-Z]{1,3}) ?& ?([A-Z]{1,3})(?![\w&])")
_VOWELS = frozenset("AEIOUY")
# Read letter by letter although they have vowels that could make them words.
_KNOWN = word_list("acronyms")
# A word too: letters only where other words are not in capitals.
_OFTEN_WORDS = word_list("often_words")
# Sounds without a vowel, and short forms that are no initials.
_SOUNDS = word_list("sounds")
_LOWER = re.compile(r"[a-z]{2}")
_SPOKEN_OK = re.compile(r"(?<![\w.'’-])OK(?![\w'’-])")
_DEGREE_LETTERS = {"BSc": "b s c", "MSc": "m s c", "MPhil": "m phil", "PhDs": "p h d's"}
_DIOXIDE = re.compile(r"(?<![\w.'’-])CO(?= two\b)")
_DEGREES = re.compile(r"(?<![\w.'’-])(?:BSc|MSc|MPhil|PhDs)(?![\w'’-])")


def initials_spoken(text: str) -> str:
    """Letters with dots as letters with spaces; a dot stays only where it also ends a sentence."""
    text = _DOTTED_POSSESSIVE.sub(lambda match: match[1].replace(".", " "), text)
    text = _DOTTED.sub(_dotted, text)
    text = _IN_A_ROW.sub(r"\1", text)
    return _SINGLE.sub(_single, text)


def acronyms_spoken(text: str) -> str:
    """Acronyms letter by letter, if they are known or have no vowel: "b b c"; others are words."""
    if "&" in text:
        text = _AND.sub(lambda match: f"{' '.join(match[1])} and {' '.join(match[2])}", text)
    text = _SPOKEN_OK.sub("okay", text)
    text = _DEGREES.sub(lambda match: _DEGREE_LETTERS[match[0]], text)
    text = _DIOXIDE.sub("c o", text)
    shouted = _LOWER.search(text) is None
    return _CAPITALS.sub(lambda match: _acronym(match, shouted), text)


def _dotted(match: re.Match[str]) -> str:
    letters, stop = match.groups()
    key = letters.lower()
    words = _WORDS.get(key, letters.replace(".", " "))
    if key in _INTRODUCING:
        return words + (stop if at_end(match) else "")
    new = key in ("a.m", "p.m") and next_word(match)[:1].isupper()
    return words + (stop if new or ends_sentence(match) else "")


def _single(match: re.Match[str]) -> str:
    """One initial: "John F. Kennedy" and "E. coli" continue, "plan B. He left." does not."""
    following = next_word(match)
    if not following or at_end(match):
        return match[0]
    if following[0].islower():
        return match[1]
    named = previous_word(match)[:1].isupper()
    ends = starts_sentence(following) or (match[1] == "I" and not named)
    return match[0] if ends else match[1]


def _acronym(match: re.Match[str], shouted: bool) -> str:
    capitals, plural = match.groups()
    known = capitals in _KNOWN and not (shouted and capitals in _OFTEN_WORDS)
    letters = known or (not _VOWELS & set(capitals) and capitals not in _SOUNDS)
    if capitals == "US":
        letters = not shouted
    if not letters or len(set(capitals)) == 1 < len(capitals) - 2:
        return match[0]
    return " ".join(capitals) + (f"'{plural[-1]}" if plural else "")
