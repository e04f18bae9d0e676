"""The question behind `e`."""

from pathlib import Path
from threading import Thread

from rich.highlighter import Highlighter
from rich.text import Text
from textual.content import Content
from textual.timer import Timer

from engine.errors import VoicecoachError
from engine.formatting import printable
from engine.run.commands import MAX_SENTENCE
from engine.speech.reading import Reader, Reading, nothing_to_speak
from engine.text.unknown import name_of
from tui.screens.dialog import InputDialog

_PAUSE_SECONDS = 0.1
"""Between two keys, after which the text is read: a long one takes a moment."""
_MAX_NAMED = 4
"""Characters without a symbol that are named; the others are counted."""


class SentenceDialog(InputDialog[str]):
    """Asks for the sentence that auditions speak, and shows how the voice will read it."""

    HEADING = "sentence"

    def __init__(self, sentence: str, voice_folder: Path) -> None:
        """Begin with the present sentence, of the voice in a folder."""
        super().__init__(printable(sentence))
        self._folder = voice_folder
        self._reader: Reader | None = None
        self._unread = _Unread()
        self._input.highlighter = self._unread
        self._reading_soon: Timer | None = None

    def on_mount(self) -> None:
        """Open the voice without waiting: it may be on a disk that hangs."""
        Thread(target=self._open_voice, name="reading", daemon=True).start()

    def _open_voice(self) -> None:
        try:
            reader = Reader(self._folder)
        except VoicecoachError:
            # Before a new voice has its settings; what cannot be read is said when it speaks.
            return
        # The first text takes the longest: the rules of a language are loaded for it.
        reader.read(printable(self.text))
        self._reader = reader
        self.call_later(self._read)

    def on_input_changed(self) -> None:
        """Read the text once the person pauses."""
        if self._reading_soon is not None:
            self._reading_soon.stop()
        self._reading_soon = self.set_timer(_PAUSE_SECONDS, self._read)

    def on_input_submitted(self) -> None:
        """Close with the sentence, unless there is none."""
        if self._read():
            self.dismiss(self.text)

    def _read(self) -> bool:
        """Show how the text is read; return whether there is anything to speak."""
        if not self.text:
            self.say("empty: write a sentence", trouble=True)
        elif self._reader is None:
            self.say("")
            return True
        else:
            reading = self._reader.read(self.text[:MAX_SENTENCE])
            self._unread.characters = _left_out(reading)
            self._input.refresh()
            if reading.sentences:
                limit = self._reader.max_characters - 1
                self.say(Content("\n").join(reading_lines(reading, limit, len(self.text))))
                return True
            self.say(str(nothing_to_speak(self._reader.vocabulary)), trouble=True)
        return False


def reading_lines(reading: Reading, limit: int, length: int) -> list[Content]:
    """Show what is read, and warn of what is lost: of a text of `length` characters.

    `limit` is how many symbols the voice speaks in one piece.
    """
    lost, lines = _left_out(reading), []
    # Above what is read, which may be too long to be in sight as a whole.
    if lost:
        lines.append(_warning(f"no symbol, left out: {_listed([name_of(one) for one in lost])}"))
    if reading.cut:
        lines.append(_warning(f"longer than {limit:,} characters: spoken in pieces"))
    if length > MAX_SENTENCE:
        lines.append(_warning(f"only the first {MAX_SENTENCE:,} characters are kept"))
    lines += map(Content, reading.sentences)
    stand_ins = [
        f"{name_of(one)} as {becomes!r}"
        for one, becomes in reading.replaced.items()
        if one not in lost
    ]
    if stand_ins:
        lines.append(Content.styled(f"no symbol, read: {_listed(stand_ins)}", "$quiet"))
    return lines


def _left_out(reading: Reading) -> list[str]:
    return [one for one, becomes in reading.replaced.items() if not becomes.strip()]


def _warning(words: str) -> Content:
    return Content.styled(words, "$warning")


def _listed(names: list[str]) -> str:
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more:,} more" if more > 0 else "")


class _Unread(Highlighter):
    """Marks the characters of a text that the voice leaves out."""

    characters: list[str]

    def __init__(self) -> None:
        self.characters = []

    def highlight(self, text: Text) -> None:
        """Mark them."""
        for place, letter in enumerate(text.plain):
            if letter.lower() in self.characters:
                text.stylize("bold reverse", place, place + 1)
