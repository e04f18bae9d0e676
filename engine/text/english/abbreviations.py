"""Words written short: Mr., St., etc., No. 5, Jan., J. F. Kennedy, U.S.A., e.g."""

import re

from engine.text.english.rules import (
    Found,
    Rules,
    any_of,
    one_of,
    spoken_forms,
    starts_sentence,
    word_list,
)
from engine.text.english.times_and_dates import MONTHS, SHORT_MONTHS

abbreviations_spoken = Rules("short_forms")
"""Abbreviations in full, U.S.A. as letters; a dot stays only where it also ends a sentence."""

# Before a name, so that the dot ends no sentence.
_TITLES = spoken_forms("titles")
_DAYS = spoken_forms("days")
# May end a sentence.
_WORDS = {
    **spoken_forms("abbreviations"),
    **{short.lower(): day for short, day in _DAYS.items() if short not in ("Sat", "Sun")},
    **{short.lower(): month for short, month in SHORT_MONTHS.items() if short != "May"},
}
# With a number after them.
_NUMBERED = spoken_forms("numbered")
# Also in lower case; the rest begin with a capital, or are words.
_LOWER = word_list("lower_case")
_PREVIOUS = re.compile(r"([\w'’]{1,30}) $")
_DATE_WORDS = _DAYS | SHORT_MONTHS
_MONTH = f"(?:{'|'.join(MONTHS)}|{one_of(SHORT_MONTHS)})"
_DAY = one_of(_DATE_WORDS)
_NUMBER = re.compile(r" ?\(?(?:\d|[IVXLC]{1,9}(?![\w'’]))")
_DIGIT = re.compile(r" ?(?:[A-Z]{1,3}-?)?\d")
_ANYWHERE = spoken_forms("anywhere")
# From A to B. Next
_TO_LETTER = re.compile(r"\b[A-Z] (?:to|and|or) $")
# What letters name, as vitamin C and gate B.
_LETTERED = word_list("lettered")
_GREETINGS = word_list("greetings")


@abbreviations_spoken.reads(rf"(?i)(?<![\w.'’&-])({one_of(_ANYWHERE)})(?![\w'’-])(\.?)")
def _anywhere(found: Found) -> str:
    words, stop = _ANYWHERE[found[1].lower()], found[2]
    # Only a new sentence has a capital after "etc.", and "versus" has more to come.
    new = words == "et cetera" and found.next_word[:1].isupper()
    last = found.at_end if words == "versus" else found.ends_sentence
    return words + (stop if new or last else "")


abbreviations_spoken.add(
    rf"(?<![\w'’-])({_DAY})\.? ?[-–—] ?({_DAY})(?![\w'’-])(?:\.(?= [a-z\d]))?",
    lambda found: f"{_DATE_WORDS[found[1]]} to {_DATE_WORDS[found[2]]}",
)
# Days that are words too, beside another day, a time or a date.
_IN_LIST = re.compile(rf"\b({_DAY})\b\.?")
abbreviations_spoken.add(
    rf"(?<![\w'’-])(?:{_DAY})(?:\.?(?:,| &| and| or){{1,2}} (?:{_DAY})(?![\w'’-])){{1,6}}"
    r"(?:\.(?!$))?",
    lambda found: _IN_LIST.sub(lambda day: _DATE_WORDS[day[1]], found[0]),
)
abbreviations_spoken.add(
    rf"(?<![\w'’-])({one_of(_DAYS)})\.?(,?)(?= (?:(?:the )?\d|(?:at|from) \d|{_MONTH}\b))",
    lambda found: _DAYS[found[1]] + found[2],
)
abbreviations_spoken.add(
    r"(\b(?:[Oo]n|[Nn]ext|[Ll]ast|[Tt]his|[Ee]very|day and|day &) )(Sat|Sun)\b"
    r"(?:\.(?! [A-Z])|(?=,))?(?!\w|['’-])",
    lambda found: found[1] + _DAYS[found[2]],
)


