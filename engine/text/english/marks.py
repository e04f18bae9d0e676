"""Punctuation as transcripts have it: . , ; : ? ! between words, apostrophe and hyphen in them."""

import re

from engine.text.english.context import word_list

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

# Words that are written with an apostrophe before or after.
_HEADLESS = word_list("tis twas twere twill em cause til till bout round neath gainst cos n")
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
        if "(" in text or "[" in text or "{" in text:
            text = _opened(text)
        text = _CLOSING.sub(_closed, text)
    if "-" in text or "—" in text or "–" in text or "―" in text or "‒" in text:
        text = _HYPHENS.sub(" ", _DASH.sub(_dash, text))
    if "…" in text or ".." in text or ". ." in text:
        text = _ELLIPSIS.sub(_pause, text)
    if "'" in text:
        text = _without_quotes(text)
    text = _SPACES.sub(" ", _NOTHING.sub(" ", text))
    text = _MARKS.sub(_strongest, _SPACE_BEFORE.sub(r"\1", text))
    text = _NO_SPACE_AFTER.sub(r"\1\2 ", text)
    return text.lstrip(_LEADING).rstrip(" -")


def _opened(text: str) -> str:
    return _OPENING.sub(_parted, _PLURAL.sub(r"\1", text))


def _parted(match: re.Match[str]) -> str:
    return ", " if _after_word(match) else " "


def _dash(match: re.Match[str]) -> str:
    return "; " if _after_word(match) else " "


def _after_word(match: re.Match[str]) -> bool:
    """Whether no other mark stands before this one, which then adds nothing."""
    before = match.string[max(0, match.start() - 1) : match.start()]
    return not before or before not in ".,;:?!"


def _closed(match: re.Match[str]) -> str:
    return ", " if match.end() < len(match.string) else ""


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
        if word is not None and word:
            if word.lower() in _HEADLESS:
                return "'"
            open_quote = True
            return ""
        if open_quote:
            open_quote = False
            return ""
        return "'" if start and text[start - 1] in "sSnN" else ""

    return _EDGE.sub(kept, text)
