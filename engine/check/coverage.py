"""Which characters and sounds a corpus lets a voice hear, against English at large."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from engine.check.english import PAIRS, SHARES
from engine.check.phonemes import of_word, spoken_words
from engine.check.report import Coverage, Finding, Severity
from engine.data.clips import METADATA
from engine.text.vocabulary import Vocabulary

# A phoneme is rare below this part of its share in English, where that would let the corpus have
# it this many times: fewer may be missing by chance.
_RARE = 0.3
_EXPECTED = 5.0
# Below this share of English's pairs a voice meets many for the first time when it speaks.
_FEW_PAIRS = 0.8
# A corpus with fewer letters is not asked for every sound.
_LETTERS = 2000
# Words in which a person hears the sounds.
_HEARD_IN = (
    "AA=odd AE=at AH=hut AO=law AW=cow AY=hide B=be CH=cheese D=dee DH=that EH=red ER=hurt "
    "EY=ate F=fee G=green HH=he IH=it IY=eat JH=joy K=key L=lee M=me N=knee NG=ping OW=oat "
    "OY=toy P=pea R=read S=sea SH=she T=tea TH=thin UH=hood UW=two V=vee W=we Y=yes Z=zoo "
    "ZH=measure"
)
_EXAMPLES = dict(entry.split("=") for entry in _HEARD_IN.split())


def coverage(texts: Sequence[str], vocabulary: Vocabulary) -> Coverage:
    """Count the symbols and, of an English voice, the phonemes of cleaned transcripts."""
    counted = Counter(symbol for text in texts for symbol in text)
    # P and E are none that a text could have.
    characters = {symbol: counted[symbol] for symbol in vocabulary.symbols[2:] if symbol != " "}
    absent = tuple(symbol for symbol, count in characters.items() if not count)
    if vocabulary.cleaner != "english":
        return Coverage(characters, absent, {}, (), None)
    phonemes, pairs = _count_sounds(texts)
    total = phonemes.total()
    shares = {name: 100 * phonemes[name] / total if total else 0.0 for name in SHARES}
    rare = [
        name
        for name, usual in SHARES.items()
        if not phonemes[name] or (shares[name] < _RARE * usual and total * usual / 100 >= _EXPECTED)
    ]
    rare.sort(key=lambda name: (shares[name] / SHARES[name], name))
    met = sum(share for pair, share in PAIRS.items() if pairs[pair])
    return Coverage(characters, absent, shares, tuple(rare), met / sum(PAIRS.values()))


def _count_sounds(texts: Iterable[str]) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """How often a corpus has each phoneme, and each pair of them inside a word."""
    words = Counter(word for text in texts for word in spoken_words(text))
    phonemes: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for word, count in words.items():
        sounds = of_word(word)
        for sound in sounds:
            phonemes[sound] += count
        for pair in pairwise(sounds):
            pairs[pair] += count
    return phonemes, pairs


def coverage_findings(coverage: Coverage) -> list[Finding]:
    """Tell which letters and sounds a voice trained on this would never or hardly have heard.

    A corpus without any transcript is told elsewhere; one of a few sentences is not asked for
    the sounds that would take more.
    """
    letters = sum(count for symbol, count in coverage.characters.items() if symbol.isalpha())
    if not letters:
        return []
    findings = []
    absent = [symbol for symbol in coverage.absent_characters if symbol.isalpha()]
    marks = [symbol for symbol in coverage.absent_characters if not symbol.isalpha()]
    severity: Severity = "warning" if letters >= _LETTERS else "note"
    if absent:
        findings.append(
            _finding("absent-letters", severity, absent, "record texts with words that have them")
        )
    if marks:
        advice = "record some sentences with them, if they shall change how the voice speaks"
        findings.append(_finding("absent-marks", "note", [f"“{mark}”" for mark in marks], advice))
    if letters < _LETTERS:
        return findings
    silent = [name for name in coverage.rare_phonemes if not coverage.phonemes[name]]
    faint = [name for name in coverage.rare_phonemes if coverage.phonemes[name]]
    advice = "record some sentences with such words"
    if silent:
        findings.append(_finding("absent-sounds", "warning", list(map(_sound, silent)), advice))
    if faint:
        findings.append(_finding("rare-sounds", "note", list(map(_sound, faint)), advice))
    if coverage.pairs is not None and coverage.pairs < _FEW_PAIRS:
        findings.append(
            Finding(
                kind="few-pairs",
                severity="note",
                line=None,
                clip_id="",
                file=METADATA,
                figure=f"{coverage.pairs:.0%} of English's pairs of sounds occur",
                advice="record more varied sentences",
                value=coverage.pairs,
            )
        )
    return findings


def _sound(phoneme: str) -> str:
    return f"{phoneme} as in {_EXAMPLES[phoneme]}"


def _finding(kind: str, severity: Severity, things: Sequence[str], advice: str) -> Finding:
    figure = ", ".join(things)
    return Finding(kind, severity, None, "", METADATA, figure, advice, float(len(things)))
