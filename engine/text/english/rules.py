"""Rules that put text into words, and the lists that they use: the files of `data/`, one a kind.

A list holds words. A table has what is spoken before the forms that are written, separated by |,
or a rule's expression before what stands in its place.
"""

import re
import tomllib
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

_FILES = sorted(Path(__file__).with_name("data").glob("*.toml"))
_LISTS = {
    key: value for path in _FILES for key, value in tomllib.loads(path.read_text("utf-8")).items()
}
BOOKS: list[str] = _LISTS["books"]
"""Books of the Bible, as parts of an expression."""


def word_list(name: str) -> frozenset[str]:
    """A list of `data/`."""
    return frozenset(_LISTS[name].split())


def any_of(name: str) -> str:
    """A list of `data/` as an expression for any of its words."""
    return "|".join(_LISTS[name].split())


def spoken_forms(name: str) -> dict[str, str]:
    """A table of `data/`: what is spoken, by how it is written."""
    return {form: words for words, forms in _LISTS[name].items() for form in forms.split("|")}


def one_of(forms: Iterable[str]) -> str:
    """An expression for any of some written forms; the longest that stands there is taken."""
    return "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))


_STARTERS = word_list("starters")
_NEXT_WORD = re.compile(r"""[ "'”’»)\]]{1,4}["'“‘«(\[]{0,2}([^\W\d_]{1,20})""")
_PREVIOUS_WORD = re.compile(r"([\w'’]{1,30})[ ,]{1,2}$")
_REST = re.compile(r"""["'”’»)\]]{0,3} ?$""")
_ARTICLE = re.compile(r"\b[Aa]n? $")


def starts_sentence(word: str) -> bool:
    """Whether a capitalised word is one that sentences begin with, and names hardly ever."""
    return word[:1].isupper() and word.lower() in _STARTERS


class Found:
    """A match of an expression, and what stands around it."""

    def __init__(self, match: re.Match[str]) -> None:
        self.match = match

    def __getitem__(self, group: int) -> str:
        return self.match[group]

    def groups(self) -> tuple[str, ...]:
        """All groups of the match; those that found nothing are None."""
        return self.match.groups()

    def goes_on_with(self, pattern: re.Pattern[str]) -> bool:
        """Whether an expression matches right behind it."""
        return pattern.match(self.match.string, self.match.end()) is not None

    def follows(self, pattern: re.Pattern[str], reach: int) -> re.Match[str] | None:
        """What an expression finds in so many characters before it."""
        start = self.match.start()
        return pattern.search(self.match.string, max(0, start - reach), start)

    def after(self, count: int) -> str:
        """So many characters behind it, or what there is of them."""
        return self.match.string[self.match.end() : self.match.end() + count]

    @property
    def next_word(self) -> str:
        """The word that begins after white space behind it; empty where something else does."""
        found = _NEXT_WORD.match(self.match.string, self.match.end())
        return found[1] if found else ""

    def previous_word(self, pattern: re.Pattern[str] = _PREVIOUS_WORD) -> str:
        """The word before it, as the first group of an expression finds it; may be empty."""
        found = self.follows(pattern, 34)
        return found[1] if found else ""

    @property
    def follows_article(self) -> bool:
        """Whether "a" or "an" stands before it."""
        return self.follows(_ARTICLE, 4) is not None

    @property
    def at_end(self) -> bool:
        """Whether nothing but quotes and brackets follows."""
        return self.goes_on_with(_REST)

    @property
    def ends_sentence(self) -> bool:
        """Whether an abbreviation may end its sentence: last, or before a word that begins one."""
        return self.at_end or starts_sentence(self.next_word)

    def spliced(self, words: str) -> str:
        """Words in its place, with spaces where letters or digits would touch them."""
        start = self.match.start()
        before = " " if start and self.match.string[start - 1].isalnum() else ""
        return before + words + (" " if self.after(1).isalnum() else "")


Reader = Callable[[Found], str | None]


class Rules:
    """Rewrites a text: each rule in its turn replaces all matches of an expression.

    The expressions are compiled at the first text.
    """

    def __init__(self, table: str = "", *, apart: bool = False) -> None:
        """Begin with the templates of a table of `data/`.

        `apart`: what readers return is spliced.
        """
        self._apart = apart
        self._rules: list[tuple[str, str | Callable[[re.Match[str]], str]]] = []
        if table:
            self._rules.extend(_LISTS[table].items())

    def __call__(self, text: str) -> str:
        """Return the text after all rules."""
        for pattern, words in self._compiled:
            text = pattern.sub(words, text)
        return text

    @cached_property
    def _compiled(self) -> list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]]:
        return [(re.compile(pattern), words) for pattern, words in self._rules]

    def add(self, pattern: str, words: str | Reader) -> None:
        """Add a rule: a template as `re.sub` takes it, or a reader, whose None leaves a match."""
        self._rules.append((pattern, words if isinstance(words, str) else self._replacing(words)))

    def reads(self, pattern: str) -> Callable[[Reader], Reader]:
        """Add the decorated function as the reader of an expression."""

        def register(read: Reader) -> Reader:
            self.add(pattern, read)
            return read

        return register

    def _replacing(self, read: Reader) -> Callable[[re.Match[str]], str]:
        def replaced(match: re.Match[str]) -> str:
            found = Found(match)
            words = read(found)
            if words is None:
                return match[0]
            return found.spliced(words) if self._apart else words

        return replaced
