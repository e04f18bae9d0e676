"""Punctuation as transcripts have it: . , ; : ? ! between words, apostrophe and hyphen in them."""

import re

from engine.text.english.rules import Found, Rules, word_list

READ_AS = {
    **dict.fromkeys("—–―‒", ";"),
    "…": ".",
    **dict.fromkeys("()[]{}", ","),
    **dict.fromkeys('"“”„‟«»‹›″「」『』〈〉《》【】', ""),
    **dict.fromkeys("‘’‚‛ʼʻ′`", "'"),
    "-": "-",
}
"""What is read where these marks stand, by themselves."""

_OTHERS = re.compile(r"[^A-Za-z.,;:?! '-]+")
_EDGE = re.compile(r"(?<![A-Za-z])'+(?=([A-Za-z]{0,10}))|'+(?![A-Za-z])")
_HEADLESS = word_list("with_apostrophe")


def _is_unmarked(found: Found) -> bool:
    """Whether no mark stands before a match, to which another would add nothing."""
    return not found.match.string.endswith(tuple(".,;:?!"), 0, found.match.start())


_without_quotes_and_brackets = Rules()
_without_quotes_and_brackets.add("[\"“”„‟«»‹›″「」『』〈〉《》【】]|''|``|‘‘|’’", "")
_without_quotes_and_brackets.add("[‘’‚‛ʼʻ′`]", "'")
_without_quotes_and_brackets.add(r"(?<=[A-Za-z])\((e?s)\)", r"\1")
_without_quotes_and_brackets.add(r" ?[(\[{]+ ?", lambda found: ", " if _is_unmarked(found) else " ")
_without_quotes_and_brackets.add(r" ?[)\]}]+ ?", lambda found: ", " if found.after(1) else "")

_without_dashes = Rules()
_without_dashes.add(
    r" ?(?:[—–―‒]|--)[-—–―‒ ]*| - ", lambda found: "; " if _is_unmarked(found) else " "
)
_without_dashes.add(r"(?<![A-Za-z])-+|-+(?![A-Za-z])", " ")
# Three dots: a pause inside a sentence, or its end.
_without_dashes.add(
    r" ?(?:…|\.(?: ?\.)+)[.… ]*", lambda found: "; " if found.after(1).islower() else ". "
)

_tidied = Rules()
_tidied.add(_OTHERS.pattern, " ")
_tidied.add(" {2,}", " ")
_tidied.add(" ([.,;:?!])", r"\1")
# One mark for several: a question or an exclamation, else the last.
_tidied.add(
    "[.,;:?!](?: ?[.,;:?!])+",
    lambda found: next((mark for mark in "?!" if mark in found[0]), found[0][-1]),
)
_tidied.add(r"([,;:?!])(?=[^\W\d_])|(?<=[a-z])(\.)(?=[A-Z])", r"\1\2 ")


def punctuated(text: str) -> str:
    """Words with the marks of `.,;:?!'-` alone, one at a time, a space after and none before.

    Dashes become `;` as in the BBC's transcripts, brackets `,`, quotes nothing.
    """
    if _OTHERS.search(text):
        text = _without_quotes_and_brackets(text)
    return _tidied(_without_single_quotes(_without_dashes(text))).lstrip(" .,;:?!-").rstrip(" -")


def _without_single_quotes(text: str) -> str:
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
