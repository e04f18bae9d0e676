"""Transcripts that nobody can have spoken as they are written, checked one by one."""

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cached_property, partial

from engine.check.encoding import character_fault
from engine.check.report import Fault, Severity
from engine.data.clips import Limits
from engine.formatting import printable
from engine.text.vocabulary import Vocabulary

# A text so many times longer than the limit is not cleaned to count its symbols.
_HOPELESS = 20
_MAX_QUOTED = 40
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# What transcribers write for sounds that are no words.
_NO_WORDS = re.compile(
    r"[\[({<*#]{1,2}\s*(?:[a-z ]{0,20}\b)?"
    r"(?:inaudible|unintelligible|indistinct|unclear|laugh\w*|chuckl\w*|giggl\w*|cough\w*|sigh\w*|"
    r"sneez\w*|sniff\w*|breath\w*|inhal\w*|exhal\w*|gasp\w*|groan\w*|mumbl\w*|whisper\w*|"
    r"cries|crying|sobs?|sobbing|music|noise|silence|pause|applause|cheer\w*|crosstalk|"
    r"cross-talk|overlap\w*|background|static|beep|click|redacted|foreign|clears throat|unk|"
    r"spoken_noise|vocalized-noise)\b[^\])}>*\n]{0,20}[\])}>*]{1,2}",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,80}>|<!--.{0,200}?-->")
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,10}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});")
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


def text_faults(
    clip_id: str, raw: str, text: str, vocabulary: Vocabulary, limits: Limits
) -> list[Fault]:
    """What is wrong with the transcript of one clip.

    `raw` is the field after the id and `text` what training reads: the same where there is no
    other field. A fault that does not change what the voice reads is not reported.
    """
    transcript = _Transcript(clip_id, raw, text, vocabulary)
    unusable = _unusable(transcript, limits)
    if unusable:
        return [unusable]
    return [fault for check in _CHECKS if (fault := check(transcript))]


def is_left_out(fault: Fault) -> bool:
    """Whether training leaves a clip out because of this fault of its text."""
    return fault.kind in (_UNREADABLE, _TOO_LONG)


_UNREADABLE = "unreadable-text"
_TOO_LONG = "text-too-long"


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

    def matters(self, without: str) -> bool:
        """Whether the voice reads the text differently from this one."""
        return self.vocabulary.clean(without) != self.cleaned


def _words(text: str) -> list[str]:
    return [word.casefold().replace("’", "'") for word in _WORD.findall(text)]


def _unusable(transcript: _Transcript, limits: Limits) -> Fault | None:
    shorten = "cut the recording and its text at a pause, into separate clips"
    limit = limits.max_characters
    characters = len(" ".join(transcript.text.split()))
    if characters <= _HOPELESS * limit:
        if not transcript.cleaned:
            figure = f"none of {_quoted(transcript.text)} can be read"
            advice = "write what is spoken in the voice's letters, or delete the line"
            return Fault(_UNREADABLE, "error", figure, advice)
        characters = len(transcript.cleaned) + 1  # the end of a sentence is a symbol, too
    if characters <= limit:
        return None
    figure = f"{characters:,} characters; the limit is {limit}"
    return Fault(_TOO_LONG, "error", figure, shorten, float(characters))


def _no_words(transcript: _Transcript) -> Fault | None:
    if any(map(str.isalnum, transcript.cleaned)):
        return None
    figure = f"{_quoted(transcript.text)} contains nothing to speak"
    return Fault("no-words", "error", figure, "write what is spoken, or delete the line")


def _placeholder(transcript: _Transcript) -> Fault | None:
    text = transcript.text
    if _PLACEHOLDER.fullmatch(text):
        figure = f"{_quoted(text)} is a placeholder"
        return Fault("placeholder", "error", figure, "write what is spoken, or delete the line")
    name = transcript.clip_id.rsplit("/", 1)[-1].casefold()
    if text.casefold() in (name, name + ".wav", name + ".flac") and not name.isalpha():
        return Fault("text-is-id", "error", f"the text is the id {_quoted(text)}", "write the text")
    return None


