"""Transcripts that nobody can have spoken as they are written, checked one by one."""

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from engine.check.encoding import character_finding
from engine.check.kinds import finding
from engine.check.report import Finding
from engine.data.clips import Limits
from engine.formatting import JOINERS, printable
from engine.text.unknown import words_of_other_scripts
from engine.text.vocabulary import Vocabulary

# A text so many times longer than the limit is not cleaned to count its symbols.
_HOPELESS, _MAX_QUOTED = 20, 40
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# What transcribers write for sounds that are no words; not an aside in round brackets, which is
# spoken: (he laughed, and left), (a foreign power).
_NO_WORDS = re.compile(
    r"(?!\((?:[^()]*[.,;:?!]|(?:an?|the|and|but|or|of|in|on|to|with|for|as|at|by|from|his|her|their|"
    r"its|i|he|she|it|we|you|they|who|which|that|when|where|while|after|before)\b))"
    r"[\[({<*#]{1,2}\s*(?:[a-z0-9 ]{0,20}\b)?"
    r"(?:inaudible|unintelligible|indistinct|unclear|laugh\w*|chuckl\w*|giggl\w*|cough\w*|sigh\w*|"
    r"sneez\w*|sniff\w*|breath\w*|inhal\w*|exhal\w*|gasp\w*|groan\w*|mumbl\w*|whisper\w*|"
    r"cries|crying|sobs?|sobbing|music|noise|silence|pause|applause|cheer\w*|crosstalk|"
    r"cross-talk|overlap\w*|background|static|beep|click|redacted|foreign|clears throat|unk|"
    r"spoken_noise|vocalized-noise)\b[^\])}>*\n]{0,20}[\])}>*]{1,2}",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,80}>|<!--.{0,200}?-->")
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,10}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});")
# A whole text in brackets, and a remark after the end of a sentence or with its name: in round
# brackets, where a sentence may be spoken, only what is no sentence.
_REMARK = re.compile(
    r"\s*(?:\[[^\[\]]*\]|\{[^{}]*\}|<[^<>]*>|\((?!(?:[^()]*[.?!…,;:—])[\"'”’»]*\))[^()]*\))\s*"
)
_LATER_REMARK = re.compile(
    r"(?<=[.?!…])[\"'”’»]*\s*(\((?=[a-z])[^()]*[^()\s.?!…,;:—]\))\s*$|"
    r"(\((?:note|editor|sic|translator)\b[^()]*\))",
)
# What a mark stands for, beside its name: at [@].
_MARK_IN_BRACKETS = re.compile(r"\[[^\w\[\]]{1,3}\]")
_BRACKETED = re.compile(r"\[[^\]]{0,60}\]|\{[^}]{0,60}\}")
_REPEATED = re.compile(r"\b([^\W\d_]+(?:['’][^\W\d_]+)?)\s+\1\b", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"#?n/a|nan|null|todo|tbd|tba|x{2,}|\?{2,}|-{2,}|#\w+[!?]|text", re.I)
# Words that good English repeats, numbers among them.
_DOUBLED = re.compile(
    "that|had|very|so|no|yes|ha|ho|he|well|long|many|now|there|come|oh|bye|far|again|never|on|out|"
    "is|do|her|more|much|really|too|you|what|who|where|why|go|one|two|three|four|five|six|seven|"
    "eight|nine|zero|hundred|hear|knock|tick|tut|please|wait|night|boo|la|blah|hush|in|up",
    re.IGNORECASE,
)
# No common English word is longer: a longer one has lost its spaces.
_LONGEST_WORD = 24
# What should not match anywhere in a text, and what it is where it does.
_PATTERNS = {
    "escape": (
        re.compile(r"\\(?:[nrt\"']|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2})"),
        "is an escape sequence",
    ),
    "time-stamp": (
        re.compile(r"\b\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?|\b\d{1,2}:\d{2}[.,]\d+|-->"),
        "looks like the time stamp of a subtitle",
    ),
    "speaker-label": (
        re.compile(r"^(?:[A-Z][A-Z .'-]{1,25}|(?i:speaker) ?[A-Z0-9]{1,2}):\s"),
        "looks like the name of a speaker",
    ),
}
LEAVE_OUT = ("unreadable-text", "text-too-long")
"""Kinds of findings for which training leaves a clip out because of its text."""


