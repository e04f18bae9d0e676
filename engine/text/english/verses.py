"""Verses of the Bible: John 3:16, 1 Corinthians 13:4-8."""

import re

from engine.text.english.numbers import cardinal, ordinal

_BOOKS = (
    "Genesis", "Exodus", "Leviticus", "Numbers", "Deuteronomy", "Joshua", "Judges", "Ruth",
    "Samuel", "Kings", "Chronicles", "Ezra", "Nehemiah", "Esther", "Job", "Psalms?", "Proverbs",
    "Ecclesiastes", "Song of Songs", "Song of Solomon", "Isaiah", "Jeremiah", "Lamentations",
    "Ezekiel", "Daniel", "Hosea", "Joel", "Amos", "Obadiah", "Jonah", "Micah", "Nahum", "Habakkuk",
    "Zephaniah", "Haggai", "Zechariah", "Malachi", "Matthew", "Mark", "Luke", "John", "Acts",
    "Romans", "Corinthians", "Galatians", "Ephesians", "Philippians", "Colossians",
    "Thessalonians", "Timothy", "Titus", "Philemon", "Hebrews", "James", "Peter", "Jude",
    "Revelation",
)  # fmt: skip
_SHORT = {
    "Gen.": "Genesis", "Ps.": "Psalm", "Isa.": "Isaiah", "Matt.": "Matthew", "Rom.": "Romans",
    "Cor.": "Corinthians", "Rev.": "Revelation",
}  # fmt: skip
_BOOK = "|".join([*_BOOKS, *map(re.escape, _SHORT)])
# No verse is numbered 05, as the minutes of a time are.
_VERSES = re.compile(
    rf"(?<!\w)(?:([1-3]) )?({_BOOK}) (\d{{1,3}}):([1-9]\d{{0,2}})"
    r"(?: ?[-–—] ?(\d{1,3})(?!:))?(?![\w:]|[.,]\d)(?! ?[ap]\.? ?m\b)"
)


def verses_spoken(text: str) -> str:
    """Verses as words: "John three sixteen", "first Corinthians thirteen four to eight"."""
    return _VERSES.sub(_spoken, text) if ":" in text else text


def _spoken(match: re.Match[str]) -> str:
    part, book, chapter, first, last = match.groups()
    which = f"{ordinal(part)} " if part else ""
    verses = f"{cardinal(first)} to {cardinal(last)}" if last else cardinal(first)
    return f"{which}{_SHORT.get(book, book)} {cardinal(chapter)} {verses}"
