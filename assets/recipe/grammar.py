"""A grammar of sentences: rules of alternatives with slots, and how a sentence is drawn from it.

    name: a | b {other} | c     one rule; {other} is filled from the rule of that name
    nouns name: cat | child/children      the rules name and name.s (plural)
    verbs name: bake | take/took/taken    name, name.s, name.ed, name.en and name.ing
    grades name: big | good/better/best   name, name.er and name.est

A rule may be continued on more lines, in any file. Each line that starts with `sentence:`
is one frame; its last character ends the sentence.
"""

import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from inflection import adjective_grades, noun_phrase_forms, verb_phrase_forms

SLACK = 0.02
"""Weight of an alternative that leads to no rare word, beside 1 for a single rare word."""

_SLOT = re.compile(r"\{([\w.]+)\}")
_WORD = re.compile(r"[a-z']+")
_FORMS: dict[str, Callable[[str], dict[str, str]]] = {
    "nouns": noun_phrase_forms,
    "verbs": verb_phrase_forms,
    "grades": adjective_grades,
}


def words_of(sentence: str) -> list[str]:
    """Return the words of a sentence in lower case, apostrophes kept, punctuation dropped."""
    return _WORD.findall(sentence.lower())


@dataclass
class Grammar:
    """Rules by name, each a list of alternatives with `{name}` slots; `sentence` starts.

    Sets of words are kept as the bits of an integer: bit i stands for `words[i]`. That makes
    it cheap to ask how many rare words an alternative can lead to. ValueError for a rule that
    uses a missing one or leads back to itself.
    """

    rules: dict[str, list[str]]
    words: list[str] = field(init=False, default_factory=list)
    """Every word that a sentence can hold, in order of first use."""

    _bits: dict[str, int] = field(init=False, default_factory=dict)
    _reach: dict[str, int] = field(init=False, default_factory=dict)
    _alternatives: dict[str, list[int]] = field(init=False, default_factory=dict)
    _able: dict[tuple[str, int], list[int]] = field(init=False, default_factory=dict)
    _weights: dict[str, list[float]] = field(init=False, default_factory=dict)
    _weighed_for: int = field(init=False, default=-1)

    def __post_init__(self) -> None:
        self._reachable("sentence", ())

    @classmethod
    def read(cls, paths: Iterable[Path]) -> "Grammar":
        """Read rules from files, in order of their names; ValueError names a line that is none."""
        rules: dict[str, list[str]] = {}
        for path in sorted(paths):
            for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
                if not line.strip() or line.startswith("#"):
                    continue
                name, colon, body = line.partition(":")
                if not colon or not body.strip():
                    where = f"{path.name}, line {number}"
                    raise ValueError(f"{where}: expected 'name: words', got {line!r}")
                _add(rules, name.split(), [part.strip() for part in body.split("|")])
        return cls(rules)

    def bit(self, word: str) -> int:
        """Return the integer that has only the bit of this word."""
        if word not in self._bits:
            self._bits[word] = 1 << len(self.words)
            self.words.append(word)
        return self._bits[word]

    def expand(self, name: str, target: int, rare: int, draw: random.Random) -> str:
        """Return one text of the rule that holds the `target` word if the rule can.

        Whatever is left open is drawn so that more of the `rare` words come: an alternative's
        chance grows with the number of them that it can lead to.
        """
        text = self._draw(name, target, rare, draw)
        slots = list(_SLOT.finditer(text))
        holders = [slot for slot in slots if target and self._reach[slot[1]] & target]
        if holders and any(self.bit(word) & target for word in words_of(_SLOT.sub(" ", text))):
            holders = []
        chosen = draw.choice(holders) if holders else None
        parts, end = [], 0
        for slot in slots:
            wanted = target if slot is chosen else 0
            parts += [text[end : slot.start()], self.expand(slot[1], wanted, rare, draw)]
            end = slot.end()
        return "".join(parts) + text[end:]

    def _draw(self, name: str, target: int, rare: int, draw: random.Random) -> str:
        """Draw an alternative of a rule, with slots, of those that can hold the target if any."""
        texts, weights = self.rules[name], self._weights_of(name, rare)
        if target & self._reach[name]:
            able = self._able.get((name, target))
            if able is None:
                able = [i for i, words in enumerate(self._alternatives[name]) if words & target]
                self._able[name, target] = able
            texts, weights = [texts[i] for i in able], [weights[i] for i in able]
        return draw.choices(texts, weights)[0]

    def _weights_of(self, name: str, rare: int) -> list[float]:
        """Return the weights of a rule's alternatives; many draws have the same rare words."""
        if rare != self._weighed_for:
            self._weights, self._weighed_for = {}, rare
        if name not in self._weights:
            reached = self._alternatives[name]
            self._weights[name] = [SLACK + (each & rare).bit_count() ** 0.75 for each in reached]
        return self._weights[name]

    def _reachable(self, name: str, above: tuple[str, ...]) -> int:
        if name in above:
            raise ValueError(f"the rule {name!r} leads back to itself")
        if name not in self.rules:
            raise ValueError(f"the rule {above[-1]!r} uses {{{name}}}, which has no line")
        if name not in self._reach:
            reached = []
            for text in self.rules[name]:
                words = 0
                for word in words_of(_SLOT.sub(" ", text)):
                    words |= self.bit(word)
                for slot in _SLOT.findall(text):
                    words |= self._reachable(slot, (*above, name))
                reached.append(words)
            self._alternatives[name] = reached
            self._reach[name] = 0
            for words in reached:
                self._reach[name] |= words
        return self._reach[name]


def _add(rules: dict[str, list[str]], name: list[str], alternatives: list[str]) -> None:
    """Add alternatives to the rule of that name, or to the rules of all its forms."""
    for text in alternatives:
        forms = _FORMS[name[0]](text) if name[0] in _FORMS else {"": text}
        for form, inflected in forms.items():
            rules.setdefault(name[-1] + form, []).append(inflected)