def _control(transcript: _Transcript) -> Fault | None:
    for column, character in enumerate(transcript.text, start=1):
        category = unicodedata.category(character)
        # A zero byte is reported with its line; joiners shape letters in some scripts.
        if category not in ("Cc", "Cf", "Co", "Cn", "Zl", "Zp") or character in "\t\0\u200c\u200d":
            continue
        kind = "control-character" if category == "Cc" else "invisible-character"
        figure = f"U+{ord(character):04X} as character {column} of the text"
        return Fault(kind, "warning", figure, "delete the invisible character", float(column))
    return None


def _annotation(transcript: _Transcript) -> Fault | None:
    found = _NO_WORDS.search(transcript.text)
    if not found or not transcript.matters(_NO_WORDS.sub(" ", transcript.text)):
        return None
    advice = "write only what is spoken; leave out clips in which something else is heard"
    return Fault("annotation", "error", f"{_quoted(found.group())} is not spoken", advice)


def _markup(transcript: _Transcript) -> Fault | None:
    text = _NO_WORDS.sub(" ", transcript.text)
    if found := _TAG.search(text):
        without, what = _TAG.sub(" ", transcript.text), "markup"
        advice = "leave tags out of the text"
    else:
        found = _ENTITY.search(text)
        without, what = html.unescape(transcript.text), "an HTML entity"
        advice = "write the character that it stands for"
    if not found or without == transcript.text:
        return None
    severity: Severity = "error" if transcript.matters(without) else "note"
    return Fault("markup", severity, f"{_quoted(found.group())} is {what}", advice)


def _brackets(transcript: _Transcript) -> Fault | None:
    found = _BRACKETED.search(_NO_WORDS.sub(" ", transcript.text))
    if not found or not transcript.matters(transcript.text.replace(found.group(), " ")):
        return None
    advice = "delete the brackets if it is spoken, and all of it if not"
    return Fault("bracketed", "warning", f"{_quoted(found.group())} in brackets", advice)


def _matched(transcript: _Transcript, found: tuple[re.Pattern[str], Fault]) -> Fault | None:
    pattern, fault = found
    match = pattern.search(transcript.text)
    if not match:
        return None
    return replace(fault, figure=f"{_quoted(match.group().strip())} {fault.figure}")


def _digits(transcript: _Transcript) -> Fault | None:
    lost = transcript.vocabulary.unknown(transcript.text)
    digits = "".join(c for c in dict.fromkeys(transcript.text) if c.isdigit() and c in lost)
    if not digits:
        return None
    figure = f"the voice cannot read {_quoted(digits)}"
    return Fault("unread-digits", "warning", figure, "write numbers out as words")


def _capitals(transcript: _Transcript) -> Fault | None:
    letters = sum(map(str.isalpha, transcript.text))
    if not transcript.text.isupper() or letters < 8 or len(transcript.words) < 2:
        return None
    figure = f"{_quoted(transcript.text)} is all in capitals"
    if transcript.matters(transcript.text.lower()):
        advice = "write it in lower case: words in capitals are read as abbreviations"
        return Fault("all-capitals", "warning", figure, advice)
    return Fault("all-capitals", "note", figure, "nothing to do: it is read like any other text")


def _repeated(transcript: _Transcript) -> Fault | None:
    advice = "delete what is not spoken twice"
    words = transcript.words
    half = len(words) // 2
    if len(words) % 2 == 0 and half >= 3 and words[:half] == words[half:]:
        figure = f"the text says {_quoted(' '.join(words[:half]))} twice"
        return Fault("repeated-text", "warning", figure, advice)
    if transcript.english:
        for found in _REPEATED.finditer(transcript.text):
            if not _DOUBLED.fullmatch(found.group(1)):
                figure = f"{_quoted(found.group())} in the text"
                return Fault("repeated-word", "warning", figure, advice)
    return None