@abbreviations_spoken.reads(r"(?<![^\W_]|[.'’&])([A-Za-z]{1,7})\.(?![A-Za-z])")
def _dotted(found: Found) -> str | None:
    written, key = found[1], found[1].lower()
    # "No. I will not": what follows "no" is a number only in digits.
    if key in _NUMBERED and found.goes_on_with(_DIGIT if key == "no" else _NUMBER):
        return _NUMBERED[key] + ("" if found.after(1) == " " else " ")
    if key not in _LOWER and not written[0].isupper():
        return None
    if key in _TITLES and (not written.isupper() or key in _LOWER):
        return _title(found, _TITLES[key])
    if key in _WORDS and (len(key) > 3 or not starts_sentence(written)):
        return _WORDS[key] + ("." if found.ends_sentence else "")
    return None


def _title(found: Found, word: str) -> str:
    """A title before a name; "Dr." after one is a drive, and no title where a sentence ends."""
    before = found.previous_word(_PREVIOUS)
    ends = found.at_end or found.after(1) == "," or found.next_word[:1].islower()
    if ends and word == "Doctor" and before[:1].isupper() and before.lower() not in _GREETINGS:
        return "Drive." if found.at_end else "Drive"
    return f"{word}." if found.at_end else word


@abbreviations_spoken.reads(r"(?<![\w'’-])(?:St|Sts|ST)(\.?)(?![\w'’-])")
def _saint(found: Found) -> str | None:
    """Saint before a name, street after one."""
    before = found.previous_word(_PREVIOUS)[:1]
    named = before.isupper() or before.isdigit()
    ends = found.ends_sentence
    if found.next_word[:1].isupper() and not (named and ends):
        return "Saint"
    return "Street" + (found[1] if ends else "") if named else None


abbreviations_spoken.add(
    r"(?<=[a-z])(,? )(Jr|Sr|Jnr|Snr|Ltd|Bros|Co|Inc|Corp)(?![\w.'’-])",
    lambda found: found[1] + _WORDS[found[2].lower()],
)
# Written without the dot, as in Britain.
abbreviations_spoken.add(
    r"(?<![\w.'’-])(?:(Mr|Mrs|Ms|Dr|Prof|Messrs|MR|MRS|MS|DR)(?= (?:(?:and|or|&) )?[A-Z])"
    rf"|({any_of('undotted')})(?= (?:[A-Z]\.|[A-Z][\w'’])))",
    lambda found: _TITLES[found[0].lower()],
)
# Streets after a name.
abbreviations_spoken.add(
    r"(?<![\w.'’-])((?:[A-Z][\w'’]{1,20}|\d{1,3}[a-z]{2}) )"
    r"(Ave|Blvd|Rd|Ln|Hwy|Pkwy|Expy|Fwy|Cres|Ct|Sq)(?![\w.'’-])",
    lambda found: found[1] + _WORDS[found[2].lower()],
)

_LETTERS = r"(?<![\w.'’])([A-Za-z](?:\.[A-Za-z])+)"
_MEANINGS = {"e.g": "for example", "i.e": "that is", "a.k.a": "also known as"}
# A sentence goes on after these, whatever follows.
_INTRODUCING = frozenset({"e.g", "i.e", "a.k.a", "n.b", "p.s"})


abbreviations_spoken.add(rf"{_LETTERS}\.?(?=['’]s\b)", lambda found: found[1].replace(".", " "))


@abbreviations_spoken.reads(rf"{_LETTERS}(?![\w'’])(\.?)")
def _initials(found: Found) -> str:
    letters, stop = found.groups()
    key = letters.lower()
    words = _MEANINGS.get(key, letters.replace(".", " "))
    if key in _INTRODUCING:
        return words + (stop if found.at_end else "")
    new = key in ("a.m", "p.m") and found.next_word[:1].isupper()
    return words + (stop if new or found.ends_sentence else "")


abbreviations_spoken.add(r"(?<![\w.'’])([A-Z])\.(?= [A-Z]\.)", r"\1")


@abbreviations_spoken.reads(r"(?<![\w.'’°])([A-Z])\.(?= [A-Za-z])")
def _initial(found: Found) -> str | None:
    """One initial: "John F. Kennedy" and "E. coli" continue, "plan B. He left." does not."""
    following = found.next_word
    if not following or found.at_end:
        return None
    if following[0].islower():
        return found[1]
    before = found.previous_word()
    counts = before.lower() in _LETTERED or found.follows(_TO_LETTER, 8)
    ends = counts or starts_sentence(following) or (found[1] == "I" and not before[:1].isupper())
    return None if ends else found[1]
