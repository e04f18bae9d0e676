"""Abbreviated words: Mr., St., etc., No. 5, Jan., Ltd., vs."""

import re

from engine.text.english.context import (
    at_end,
    ends_sentence,
    next_word,
    previous_word,
    spoken_forms,
    starts_sentence,
    word_list,
)
from engine.text.english.times_and_dates import SHORT_MONTHS

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
_DOTTED = re.compile(r"(?<![^\W_]|[.'’&])([A-Za-z]{1,7})\.(?![A-Za-z])")
# Written without the dot, as in Britain.
_BARE = re.compile(
    r"(?<![\w.'’-])(Mr|Mrs|Ms|Dr|Prof|Messrs|Capt|Col|Sgt|Lt|Gen|Rev|MR|MRS|MS|DR)(?= [A-Z])"
)
_JUNIOR = re.compile(r"(?<=[a-z])(,? )(Jr|Sr|Jnr|Snr|Ltd|Bros|Co|Inc|Corp)(?![\w.'’-])")
_SAINT = re.compile(r"(?<![\w'’-])(?:St|Sts|ST)(\.?)(?![\w'’-])")
_PREVIOUS = re.compile(r"([\w'’]{1,30}) $")
_EVERYWHERE = re.compile(
    r"(?<![\w.'’&-])(?:(etc|&c)|(vs)|(et al)|(Ph\. ?D|PhD)|(w/o)|(w/)(?= ?\w)|(Esq)|(dept))"
    r"(?![\w'’-])(\.?)",
    re.IGNORECASE,
)
_EXPANSIONS = (
    "et cetera", "versus", "and others", "p h d", "without", "with ", "esquire", "department",
)  # fmt: skip
_DATE_WORDS = _DAYS | SHORT_MONTHS
_DAY = "|".join(sorted(_DATE_WORDS, key=len, reverse=True))
_FROM_DAY_TO_DAY = re.compile(
    rf"(?<![\w'’-])({_DAY})\.? ?[-–—] ?({_DAY})(?![\w'’-])(?:\.(?= [a-z\d]))?"
)
_NO = re.compile(r"(?<![\w.'’-])(?:No(?= \d)|N° ?(?=\d))")
_AGAINST = re.compile(r"(?<=\w )v\. (?=[A-Z])")
# In dictionaries, and in brackets after names.
_DATED = re.compile(r"(?<=[(,;])( ?)(b|d|fl)\. ?(?=\d{4}(?!\d))")
_DATES = {"b": "born", "d": "died", "fl": "flourished"}
_NUMBER = re.compile(r" ?\(?(?:\d|[IVXLC]{1,9}(?![\w'’]))")

_DIGIT = re.compile(r" ?(?:[A-Z]{1,3}-?)?\d")


def abbreviations_spoken(text: str) -> str:
    """Abbreviations in full; a dot stays only where it also ends a sentence."""
    text = _EVERYWHERE.sub(_anywhere, text)
    text = _FROM_DAY_TO_DAY.sub(
        lambda match: f"{_DATE_WORDS[match[1]]} to {_DATE_WORDS[match[2]]}", text
    )
    if "." in text:
        text = _AGAINST.sub("versus ", text)
        text = _DATED.sub(lambda match: f"{match[1]}{_DATES[match[2]]} ", text)
        text = _DOTTED.sub(_dotted, text)
    text = _SAINT.sub(_saint, text)
    text = _NO.sub(lambda match: "number" if match[0] == "No" else "number ", text)
    text = _JUNIOR.sub(lambda match: match[1] + _WORDS[match[2].lower()], text)
    return _BARE.sub(lambda match: _TITLES[match[1].lower()], text)


def _anywhere(match: re.Match[str]) -> str:
    place = next(n for n, group in enumerate(match.groups()) if group)
    words, stop = _EXPANSIONS[place], match.groups()[-1]
    # Only a new sentence has a capital after "etc.".
    new = place == 0 and next_word(match)[:1].isupper()
    # "versus" and "with" have more to come.
    last = at_end(match) if place in (1, 4, 5) else ends_sentence(match)
    return words + (stop if new or last else "")


def _dotted(match: re.Match[str]) -> str:
    written, text, end = match[1], match.string, match.end()
    key = written.lower()
    # "No. I will not": what follows "no" is a number only in digits.
    if key in _NUMBERED and (_DIGIT if key == "no" else _NUMBER).match(text, end):
        return _NUMBERED[key] + ("" if text[end] == " " else " ")
    if key not in _LOWER and not written[0].isupper():
        return match[0]
    if key in _TITLES and (not written.isupper() or key in _LOWER):
        return _title(match, _TITLES[key])
    if key in _WORDS and (len(key) > 3 or not starts_sentence(written)):
        return _WORDS[key] + ("." if ends_sentence(match) else "")
    return match[0]


def _title(match: re.Match[str], word: str) -> str:
    """A title before a name; "Dr." after one is a drive, and no title where a sentence ends."""
    if not at_end(match):
        return word
    if word == "Doctor" and previous_word(match, _PREVIOUS)[:1].isupper():
        return "Drive."
    return f"{word}."


def _saint(match: re.Match[str]) -> str:
    """Saint before a name, street after one."""
    before = previous_word(match, _PREVIOUS)[:1]
    named = before.isupper() or before.isdigit()
    ends = ends_sentence(match)
    if next_word(match)[:1].isupper() and not (named and ends):
        return "Saint"
    if named:
        return "Street" + (match[1] if ends else "")
    return match[0]
