"""Text of any language as it is written, in the symbols that a voice has.

Symbols and texts are compared in Unicode's form NFC. What is the same letter in another shape is
read as that letter: full-width forms, ligatures such as ﬁ, presentation forms. A character that
the voice lacks is read as the nearest of its symbols, if one is near: ’ as ', ä as a.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import combinations

_SPACES = re.compile(" +")
# A hyphen that joins no two letters is a dash.
_LONE_HYPHEN = re.compile(r"(?<![^\W_])-|-(?![^\W_])")
_SHAPES = {"<wide>", "<narrow>", "<initial>", "<medial>", "<final>", "<isolated>", "<font>"}
# Characters that stand for each other where a voice has only one of them, the best first: marks
# with their typographic and foreign forms, and letters that are commonly typed for one another.
_FAMILIES = (
    *("'’ʼ‘‛ʻ‚′`´׳", '"“”„‟«»‹›″״', "-‐‑־", "–—―‒−", ",،、", ";؛", "?؟", ".۔।。", "σς"),
    *(_VARIANTS := ("șş", "țţ", "یي", "کك")),
)
_DASHES = "–—―‒"
_NEAR = {own: family.replace(own, "") for family in _FAMILIES for own in family}
_NEAR |= {dash: near + "-" for dash, near in _NEAR.items() if dash in _DASHES + "−"}
_NEAR["…"] = ".۔।。"
_QUOTES = _FAMILIES[1]
_TYPED_AS = {mark: _NEAR.get(mark, "") for mark in "'.,;?"}
_TYPED_AS |= {".": _NEAR["."] + "…", "-": _NEAR["-"] + _DASHES}
# In texts of more letters than this, one that comes less often is another language's; and so are
# those of a script with less than this share.
_MANY, _LEAST, _STRAY = 3000, 3, 0.02
# Stretches a word in Arabic script and has no sound.
_TATWEEL = "\u0640"


class PlainCleaner:
    """Reads texts in a voice's symbols, those that text may hold."""

    def __init__(self, symbols: str) -> None:
        self._symbols = frozenset(symbols)
        self._dash = next((dash for dash in _DASHES if dash in symbols), "")
        self.read = lru_cache(maxsize=8192)(self._read)
        """What is read for one character that `common` yields; may be empty, a space or more."""

    def clean(self, text: str) -> str:
        """The text in the symbols alone, single spaces between; cleaned text stays as it is."""
        cleaned = self._fitted(text)
        # Symbols that are read one after the other may compose another: a letter and its accent.
        while (again := self._fitted(cleaned)) != cleaned:
            cleaned = again
        return cleaned

    def common(self, text: str) -> str:
        """The text in lower case and one Unicode form; every letter in its usual shape."""
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
            shaped = "".join(c if c in self._symbols else _unshaped(c) for c in text)
            text = unicodedata.normalize("NFC", shaped)
        # Where ı is a letter, as in Turkish, I is its capital.
        text = text.replace("I", "ı") if "ı" in self._symbols else text
        return unicodedata.normalize("NFC", text.replace("İ", "i").lower())

    def lacks(self, character: str) -> bool:
        """Whether something else than a character of `common` text is read, or nothing at all.

        White space, and what only changes how others look, is no loss.
        """
        if character.isspace() or _is_invisible(character):
            return False
        return unicodedata.normalize("NFC", self.read(character)) != character

    def _fitted(self, text: str) -> str:
        text = self.common(text)
        if self._dash and "-" not in self._symbols:
            text = _LONE_HYPHEN.sub(self._dash, text)
        if "…" in self._symbols and "." not in self._symbols:
            text = text.replace("...", "…")
        return _SPACES.sub(" ", "".join(map(self.read, text))).strip(" ")

    def _read(self, character: str) -> str:
        if character.isspace():
            return " "
        if character in self._symbols:
            return character
        if _is_invisible(character):
            return ""
        if character in _QUOTES and self._symbols.isdisjoint(_QUOTES):
            return ""
        near = (mark for mark in _NEAR.get(character, "") if mark in self._symbols)
        return next(near, None) or next(self._decomposed(character), " ")

    def _decomposed(self, character: str) -> Iterator[str]:
        """A letter with as many of its accents as there are symbols for, composed or apart."""
        parts = unicodedata.normalize("NFD", character)
        base = "".join(part for part in parts if not _is_mark(part))
        marks = [part for part in parts if _is_mark(part)]
        if not base:
            yield ""
        for count in range(len(marks), -1, -1):
            for chosen in combinations(marks, count):
                for form in ("NFC", "NFD"):
                    tried = unicodedata.normalize(form, base + "".join(chosen))
                    if self._symbols.issuperset(tried):
                        yield tried


