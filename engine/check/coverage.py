"""Which letters and letter pairs of English a corpus has, for a network that reads letters."""

import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from engine.check.kinds import finding
from engine.check.report import Coverage, Finding, Severity, UnknownCharacter
from engine.text.mapping import listed_symbols
from engine.text.plain import alphabet
from engine.text.unknown import name_of
from engine.text.vocabulary import Vocabulary

# How often each letter follows another inside English words, in hundredths of a percent of all
# letter pairs; pairs rarer than 0.015 % are left out, 0.6 % of all. Source: the unigram
# probabilities of the American English language model of CMU Sphinx (`en-us.lm.bin` in
# pocketsphinx 5) for the words of its dictionary.
_PAIR_TABLE = """
a: n205 t149 r97 l92 s83 y41 c36 d34 v34 i32 m29 b25 h22 g17 k17 u16 p14 f7 w6 z2
b: e66 u34 o26 a22 l19 i11 r8 y8 s3
c: o58 a56 h45 e43 t27 k20 i15 r10 l10 u9 c4 y2
d: e50 o50 i35 a17 r16 s12 u7 y7 n6 d5 l3 g2
e: r180 n127 a101 s97 d86 l52 t52 e51 c35 y34 v33 m29 i20 x15 o14 p12 w12 f11 g7 b3 k3 h2 q2
f: o50 i31 e21 r19 f15 a15 t10 u10 l4
g: e39 h36 o35 r14 a13 i12 u10 s7 l4 n4 g3 y2
h: e302 a152 i89 o67 t25 u15 r10 y5 s2
i: n245 t133 s95 c43 l41 d38 o38 g33 r28 f28 m28 e28 k24 v24 a14 p5 x5 b5 z3
j: u18 o6 e3 a2
k: e50 n27 i21 s7 a4
l: l87 e75 i70 y50 a40 o38 d36 s13 t7 u7 k5 f5 p3 v3 w2 m2
m: e91 a45 o35 i26 y18 p15 u10 s6 b6 m6
n: d147 g115 e82 t79 o76 i30 s29 c22 a21 k18 y15 n9 l7 u6 f4 v3 m2
o: u184 n151 r114 f71 w62 m56 t55 o34 l31 p26 s25 d19 v17 i15 k15 b11 c9 h8 e6 g6 a4 y3
p: e45 l30 r28 o26 a23 p12 i11 u9 t5 h5 s4
q: u8
r: e193 i55 o53 a39 s38 t32 y26 d15 n12 k11 u10 r10 m8 l8 c8 g6 v4 p2 f2
s: t104 e84 o58 i41 a37 h32 s27 u21 p13 c10 n6 m5 k4 l4 y3 w2
t: h402 o120 e91 i77 a42 y29 r29 s23 t20 u19 w17 l10 c5 m2
u: s65 t64 r48 n43 l35 p17 g15 c15 e12 a10 m9 i7 d6 b5 y3 f3
v: e110 i18 a6 o5
w: a55 e55 h54 o40 i37 n8 s4 r3
x: t5 p5 a3 c2 i2
y: o84 e34 s11 i6 t4 b4
z: e4
"""
_ENTRY = re.compile(r"([a-z])(\d+)")
_PAIRS = {
    first + second: int(share)
    for first, entries in (
        line.split(": ") for line in _PAIR_TABLE.strip().replace("\n   ", " ").splitlines()
    )
    for second, share in _ENTRY.findall(entries)
}
_ALL = sum(_PAIRS.values())
# A pair is missing where a corpus of this size should have it so many times: fewer is chance.
_EXPECTED = 5.0
# Below this share of English's pairs a voice meets many for the first time when it speaks.
_FEW_PAIRS = 0.9
# Letters below which a corpus is too small to be asked for every pair.
_MIN_LETTERS = 2000
_MAX_LISTED = 12
# From this share of letters without a symbol on, and this number, they are no borrowed words.
_FOREIGN_SHARE, _FEW_LETTERS = 0.01, 8
# Symbols that can be learned one by one; Chinese characters, of which every text has others, can't.
_MAX_ALPHABET = 400
_MAX_SHOWN = 8


