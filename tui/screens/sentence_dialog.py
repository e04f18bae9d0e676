"""The question behind `e`."""

from pathlib import Path
from threading import Thread

from rich.highlighter import Highlighter
from rich.text import Text
from textual.content import Content
from textual.timer import Timer

from engine.errors import VoicecoachError
from engine.formatting import printable
from engine.run.commands import MAX_SENTENCE_CHARACTERS
from engine.speech.reading import Reader, Reading, nothing_to_speak
from tui.screens.dialog import InputDialog

_PAUSE_SECONDS = 0.1
"""Between two keys, after which the text is read: a long one takes a moment."""


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
            reading = self._reader.read(self.text[:MAX_SENTENCE_CHARACTERS])
            self._unread.characters = reading.missed
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
    # Above what is read, which may be too long to be in sight as a whole.
    lines = [_warning(reading.note)] if reading.note else []
    if reading.cut:
        lines.append(_warning(f"longer than {limit:,} characters: spoken in pieces"))
    if length > MAX_SENTENCE_CHARACTERS:
        lines.append(_warning(f"only the first {MAX_SENTENCE_CHARACTERS:,} characters are kept"))
    return [*lines, *map(Content, reading.sentences)]


def _warning(words: str) -> Content:
    return Content.styled(words, "$warning")


class _Unread(Highlighter):
    """Marks the characters of a text that are not spoken."""

    characters = ""

    def highlight(self, text: Text) -> None:
        """Mark them."""
        for place, letter in enumerate(text.plain):
            if letter.lower() in self.characters:
                text.stylize("bold reverse", place, place + 1)
