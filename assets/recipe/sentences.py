"""Make the sentences of the demo voice's training corpus from a grammar and a seed.

A small network that has only hours on two cores learns the sound of a word by hearing it
many times between different neighbours. So the sentences come from a grammar of everyday
English (language/), and each new sentence is built around a word that was rare so far.
The same grammar, seed and count give the same sentences on every machine.
"""

import argparse
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from grammar import Grammar, words_of

HERE = Path(__file__).resolve().parent
LANGUAGE = sorted((HERE / "language").glob("*.txt"))
HELD_OUT = HERE / "held-out.txt"
VARIED = HERE / "varied.txt"
DEMO = HERE / "demo.txt"

SHORTEST, LONGEST = 4, 12
"""Words a sentence: long enough to be one, short enough to speak in about five seconds."""

LONGEST_LETTERS = 80
"""Symbols a sentence: long words make a sentence of few words long."""

NEAR = 2
"""A sentence that differs from a held-out one in so many words, or fewer, is not trained on."""

PATIENCE = 60
"""Sentences around a word that may fail before the word counts as used up."""

RARE_SHARE = 0.3
"""Of all words, the part that counts as rare: those used least so far."""

CANDIDATES = 6
"""Sentences drawn around a word; the one with the most rare words for its length is taken."""

REPEATABLE = frozenset(
    words_of(
        "a an the to of in on and at is are was were it i you he she we they my your his her our "
        "their that for not with will do did by as or but have has had so because one two three "
        "four five six seven eight nine hundred thousand million twenty thirty forty fifty"
    )
)
"""Words that may come twice in a sentence."""

_VOWEL = r"hour\b|hours\b|honest|(?!one\b|once\b|uni[^nm]|us[eu]|euro)[aeiou]"


def read_sentences(path: Path) -> list[str]:
    """Return the sentences of a plain text file, one a line; empty lines do not count."""
    return [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]


def polish(sentence: str) -> str:
    """Start with a capital and say `an` before a vowel, as a person would write it."""
    sentence = re.sub(rf"\b([Aa])n? (?={_VOWEL})", r"\1n ", sentence, flags=re.IGNORECASE)
    return sentence[0].upper() + sentence[1:]


def is_good(sentence: str) -> bool:
    """Tell whether the length fits and no content word comes twice."""
    words = words_of(sentence)
    if not SHORTEST <= len(words) <= LONGEST or len(sentence) > LONGEST_LETTERS:
        return False
    return {word for word, times in Counter(words).items() if times > 1} <= REPEATABLE


def nearness(words: Sequence[str], others: Iterable[Sequence[str]]) -> int:
    """Return in how many places the words differ from the nearest of as many other words.

    Sentences of another length do not count; with none to compare, the length plus one.
    """
    return min(
        (
            sum(mine != theirs for mine, theirs in zip(words, other, strict=True))
            for other in others
            if len(other) == len(words)
        ),
        default=len(words) + 1,
    )


class Balance:
    """How often each word of a grammar came so far, and which of them are rare."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.counts: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()

    def open_words(self) -> list[str]:
        """Return the words for which new sentences were still found, the rarest first."""
        words = [word for word in self.grammar.words if self.failures[word] < PATIENCE]
        return sorted(words, key=lambda word: self.counts[word])

    def need(self, sentence: str) -> float:
        """Return how much a sentence helps the rare words, for its length.

        Each word counts 1 / (1 + how often it came). The 2 in the divisor keeps sentences
        of the shortest length from always being the best.
        """
        words = words_of(sentence)
        return sum(1 / (1 + self.counts[word]) for word in words) / (len(words) + 2)

    def rare(self) -> tuple[list[str], int]:
        """Return the rarest words, to build sentences around, and the bits of all rare words."""
        words = self.open_words()
        level = self.counts[words[int(RARE_SHARE * len(words))]] if words else 0
        rarest = [word for word in words if self.counts[word] <= self.counts[words[0]] + 1]
        bits = 0
        for word in words:
            if self.counts[word] <= level:
                bits |= self.grammar.bit(word)
        return rarest, bits


def generate(
    grammar: Grammar,
    count: int,
    seed: int,
    without: Sequence[str] = (),
    far_from: Sequence[str] = (),
) -> list[str]:
    """Return `count` distinct sentences, balanced over the words of the grammar.

    None of them is in `without`, and none differs from a sentence `far_from` in `NEAR` words
    or fewer. Each is built around one of the words used least so far; what else it holds
    leans to rare words too. ValueError if the grammar is too small.
    """
    draw = random.Random(seed)  # noqa: S311 - repeatable on purpose, guards no secret
    balance = Balance(grammar)
    spoken = {tuple(words_of(sentence)) for sentence in without}
    distant = [tuple(words_of(sentence)) for sentence in far_from]
    sentences: list[str] = []
    rarest, rare = balance.rare()
    for attempt in range(20 * count + 1000):
        if len(sentences) == count:
            return sentences
        if attempt % 25 == 0:
            rarest, rare = balance.rare()
        target = draw.choice(rarest or [""])
        bit = grammar.bit(target) if target else 0
        drawn = [polish(grammar.expand("sentence", bit, rare, draw)) for _ in range(CANDIDATES)]
        new = [text for text in drawn if is_good(text) and tuple(words_of(text)) not in spoken]
        new = [text for text in new if nearness(words_of(text), distant) > NEAR]
        if not new:
            balance.failures[target] += 1
            continue
        sentence = max(new, key=balance.need)
        spoken.add(tuple(words_of(sentence)))
        balance.counts.update(words_of(sentence))
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
        description="Make the training sentences of the demo voice, then sixty more varied ones.",
        epilog="Example: python assets/recipe/sentences.py --count 9000 --out sentences.txt",
    )
    parser.add_argument("--count", type=int, default=9000, help="sentences from the grammar")
    parser.add_argument("--seed", type=int, default=2018, help="another seed, other sentences")
    parser.add_argument("--out", type=Path, help="write here (default: standard output)")
    options = parser.parse_args(arguments)
    varied = read_sentences(VARIED)
    grammar = Grammar.read(LANGUAGE)
    far_from = read_sentences(HELD_OUT)
    sentences = generate(grammar, options.count, options.seed, varied, far_from) + varied
    text = "\n".join(sentences) + "\n"
    if options.out:
        options.out.write_text(text, "utf-8")
    else:
        sys.stdout.write(text)
    print(summary(sentences), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
