"""Transcripts that nobody can have spoken as they are written."""

import pytest

from engine.check.report import Finding
from engine.check.transcripts import text_findings
from engine.data.clips import Limits
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

ENGLISH = Vocabulary(BBC_SYMBOLS)
PLAIN = Vocabulary(BBC_SYMBOLS + "äöüß", "plain")


def findings(text: str, vocabulary: Vocabulary = ENGLISH, raw: str | None = None) -> list[Finding]:
    return text_findings("clip-1", text if raw is None else raw, text, vocabulary, Limits())


def kinds(text: str, vocabulary: Vocabulary = ENGLISH, raw: str | None = None) -> list[str]:
    return [one.kind for one in findings(text, vocabulary, raw)]


@pytest.mark.parametrize(
    "text",
    [
        "He said that that had had no effect.",
        "No no, very very well; “so so,” she said.",
        "Dr. Smith paid £5 on the 3rd of May 1999 (a Monday).",
        "The café’s naïve façade.",
        "IRMÃ…",
        "“VOILÀ”",
        "NASA and the BBC.",
        "It ended at 10:30.",
        "Question: who was it?",
        "He laughs, coughs and sighs in the silence.",
        "(He laughed, and went away.)",
        "It was a foreign power (a foreign power, mind you) that rose (and the noise with it).",
        "(which was the case) he went on. (It was on a Monday.)",
        "None.",
        "Add 5 * 3 & 7 < 20.",
        "Yes",
    ],
)
def test_good_english_has_no_fault(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize(
    ("text", "kind", "severity", "part"),
    [
        ("...", "unreadable-text", "error", "“...”"),
        ("nan", "placeholder", "error", "“nan”"),
        ("TODO", "placeholder", "error", "“TODO”"),
        ("clip-1", "text-is-id", "error", "the id"),
        ("Clip-1.wav", "text-is-id", "error", "the id"),
        ("And then [laughs] he left.", "annotation", "error", "“[laughs]”"),
        ("And then (inaudible) he left.", "annotation", "error", "“(inaudible)”"),
        ("And then *heavy breathing* he left.", "annotation", "error", "*heavy breathing*"),
        ("<unk> he left.", "annotation", "error", "<unk>"),
        ("[door slams]", "annotation", "error", "“[door slams]”"),
        ("(seven seconds of silence)", "annotation", "error", "silence"),
        ("(2 seconds of hiss, then a bell)", "annotation", "error", "hiss"),
        ("Press pound. (simple tone sound plays)", "annotation", "error", "“(simple tone"),
        ('IAX (note: does not say "2")', "annotation", "error", "“(note: does"),
        ("at [@]", "annotation", "error", "“[@]”"),
        ("It goes\\non and on.", "escape", "error", "\\n"),
        ("It\\u2019s late.", "escape", "error", "\\u2019"),
        ("He went to [name] then.", "bracketed", "warning", "“[name]”"),
        ("00:01:12,123 --> and so on.", "time-stamp", "warning", "00:01:12,123"),
        ("SPEAKER 2: Hello there.", "speaker-label", "warning", "SPEAKER 2:"),
        ("MARY: Hello there.", "speaker-label", "warning", "MARY:"),
        ("It was the the cat.", "repeated-word", "warning", "the the"),
        ("To be or not. To be or not.", "repeated-text", "warning", "“to be or not” twice"),
        ("It cost thefamilyoffiveandtheircatall they had.", "long-word", "warning", "29 letters"),
        ("Hello wоrld.", "mixed-alphabets", "warning", "“wоrld”"),
        ("He said привет to us.", "other-script", "warning", "“привет”"),
        ("Добрый день.", "other-script", "error", "“Добрый”"),
        ("It was caf\ufffd.", "lost-character", "error", "U+FFFD"),
        ("It was a cafÃ©.", "mangled-characters", "error", "'é'"),
        ("Donâ€™t go.", "mangled-characters", "error", "'’'"),
        ("Ring the bell\x07.", "control-character", "warning", "U+0007 as character 14"),
        ("Zero\u200bwidth.", "invisible-character", "warning", "U+200B as character 5"),
        ("Line\u2028separator.", "invisible-character", "warning", "U+2028"),
        ('"He said ""no"" twice."', "csv-quotes", "warning", "CSV"),
        ("THE WHOLE TEXT IS LOUD.", "all-capitals", "note", "in capitals"),
    ],
)
def test_faulty_text_is_reported(text: str, kind: str, severity: str, part: str) -> None:
    found = findings(text)
    assert [(one.kind, one.severity) for one in found] == [(kind, severity)]
    assert part in found[0].figure
    assert found[0].advice


@pytest.mark.parametrize("text", ["He <b>never</b> left.", "Tom &amp; Jerry.", "a &eacute; b"])
def test_markup_is_an_error_only_where_it_is_read(text: str) -> None:
    assert [(one.kind, one.severity) for one in findings(text)] == [("markup", "note")]
    assert [(one.kind, one.severity) for one in findings(text, PLAIN)] == [("markup", "error")]


def test_digits_that_cannot_be_read_are_reported() -> None:
    assert kinds("Das waren 25 Kühe.", PLAIN) == ["unread-digits"]
    assert kinds("Those were 25 cows.") == []


def test_punctuation_alone_is_no_text() -> None:
    assert kinds(". . .", PLAIN) == ["no-words"]
    assert kinds(". . .") == ["unreadable-text"]


def test_doubled_words_of_other_languages_are_fine() -> None:
    assert kinds("Nous nous levons, und die die da sind.", PLAIN) == []


def test_limit_of_characters() -> None:
    words = "la " * 59
    assert kinds(words + "la") == ["repeated-text"]
    assert kinds(words + "la la.") == ["text-too-long"]
    assert kinds("word " * 1000) == ["text-too-long"]
    assert kinds("~ ~~") == ["unreadable-text"]


@pytest.mark.parametrize(
    ("raw", "text", "differ"),
    [
        ("Dr. 5", "doctor five", False),
        ("Capt. Jones, 12 St. James St.", "captain jones, twelve saint james street", False),
        ("In 1845, 1846 & 1847.", "in eighteen forty five, and the years after.", False),
        ("The cat sat on the mat.", "the cat sat on a mat", False),
        ("The cat sat on the mat.", "Dogs barked all night long.", True),
        ("Nobody knew.", "He was late.", True),
        (
            "it is of the first importance that the letter used should be fine in form;",
            "The first books were printed in black letter, the letter which was a Gothic "
            "development of the ancient Roman character, and in use that is of the past.",
            True,
        ),
        ("", "He was late.", False),
    ],
)
def test_columns_with_different_texts(raw: str, text: str, differ: bool) -> None:
    assert ("columns-differ" in kinds(text, raw=raw)) == differ
