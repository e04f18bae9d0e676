"""Make the sentences of the demo voice's training corpus from a grammar and a seed.

A small network that has only hours on two cores learns the sound of a word by hearing it
many times between different neighbours. So the sentences come from a grammar of everyday
English (grammar.txt), and each new sentence is built around a word that was rare so far.
The same grammar, seed and count give the same sentences on every machine.
"""

import argparse
import random
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
GRAMMAR = HERE / "grammar.txt"
HELD_OUT = HERE / "held-out.txt"
DEMO = HERE / "demo.txt"

VOCABULARY = frozenset(" abcdefghijklmnopqrstuvwxyz'.?,")
"""What a sentence may hold once in lower case (of the 34 symbols: no padding, no `;`)."""

SHORTEST, LONGEST = 4, 8
"""Words a sentence: long enough to be one, short enough to speak in about two seconds."""

PATIENCE = 200
"""Sentences around a word that may fail before the word counts as used up."""

_SLOT = re.compile(r"\{(\w+)\}")
_WORD = re.compile(r"[a-z']+")


def words_of(sentence: str) -> list[str]:
    """Return the words of a sentence in lower case, apostrophes kept, punctuation dropped."""
    return _WORD.findall(sentence.lower())


def read_sentences(path: Path) -> list[str]:
    """Return the sentences of a plain text file, one a line; empty lines do not count."""
    return [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]


@dataclass
class Grammar:
    """Rules by name, each a list of alternatives with `{name}` slots; `sentence` starts."""

    rules: dict[str, list[str]]
    reach: dict[str, frozenset[str]] = field(init=False)
    """The words that each rule can produce; a grammar that loops is refused."""

    _words_in: dict[str, frozenset[str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.reach = {}
        for name in self.rules:
            self._reachable(name, ())

    @classmethod
    def read(cls, path: Path) -> "Grammar":
        """Read rules from a file such as grammar.txt; ValueError names a line that is not one."""
        rules: dict[str, list[str]] = {}
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            name, colon, body = line.partition(":")
            if not colon or not body.strip():
                where = f"{path.name}, line {number}"
                raise ValueError(f"{where}: expected 'name: words', got {line!r}")
            rules.setdefault(name.strip(), []).extend(part.strip() for part in body.split("|"))
        return cls(rules)

    def words_in(self, text: str) -> frozenset[str]:
        """Return the words that an alternative can produce, its slots included."""
        if text not in self._words_in:
            slots = [self.reach[name] for name in _SLOT.findall(text)]
            literal = frozenset(words_of(_SLOT.sub(" ", text)))
            self._words_in[text] = literal.union(*slots)
        return self._words_in[text]

    def expand(self, name: str, target: str, counts: Counter[str], draw: random.Random) -> str:
        """Return one text of the rule that holds `target` if the rule can, else rare words."""
        alternatives = self.rules[name]
        if target in self.reach[name]:
            alternatives = [text for text in alternatives if target in self.words_in(text)]
            text = draw.choice(alternatives)
        else:
            tried = draw.sample(alternatives, min(3, len(alternatives)))
            text = min(tried, key=lambda one: min(counts[w] for w in self.words_in(one)))
        slots = list(_SLOT.finditer(text))
        able = [slot for slot in slots if target in self.reach[slot[1]]]
        if target in words_of(_SLOT.sub(" ", text)):
            able = []
        chosen = draw.choice(able) if able else None
        parts, end = [], 0
        for slot in slots:
            wanted = target if slot is chosen else ""
            parts += [text[end : slot.start()], self.expand(slot[1], wanted, counts, draw)]
            end = slot.end()
        return "".join(parts) + text[end:]

    def _reachable(self, name: str, above: tuple[str, ...]) -> frozenset[str]:
        if name in above:
            raise ValueError(f"the rule {name!r} leads back to itself")
        if name not in self.rules:
            raise ValueError(f"the rule {above[-1]!r} uses {{{name}}}, which has no line")
        if name not in self.reach:
            for text in self.rules[name]:
                for slot in _SLOT.findall(text):
                    self._reachable(slot, (*above, name))
            self.reach[name] = frozenset().union(*map(self.words_in, self.rules[name]))
        return self.reach[name]


def polish(sentence: str) -> str:
    """Start with a capital and say `an` before a vowel, as a person would write it."""
    sentence = re.sub(r"\b([Aa]) (?=[aeiouAEIOU])", r"\1n ", sentence)
    return sentence[0].upper() + sentence[1:]


def is_good(sentence: str) -> bool:
    """Tell whether the length fits and no content word comes twice."""
    words = words_of(sentence)
    repeats = {word for word, times in Counter(words).items() if times > 1}
    return SHORTEST <= len(words) <= LONGEST and repeats <= {"the", "a", "is", "at", "turn"}


def generate(grammar: Grammar, count: int, seed: int, without: Collection[str] = ()) -> list[str]:
    """Return `count` distinct sentences, none of them in `without`, balanced over the words.

    Each sentence is built around the word that was used least so far; what else it holds is
    drawn from the rarer of a few random choices. ValueError if the grammar is too small.
    """
    draw = random.Random(seed)  # noqa: S311 - repeatable on purpose, guards no secret
    counts: Counter[str] = Counter()
    vocabulary = sorted(grammar.reach["sentence"])
    spoken = {tuple(words_of(sentence)) for sentence in without}
    sentences: list[str] = []
    used_up: Counter[str] = Counter()
    for _attempt in range(20 * count + 1000):
        if len(sentences) == count:
            return sentences
        open_words = [word for word in vocabulary if used_up[word] < PATIENCE]
        least = min((counts[word] for word in open_words), default=0)
        target = draw.choice([word for word in open_words if counts[word] <= least + 1] or [""])
        sentence = polish(grammar.expand("sentence", target, counts, draw))
        key = tuple(words_of(sentence))
        if key in spoken or not is_good(sentence):
            used_up[target] += 1
            continue
        spoken.add(key)
        counts.update(key)
        sentences.append(sentence)
    raise ValueError(f"the grammar gives only {len(sentences)} of {count} distinct sentences")


def summary(sentences: Sequence[str]) -> str:
    """Describe a corpus in a line: sentences, words, different words, the rarest word."""
    counts = count_words(sentences)
    rarest, times = min(counts.items(), key=lambda item: (item[1], item[0]))
    return (
        f"{len(sentences)} sentences, {counts.total()} words, {len(counts)} different, "
        f"the rarest ({rarest!r}) {times} times"
    )


def count_words(sentences: Iterable[str]) -> Counter[str]:
    """Count every word of the sentences in lower case."""
    return Counter(word for sentence in sentences for word in words_of(sentence))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the sentences of the training corpus, one a line."""
    parser = argparse.ArgumentParser(
        description="Make the training sentences of the demo voice, then the demo's own 60.",
        epilog="Example: python assets/recipe/sentences.py --count 5000 --out sentences.txt",
    )
    parser.add_argument("--count", type=int, default=5000, help="sentences from the grammar")
    parser.add_argument("--seed", type=int, default=2018, help="another seed, other sentences")
    parser.add_argument("--out", type=Path, help="write here (default: standard output)")
    options = parser.parse_args(arguments)
    demo = read_sentences(DEMO)
    without = [*read_sentences(HELD_OUT), *demo]
    sentences = generate(Grammar.read(GRAMMAR), options.count, options.seed, without) + demo
    text = "\n".join(sentences) + "\n"
    if options.out:
        options.out.write_text(text, "utf-8")
    else:
        sys.stdout.write(text)
    print(summary(sentences), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
