"""The forms of English verbs, nouns and adjectives, from the base form and its exceptions.

A word is written as in a dictionary: `bake` is regular, `take/took/taken` and `child/children`
name what is not, and a star doubles the last consonant where more than one syllable leaves
that open (`prefer*`). One syllable that ends in one vowel and one consonant doubles by itself.
"""

import re
from collections.abc import Callable

_DOUBLES = re.compile(r"[^aeiou]*(?:qu)?[aeiou][^aeiouwxy]")
_HISSES = re.compile(r".*(?:s|x|z|ch|sh)")


def _double(word: str, marked: bool) -> str:
    return word + word[-1] if marked or _DOUBLES.fullmatch(word) else word


def _third_person(word: str) -> str:
    if word in ("have", "be"):
        return {"have": "has", "be": "is"}[word]
    if _HISSES.fullmatch(word) or word.endswith("o"):
        return word + "es"
    return re.sub(r"(?<=[^aeiou])y$", "ie", word) + "s"


def _past(word: str, marked: bool) -> str:
    if word.endswith("e"):
        return word + "d"
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ied"
    return _double(word, marked) + "ed"


def _progressive(word: str, marked: bool) -> str:
    if re.search(r"[^eoy]e$", word):
        return word[:-1] + "ing"
    return _double(word, marked) + "ing"


def verb_forms(word: str) -> dict[str, str]:
    """Return base (""), `.s`, `.ed` (past), `.en` (past participle) and `.ing` of a verb."""
    base, *given = word.replace("*", "").split("/")
    marked = "*" in word
    regular = [_past(base, marked), _past(base, marked), _progressive(base, marked)]
    past, participle, progressive = given + regular[len(given) :]
    third = _third_person(base)
    return {"": base, ".s": third, ".ed": past, ".en": participle, ".ing": progressive}


def noun_forms(word: str) -> dict[str, str]:
    """Return the singular ("") and the plural (`.s`) of a noun."""
    base, *given = word.split("/")
    needs_e = ("potato", "tomato", "hero", "echo", "volcano")
    if given:
        plural = given[0]
    elif _HISSES.fullmatch(base) or base in needs_e:
        plural = base + "es"
    else:
        plural = re.sub(r"(?<=[^aeiou])y$", "ie", base) + "s"
    return {"": base, ".s": plural}


def adjective_grades(word: str) -> dict[str, str]:
    """Return the adjective (""), its comparative (`.er`) and its superlative (`.est`)."""
    base, *given = word.split("/")
    stem = re.sub(r"(?<=[^aeiou])y$", "i", _double(base.removesuffix("e"), marked=False))
    if base.endswith("e"):
        stem = base.removesuffix("e")
    comparative, superlative = given or [stem + "er", stem + "est"]
    return {"": base, ".er": comparative, ".est": superlative}


def _slot_or(forms: Callable[[str], dict[str, str]]) -> Callable[[str], dict[str, str]]:
    """Inflect a `{slot}` by naming the rule of each form, any other word by `forms`."""

    def inflect(word: str) -> dict[str, str]:
        if word.startswith("{"):
            return {form: f"{word[:-1]}{form}}}" for form in forms("x")}
        return forms(word)

    return inflect


def verb_phrase_forms(phrase: str) -> dict[str, str]:
    """Return the forms of a phrase whose first word or slot is the verb: `{cook} the soup`."""
    verb, space, rest = phrase.partition(" ")
    return {form: text + space + rest for form, text in _slot_or(verb_forms)(verb).items()}


def noun_phrase_forms(phrase: str) -> dict[str, str]:
    """Return the forms of a phrase whose last word or slot is the noun: `post office`."""
    start, space, noun = phrase.rpartition(" ")
    return {form: start + space + text for form, text in _slot_or(noun_forms)(noun).items()}