def _script(transcript: _Transcript) -> Fault | None:
    """Letters of several scripts in one word, or of another script than the voice's."""
    if transcript.text.isascii():
        return None
    foreign = []
    for word in _WORD.findall(transcript.text):
        scripts = {unicodedata.name(c, "UNNAMED").split(" ")[0] for c in word if c.isalpha()}
        if len(scripts & {"LATIN", "CYRILLIC", "GREEK"}) > 1:
            figure = f"{_quoted(word)} mixes letters of different alphabets that look alike"
            return Fault("mixed-alphabets", "warning", figure, "type the word again")
        if scripts - {"LATIN", "FEMININE", "MASCULINE"}:
            foreign.append(word)
    if not foreign or not transcript.english:
        return None
    mostly = 2 * len(foreign) > len(transcript.words)
    figure = f"{_quoted(foreign[0])} is not in Latin letters"
    advice = "write it in Latin letters as it is spoken, or leave the clip out"
    return Fault("other-script", "error" if mostly else "warning", figure, advice)


def _long_word(transcript: _Transcript) -> Fault | None:
    longest = max(transcript.words, key=len, default="")
    if not transcript.english or len(longest) <= _LONGEST_WORD:
        return None
    figure = f"{_quoted(longest)} is {len(longest)} letters long"
    advice = "restore the missing spaces"
    return Fault("long-word", "warning", figure, advice, float(len(longest)))


def _columns(transcript: _Transcript) -> Fault | None:
    """Whether the words of the two text fields have next to nothing in common."""
    raw, text = transcript.raw, transcript.text
    if raw == text or not raw:
        return None
    # Short words next to digits or full stops may be abbreviations, written out in the other.
    shortest = 4 if re.search(r"\d|\.\S", raw) else 2
    words = [word for word in _words(raw) if len(word) >= shortest and word != "dr"]
    if len(words) < 2:
        return None
    shared = max(
        _shared_in_order(words, spoken)
        for spoken in (transcript.words, transcript.cleaned.replace(",", "").split())
    )
    if shared > 0.34 or (shared > 0 and len(words) < 3):
        return None
    figure = f"{_quoted(raw)} is normalised as {_quoted(text)}"
    advice = "check whether a column moved: both texts of a line must say the same"
    return Fault("columns-differ", "error", figure, advice, round(shared, 3))


def _shared_in_order(words: list[str], spoken: list[str]) -> float:
    """Share of the words that are spoken in their order: any two texts share "of" and "the"."""
    blocks = SequenceMatcher(None, words, spoken, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(words)


def _csv_quotes(transcript: _Transcript) -> Fault | None:
    text = transcript.raw
    if not (len(text) > 2 and text[0] == text[-1] == '"' and '""' in text[1:-1]):
        return None
    advice = "write the file without quoting: quotes are text here"
    return Fault("csv-quotes", "warning", f"{_quoted(text)} is in CSV quotes", advice)


_UNLESS_SPOKEN = "delete it unless it is spoken"
# What should not match anywhere in a text, and what is wrong where it does.
_PATTERNS = (
    (
        re.compile(r"\\(?:[nrt\"']|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2})"),
        Fault(
            "escape",
            "error",
            "is an escape sequence",
            "write the character that it stands for, or a space",
        ),
    ),
    (
        re.compile(r"\b\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?|\b\d{1,2}:\d{2}[.,]\d+|-->"),
        Fault("time-stamp", "warning", "looks like the time stamp of a subtitle", _UNLESS_SPOKEN),
    ),
    (
        re.compile(r"^(?:[A-Z][A-Z .'-]{1,25}|(?i:speaker) ?[A-Z0-9]{1,2}):\s"),
        Fault("speaker-label", "warning", "looks like the name of a speaker", _UNLESS_SPOKEN),
    ),
)
_CHECKS: tuple[Callable[[_Transcript], Fault | None], ...] = (
    *(_no_words, _placeholder, lambda transcript: character_fault(transcript.text), _control),
    *(_annotation, _markup, _brackets),
    *(partial(_matched, found=found) for found in _PATTERNS),
    *(_digits, _capitals, _repeated, _script, _long_word, _columns, _csv_quotes),
)


def _quoted(text: str) -> str:
    return f"“{printable(text, _MAX_QUOTED)}”"