def composed_symbols(typed: str) -> str:
    """The symbols that a vocabulary means which was typed in any Unicode form.

    Letters and accents that are listed apart, each once, stay apart. Where a letter is followed by
    an accent with which it has no form of its own, each of the two is a symbol, once.
    """
    if len(set(typed)) == len(typed):
        alone = (unicodedata.normalize("NFC", symbol) for symbol in typed)
        return "".join(dict.fromkeys("".join(alone)))
    groups: list[str] = []
    for symbol in unicodedata.normalize("NFC", typed):
        if groups and _is_mark(symbol):
            groups[-1] += symbol
        else:
            groups.append(symbol)
    single = [group for group in groups if len(group) == 1]
    symbols: list[str] = []
    for group in groups:
        parts = [part for part in group if part not in symbols and part not in single]
        symbols += [group] if len(group) == 1 else parts
    return "".join(symbols)


def alphabet(texts: Iterable[str]) -> str:
    """The letters and marks of texts in one language, as a vocabulary has them.

    Accents that have no form with their letter come first, where no letter stands before them.
    Korean syllables are listed by their parts, from which each is read.
    """
    whole = "\n".join(texts)
    counts = Counter(PlainCleaner("ı" if "ı" in whole else "").common(whole))
    letters = Counter({c: n for c, n in counts.items() if _is_letter(c)})
    for pair in _VARIANTS:
        if all(letter in letters for letter in pair):
            del letters[min(pair, key=letters.__getitem__)]
    for syllable in [c for c in letters if "가" <= c <= "힣"]:
        count = letters.pop(syllable)
        letters.update(dict.fromkeys(unicodedata.normalize("NFD", syllable), count))
    total = letters.total()
    scripts: Counter[str] = Counter()
    for letter, count in letters.items():
        scripts[_script(letter)] += count
    least = _LEAST if total > _MANY else 1
    used = {c for c, n in letters.items() if n >= least and scripts[_script(c)] > total * _STRAY}
    if any("a" <= letter <= "z" for letter in used):
        used |= set(string.ascii_lowercase)
    accents = sorted(c for c, n in counts.items() if _is_mark(c) and n >= max(least, total / 1000))
    marks = [c for c in "'.,;:?!-¿¡" if any(near in counts for near in c + _TYPED_AS.get(c, ""))]
    # From the end of a Korean syllable to its beginning: in this order nothing composes.
    parts = sorted((c for c in used if "\u1100" <= c <= "\u11ff"), reverse=True)
    return "".join([*accents, *parts, *sorted(used.difference(parts)), *marks])


def _is_letter(character: str) -> bool:
    other_form = character in _NEAR["'"] or _is_invisible(character)
    return character.isalpha() and not other_form


def _script(letter: str) -> str:
    return unicodedata.name(letter, "").split(" ")[0]


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or character == _TATWEEL


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


@lru_cache(maxsize=8192)
def _unshaped(character: str) -> str:
    """A letter in its usual shape, a full-width mark as the narrow one."""
    tag = unicodedata.decomposition(character).partition(" ")[0]
    if tag in _SHAPES or (tag == "<compat>" and character.isalpha()):
        return unicodedata.normalize("NFKC", character)
    return character
