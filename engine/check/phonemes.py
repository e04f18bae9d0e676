"""English letters to sounds, roughly: good enough to count which sounds a corpus has.

A word is cut into a stem and common endings, and the stem is read from left to right by rules.
Nothing knows stress or meaning: of the five thousand commonest words' phonemes about one in ten
is not what a dictionary has, most of those unstressed vowels. It is not good enough to speak by.
"""

import re
from functools import lru_cache

from engine.check.spelling import RULES, WHOLE_WORDS

_NAMES = (
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W "
    "Y Z ZH"
)
PHONEMES = tuple(_NAMES.split())
"""The phonemes of ARPAbet as American dictionaries use them, without stress."""

# Longer words are none; they are read in pieces, so that none takes long.
_LONGEST = 40
_WHOLE = {
    word: tuple(sounds.split("."))
    for word, sounds in (entry.split("=") for entry in WHOLE_WORDS.split())
}
_CLASSES = {
    "C": "[bcdfghjklmnpqrstvwxyz]",
    "V": "[aeiouy]",
    "S": "(?:[aeiou]|[a-z]y)[a-z]*",
    "M": "(?:[bcdfgklmnpstvz]|th)e(?:r|rs|n|ly|ment|ful|less)?$",
}
_RULE = re.compile(r"(\S*)\(([a-z]+)\)(\S*)=(\S*)")


class _Rule:
    """How some letters are read between others."""

    def __init__(self, before: str, letters: str, after: str, sounds: str) -> None:
        self.letters = letters
        self.before = re.compile(f"(?:{_spelled(before)})\\Z") if before else None
        self.after = re.compile(_spelled(after)) if after else None
        self.sounds = sounds.split(".") if sounds else []

    def fits(self, word: str, place: int) -> bool:
        return (
            word.startswith(self.letters, place)
            and (
                self.after is None or self.after.match(word, place + len(self.letters)) is not None
            )
            and (self.before is None or self.before.search(word, 0, place) is not None)
        )


def _spelled(pattern: str) -> str:
    """A pattern with its capitals written out."""
    return "".join(_CLASSES.get(character, character) for character in pattern)


@lru_cache(maxsize=1)
def _rules() -> dict[str, list[_Rule]]:
    """The rules by the first of the letters that they read."""
    rules: dict[str, list[_Rule]] = {}
    for before, letters, after, sounds in _RULE.findall(RULES):
        rules.setdefault(letters[0], []).append(_Rule(before, letters, after, sounds))
    return rules


def phonemes(text: str) -> list[str]:
    """The phonemes of English words, by rules; what is no letter from a to z only parts words."""
    return [sound for word in spoken_words(text) for sound in of_word(word)]


def spoken_words(text: str) -> list[str]:
    """The words of a text in lower case."""
    return re.findall(r"[a-z]+(?:'[a-z]+)*", text.lower().replace("’", "'"))


@lru_cache(maxsize=100_000)
def of_word(word: str) -> tuple[str, ...]:
    """The phonemes of one word in lower-case letters and apostrophes."""
    if len(word) > _LONGEST:
        pieces = (word[at : at + _LONGEST] for at in range(0, len(word), _LONGEST))
        return tuple(sound for piece in pieces for sound in of_word(piece))
    if word in _WHOLE:
        return _WHOLE[word]
    compound = _COMPOUND.fullmatch(word)
    if compound:
        return of_word(compound[1]) + of_word(compound[2])
    for ending, restore in _ENDINGS:
        found = ending.fullmatch(word)
        if found:
            stem = of_word(restore(found[1]))
            return (*stem, *_ending_sounds(found[2], stem))
    return tuple(_read(word.replace("'", "")))


def _read(word: str) -> list[str]:
    sounds: list[str] = []
    place = 0
    while place < len(word):
        rule = next(rule for rule in _rules()[word[place]] if rule.fits(word, place))
        sounds += rule.sounds
        place += len(rule.letters)
    return sounds


def _with_e(stem: str) -> str:
    """A stem as it is written without its ending: with the e that the ending took."""
    return stem + "e" if _LOST_E.search(stem) else stem


def _as_it_is(stem: str) -> str:
    return stem


def _with_y(stem: str) -> str:
    return stem + "y"


# Stems that lose an e before ed and ing: those of one short syllable, and ends that no word has.
_LOST_E = re.compile(
    r"^[^aeiou]*(?:qu)?[aeiouy][bcdfgklmnpstvz]$|^[^aeiou]*[aiou]r$|[cvuz]$|[bcdfgkpstz]l$|"
    r"[dra]g$|[rl]g$|an?g$|[aeiourn]s$|[aeiouy][^aeiou]*at$|[aou]th$|a[sc]t$(?<=[hpw]ast)|[iu]r$|id$"
)
_COMPOUND = re.compile(
    r"(some|any|every|no|my|your|him|her|it|our|them|what|when|where|who|how|with|out|in)"
    r"(thing|one|body|where|times?|how|day|way|self|selves|ever|out|side)"
)
_ENDINGS = (
    (re.compile(r"(.+)('s)"), _as_it_is),
    (re.compile(r"(.+)(n't|'ll|'re|'ve|'d|'m)"), _as_it_is),
    (re.compile(r"(.+[^aeiou])(ies|ied)"), _with_y),
    (re.compile(r"(.*[aeiouy].*[^iousy'])(s)"), _as_it_is),
    (re.compile(r"(.*[aeiou][yw]|.*[aeiouy].*ie)(s)"), _as_it_is),
    (re.compile(r"(.*[aeiouy].*(?:ss|sh|ch|x|zz))(es)"), _as_it_is),
    (re.compile(r"(.*[aeiouy].*[^aeiouy])(ing|ed)"), _with_e),
    (re.compile(r"(.*[aeiouy])(ing)"), _as_it_is),
    (re.compile(r"(.*[aeiou]y)(ed)"), _as_it_is),
    (re.compile(r"(.*[aeiouy].*[^aiouyl])(ly)"), _as_it_is),
)
_HISSING = ("S", "Z", "SH", "ZH", "CH", "JH")
_VOICELESS = ("P", "T", "K", "F", "TH", "S", "SH", "CH")
_FIXED = {
    "n't": "AH N T",
    "'ll": "L",
    "'re": "R",
    "'ve": "V",
    "'d": "D",
    "'m": "M",
    "ing": "IH NG",
    "ly": "L IY",
}


def _ending_sounds(ending: str, stem: tuple[str, ...]) -> list[str]:
    """The sounds of an ending after a stem."""
    if ending in _FIXED:
        return _FIXED[ending].split()
    last = stem[-1] if stem else ""
    if ending in ("s", "es", "ies", "'s"):
        return ["AH", "Z"] if last in _HISSING else ["S"] if last in _VOICELESS else ["Z"]
    return ["AH", "D"] if last in ("T", "D") else ["T"] if last in _VOICELESS else ["D"]