def measure_coverage(texts: Sequence[str], vocabulary: Vocabulary) -> Coverage:
    """Count the symbols and, for an English voice, the letter pairs of cleaned transcripts."""
    counted = Counter(symbol for text in texts for symbol in text)
    # The first two symbols are padding and end, which no text has.
    characters = {symbol: counted[symbol] for symbol in vocabulary.symbols[2:] if symbol != " "}
    absent = tuple(symbol for symbol, count in characters.items() if not count)
    if vocabulary.cleaner != "english":
        return Coverage(characters, absent, (), None)
    pairs = Counter(a + b for text in texts for a, b in pairwise(text))
    total = sum(count for pair, count in pairs.items() if pair.isalpha())
    missing = [
        pair for pair in _PAIRS if not pairs[pair] and total * _PAIRS[pair] / _ALL >= _EXPECTED
    ]
    missing.sort(key=lambda pair: -_PAIRS[pair])
    present = sum(share for pair, share in _PAIRS.items() if pairs[pair])
    return Coverage(characters, absent, tuple(missing), present / _ALL)


def language_findings(
    texts: Sequence[str], unknown: Sequence[UnknownCharacter], vocabulary: Vocabulary
) -> Iterator[Finding]:
    """Report that texts are in another language than the voice, and which symbols that needs."""
    letters = sum(map(str.isalpha, "".join(texts)))
    lost = [one for one in unknown if one.is_of_another_alphabet]
    count = sum(one.count for one in lost)
    share = count / max(letters, count, 1)
    if share < _FOREIGN_SHARE or count < _FEW_LETTERS:
        return
    symbols = alphabet(texts)
    shown = listed_symbols("".join(one.character for one in lost), _MAX_SHOWN)
    figure = f"the voice has no symbol for {max(share, 0.01):.0%} of the letters: {shown}"
    if len(symbols) > _MAX_ALPHABET or any("一" <= symbol <= "鿿" for symbol in symbols):
        advice = "write the texts as they are spoken, in an alphabet such as pinyin or kana"
    else:
        option = "" if vocabulary.cleaner == "plain" else "--cleaner plain "
        advice = (
            f"check, clean and train in the letters of these texts, and add any that they lack: "
            f"{option}--vocabulary {shlex.quote('PE ' + symbols)}"
        )
    yield finding("other-language", figure, share, advice=advice, harmful=share > 1 / 2)


def coverage_findings(coverage: Coverage) -> Iterator[Finding]:
    """Report letters, marks and letter pairs that a voice trained on this would never have read.

    A corpus without transcripts is reported elsewhere; one of a few sentences is not asked for
    letter pairs.
    """
    letters = sum(count for symbol, count in coverage.characters.items() if symbol.isalpha())
    if not letters:
        return
    large = letters >= _MIN_LETTERS
    # The signs of vowels are letters, too.
    absent = [c for c in coverage.absent_characters if unicodedata.category(c)[0] in "LM"]
    marks = [f"“{c}”" for c in coverage.absent_characters if c not in absent]
    missing = coverage.absent_pairs if large else ()
    if absent:
        severity: Severity = "warning" if large else "note"
        named = ", ".join(c if c.isalpha() else name_of(c) for c in absent)
        yield finding("absent-letters", named, float(len(absent)), severity)
    if marks:
        yield finding("absent-marks", ", ".join(marks), float(len(marks)))
    if missing:
        figure = ", ".join(missing[:_MAX_LISTED])
        if len(missing) > _MAX_LISTED:
            figure += f" and {len(missing) - _MAX_LISTED} more"
        yield finding("absent-pairs", figure, float(len(missing)))
    if large and coverage.pairs is not None and coverage.pairs < _FEW_PAIRS:
        figure = f"only {coverage.pairs:.0%} of English letter pairs occur"
        yield finding("few-pairs", figure, coverage.pairs)