def text_findings(
    clip_id: str, raw: str, text: str, vocabulary: Vocabulary, limits: Limits
) -> list[Finding]:
    """What is wrong with the transcript of one clip, without its place.

    `raw` is the field after the id and `text` what training reads: the same where there is no
    other field. What does not change what the voice reads is not reported.
    """
    transcript = _Transcript(clip_id, raw, text, vocabulary)
    if unusable := _unusable(transcript, limits):
        return [unusable]
    return [found for check in _CHECKS for found in check(transcript)]


@dataclass(frozen=True)
class _Transcript:
    """A text with what several checks need."""

    clip_id: str
    raw: str
    text: str
    vocabulary: Vocabulary

    @property
    def english(self) -> bool:
        return self.vocabulary.cleaner == "english"

    @cached_property
    def cleaned(self) -> str:
        return self.vocabulary.clean(self.text)

    @cached_property
    def words(self) -> list[str]:
        return _words(self.text)

    def says_more_than(self, other: str) -> bool:
        """Whether the voice reads other words in the text than in this one."""
        return _words(self.vocabulary.clean(other)) != _words(self.cleaned)

    def matters(self, without: str) -> bool:
        """Whether the voice reads the text differently from this one."""
        return self.vocabulary.clean(without) != self.cleaned


def _words(text: str) -> list[str]:
    return [word.casefold().replace("’", "'") for word in _WORD.findall(text)]


def _unusable(transcript: _Transcript, limits: Limits) -> Finding | None:
    characters = len(" ".join(transcript.text.split()))
    if characters <= _HOPELESS * limits.max_characters:
        if not transcript.cleaned:
            return finding("unreadable-text", f"none of {_quoted(transcript.text)} can be read")
        characters = len(transcript.cleaned) + 1  # the end of a sentence is a symbol, too
    if characters <= limits.max_characters:
        return None
    figure = f"{characters:,} characters; the limit is {limits.max_characters}"
    return finding("text-too-long", figure, float(characters))


def _nothing_to_say(transcript: _Transcript) -> Iterator[Finding]:
    quoted = _quoted(transcript.text)
    if not any(map(str.isalnum, transcript.cleaned)):
        yield finding("no-words", f"{quoted} contains nothing to speak")
    name = transcript.clip_id.rsplit("/", 1)[-1].casefold()
    if _PLACEHOLDER.fullmatch(transcript.text):
        yield finding("placeholder", f"{quoted} is a placeholder")
    elif transcript.text.casefold() in (name, f"{name}.wav", f"{name}.flac") and not name.isalpha():
        yield finding("text-is-id", f"the text is the id {quoted}")


def _characters(transcript: _Transcript) -> Iterator[Finding]:
    if found := character_finding(transcript.text):
        yield found
    for column, character in enumerate(transcript.text, start=1):
        category = unicodedata.category(character)
        # A zero byte is reported with its line; joiners shape letters in some scripts.
        if category in ("Cc", "Cf", "Co", "Cn", "Zl", "Zp") and character not in "\t\0" + JOINERS:
            kind = "control-character" if category == "Cc" else "invisible-character"
            figure = f"U+{ord(character):04X} as character {column} of the text"
            yield finding(kind, figure, float(column))
            return


def _annotation(transcript: _Transcript) -> Iterator[Finding]:
    if _REMARK.fullmatch(transcript.text):
        yield finding("annotation", f"{_quoted(transcript.text)} is not spoken")
        return
    for pattern in (_NO_WORDS, _LATER_REMARK, _MARK_IN_BRACKETS):
        found = pattern.search(transcript.text)
        if found and transcript.says_more_than(pattern.sub(" ", transcript.text)):
            yield finding("annotation", f"{_quoted(found.group().strip())} is not spoken")
            return


def _markup(transcript: _Transcript) -> Iterator[Finding]:
    text = _NO_WORDS.sub(" ", transcript.text)
    if found := _TAG.search(text):
        without, what, advice = _TAG.sub(" ", transcript.text), "markup", ""
    elif found := _ENTITY.search(text):
        without, what = html.unescape(transcript.text), "an HTML entity"
        advice = "write the character that it stands for"
    if found and without != transcript.text:
        figure = f"{_quoted(found.group())} is {what}"
        yield finding("markup", figure, harmful=transcript.matters(without), advice=advice)


def _brackets(transcript: _Transcript) -> Iterator[Finding]:
    text = transcript.text
    for pattern in (_NO_WORDS, _LATER_REMARK, _MARK_IN_BRACKETS):
        text = pattern.sub(" ", text)
    found = None if _REMARK.fullmatch(text) else _BRACKETED.search(text)
    if found and transcript.matters(transcript.text.replace(found.group(), " ")):
        yield finding("bracketed", f"{_quoted(found.group())} in brackets")


