"""Punctuation as transcripts have it: . , ; : ? ! between words, apostrophe and hyphen in them."""

import re

from engine.text.english.rules import word_list

_QUOTES = re.compile("[\"“”„‟«»‹›″「」『』〈〉《》【】]|''|``|‘‘|’’")
_APOSTROPHES = re.compile("[‘’‚‛ʼʻ′`]")
_DASH = re.compile(r" ?(?:[—–―‒]|--)[-—–―‒ ]*| - ")
_HYPHENS = re.compile(r"(?<![A-Za-z])-+|-+(?![A-Za-z])")
_ELLIPSIS = re.compile(r" ?(?:…|\.(?: ?\.)+)[.… ]*")
_PLURAL = re.compile(r"(?<=[A-Za-z])\((e?s)\)")
_OPENING = re.compile(r" ?[(\[{]+ ?")
_CLOSING = re.compile(r" ?[)\]}]+ ?")
_MARKS = re.compile(r"[.,;:?!](?: ?[.,;:?!])+")
_SPACE_BEFORE = re.compile(r" ([.,;:?!])")
_NO_SPACE_AFTER = re.compile(r"([,;:?!])(?=[^\W\d_])|(?<=[a-z])(\.)(?=[A-Z])")
_NOTHING = re.compile(r"[^A-Za-z.,;:?! '-]+")
_SPACES = re.compile(r" {2,}")
_LEADING = " .,;:?!-"

_HEADLESS = word_list("with_apostrophe")
_EDGE = re.compile(r"(?<![A-Za-z])'+(?=([A-Za-z]{0,10}))|'+(?![A-Za-z])")

READ_AS = {
    **dict.fromkeys("—–―‒", ";"),
    "…": ".",
    **dict.fromkeys("()[]{}", ","),
    **dict.fromkeys('"“”„‟«»‹›″「」『』〈〉《》【】', ""),
    **dict.fromkeys("‘’‚‛ʼʻ′`", "'"),
    "-": "-",
}
"""What is read where these marks stand, by themselves."""


def punctuated(text: str) -> str:
    """Words with the marks of `.,;:?!'-` alone, one at a time, a space after and none before.

    Dashes become `;` as in the BBC's transcripts, brackets `,`, quotes nothing.
    """
    if _NOTHING.search(text):
        text = _APOSTROPHES.sub("'", _QUOTES.sub("", text))
        text = _PLURAL.sub(r"\1", text)
        text = _OPENING.sub(lambda match: ", " if _adds_a_pause(match) else " ", text)
        text = _CLOSING.sub(lambda match: ", " if match.end() < len(match.string) else "", text)
    text = _DASH.sub(lambda match: "; " if _adds_a_pause(match) else " ", text)
    text = _ELLIPSIS.sub(_pause, _HYPHENS.sub(" ", text))
    if "'" in text:
        text = _without_quotes(text)
    text = _SPACES.sub(" ", _NOTHING.sub(" ", text))
    text = _MARKS.sub(_strongest, _SPACE_BEFORE.sub(r"\1", text))
    text = _NO_SPACE_AFTER.sub(r"\1\2 ", text)
    return text.lstrip(_LEADING).rstrip(" -")


def _adds_a_pause(match: re.Match[str]) -> bool:
    """Whether no other mark stands before this one, which would then add nothing."""
    before = match.string[max(0, match.start() - 1) : match.start()]
    return not before or before not in ".,;:?!"


def _pause(match: re.Match[str]) -> str:
    """Three dots: a pause inside a sentence, or its end."""
    following = match.string[match.end() : match.end() + 1]
    return "; " if following.islower() else ". "


def _strongest(match: re.Match[str]) -> str:
    """One mark for several: a question or an exclamation, else the last."""
    marks = match[0]
    return next((mark for mark in "?!" if mark in marks), marks[-1])


def _without_quotes(text: str) -> str:
    """Single quotes left out, apostrophes kept."""
    open_quote = False

    def kept(match: re.Match[str]) -> str:
        nonlocal open_quote
        word, start = match[1], match.start()
        if word:
            headless = word.lower() in _HEADLESS
            open_quote = open_quote or not headless
            return "'" if headless else ""
        if open_quote:
            open_quote = False
            return ""
        return "'" if start and text[start - 1] in "sSnN" else ""

    return _EDGE.sub(kept, text)