def _patterns(transcript: _Transcript) -> Iterator[Finding]:
    for kind, (pattern, what) in _PATTERNS.items():
        if match := pattern.search(transcript.text):
            yield finding(kind, f"{_quoted(match.group().strip())} {what}")


def _digits(transcript: _Transcript) -> Iterator[Finding]:
    lost = transcript.vocabulary.unknown(transcript.text)
    digits = "".join(c for c in dict.fromkeys(transcript.text) if c.isdigit() and c in lost)
    if digits:
        yield finding("unread-digits", f"the voice cannot read {_quoted(digits)}")


def _capitals(transcript: _Transcript) -> Iterator[Finding]:
    letters = sum(map(str.isalpha, transcript.text))
    if not transcript.text.isupper() or letters < 8 or len(transcript.words) < 2:
        return
    figure = f"{_quoted(transcript.text)} is all in capitals"
    if transcript.matters(transcript.text.lower()):
        advice = "write it in lower case: words in capitals are read as abbreviations"
        yield finding("all-capitals", figure, severity="warning", advice=advice)
    else:
        yield finding("all-capitals", figure)


def _repeated(transcript: _Transcript) -> Iterator[Finding]:
    words = transcript.words
    half = len(words) // 2
    if len(words) % 2 == 0 and half >= 3 and words[:half] == words[half:]:
        yield finding("repeated-text", f"the text says {_quoted(' '.join(words[:half]))} twice")
    elif transcript.english:
        for found in _REPEATED.finditer(transcript.text):
            if not _DOUBLED.fullmatch(found.group(1)):
                yield finding("repeated-word", f"{_quoted(found.group())} in the text")
                return


def _script(transcript: _Transcript) -> Iterator[Finding]:
    """Letters of several scripts in one word, or of another script than the voice's."""
    for word in [] if transcript.text.isascii() else _WORD.findall(transcript.text):
        scripts = {unicodedata.name(c, "UNNAMED").split(" ")[0] for c in word if c.isalpha()}
        if len(scripts & {"LATIN", "CYRILLIC", "GREEK"}) > 1:
            figure = f"{_quoted(word)} mixes letters of different alphabets that look alike"
            yield finding("mixed-alphabets", figure)
            return
    if transcript.english and (foreign := words_of_other_scripts(transcript.text)):
        mostly = 2 * len(foreign) > len(transcript.text.split())
        read = transcript.vocabulary.clean(foreign[0])
        figure = f"{_quoted(foreign[0])} is not in Latin letters; it is read as {_quoted(read)}"
        yield finding("other-script", figure, harmful=mostly)


def _long_word(transcript: _Transcript) -> Iterator[Finding]:
    longest = max(transcript.words, key=len, default="")
    if transcript.english and len(longest) > _LONGEST_WORD:
        figure = f"{_quoted(longest)} is {len(longest)} letters long"
        yield finding("long-word", figure, float(len(longest)))


def _columns(transcript: _Transcript) -> Iterator[Finding]:
    """Whether the words of the two text fields have next to nothing in common."""
    raw, text = transcript.raw, transcript.text
    # Short words next to digits or full stops may be abbreviations, written out in the other.
    shortest = 4 if re.search(r"\d|\.\S", raw) else 2
    words = [word for word in _words(raw) if len(word) >= shortest and word != "dr"]
    if raw == text or len(words) < 2:
        return
    shared = max(
        _shared_in_order(words, spoken)
        for spoken in (transcript.words, transcript.cleaned.replace(",", "").split())
    )
    if shared <= 0.34 and (shared == 0 or len(words) >= 3):
        figure = f"{_quoted(raw)} is normalised as {_quoted(text)}"
        yield finding("columns-differ", figure, round(shared, 3))


def _shared_in_order(words: list[str], spoken: list[str]) -> float:
    """Share of the words that are spoken in their order: any two texts share "of" and "the"."""
    blocks = SequenceMatcher(None, words, spoken, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(words)


def _csv_quotes(transcript: _Transcript) -> Iterator[Finding]:
    text = transcript.raw
    if len(text) > 2 and text[0] == text[-1] == '"' and '""' in text[1:-1]:
        yield finding("csv-quotes", f"{_quoted(text)} is in CSV quotes", severity="warning")


_CHECKS = (
    *(_nothing_to_say, _characters, _annotation, _markup, _brackets, _patterns),
    *(_digits, _capitals, _repeated, _script, _long_word, _columns, _csv_quotes),
)


def _quoted(text: str) -> str:
    return f"“{printable(text, _MAX_QUOTED)}”"
