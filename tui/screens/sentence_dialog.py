"""The question behind `e`."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import Thread
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.timer import Timer
from textual.widgets import TextArea

from engine.errors import VoicecoachError
from engine.formatting import printable
from engine.run.commands import MAX_SENTENCE_CHARACTERS, MAX_SENTENCES, SetSentences
from engine.speech.reading import Reader, Reading, nothing_to_speak
from tui.screens.dialog import TextDialog

_PAUSE_SECONDS = 0.1
"""Between two keys, after which the text is read: a long one takes a moment."""


class SentenceDialog(TextDialog[SetSentences]):
    """Asks for the sentences that the voice speaks, and shows how it will read them."""

    heading = "sentences"
    FIRST = "enter: new line · ctrl+s: save"
    KEYS = "ctrl+s saves · esc cancels"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "accept", show=False, priority=True),
        # The field has these keys for itself.
        Binding("pageup", "scroll_meaning(-1)", show=False, priority=True),
        Binding("pagedown", "scroll_meaning(1)", show=False, priority=True),
    ]

    def __init__(self, sentences: Sequence[str], voice_folder: Path) -> None:
        """Begin with the present sentences, of the voice in a folder."""
        self._lines = _Lines(list(map(printable, sentences)))
        super().__init__(self._lines)
        self._folder = voice_folder
        self._reader: Reader | None = None
        self._readings: dict[str, Reading] = {}
        self._reading_soon: Timer | None = None

    def on_mount(self) -> None:
        """Open the voice without waiting: it may be on a disk that hangs."""
        start = partial(self._open_voice, self._lines.texts)
        Thread(target=start, name="reading", daemon=True).start()

    def _open_voice(self, texts: list[str]) -> None:
        try:
            reader = Reader(self._folder)
        except VoicecoachError:
            # Before a new voice has its settings; what cannot be read is said when it speaks.
            return
        # The first text takes the longest: the rules of a language are loaded for it.
        self._readings = {text: reader.read(text) for text in texts}
        self._reader = reader
        self.call_later(self._read)

    def on_text_area_changed(self) -> None:
        """Read the text once the person pauses."""
        if self._reading_soon is not None:
            self._reading_soon.stop()
        self._reading_soon = self.set_timer(_PAUSE_SECONDS, self._read)

    def on_text_area_selection_changed(self) -> None:
        """Show how the line is read that the cursor goes to."""
        self._read()

    def action_accept(self) -> None:
        """Close with the sentences, unless one cannot be spoken: then go there."""
        numbers = range(len(self._lines.texts))
        wrong = next((number for number in numbers if self._trouble(number)), None)
        if wrong is None:
            self.dismiss(SetSentences(tuple(self._lines.texts)))
        else:
            self._lines.move_cursor((wrong, len(self._lines.document.get_line(wrong))))
            self._read()

    def _trouble(self, number: int) -> str:
        """Why the line of a number, from 0, keeps the sentences from being accepted."""
        texts = self._lines.texts
        if not any(texts):
            return "empty: write a sentence"
        if sum(map(bool, texts[: number + 1])) > MAX_SENTENCES:
            return f"too many: {MAX_SENTENCES} is the maximum"
        reading = self._reading(texts[number])
        if self._reader is None or reading is None or reading.sentences:
            return ""
        return str(nothing_to_speak(self._reader.vocabulary))

    def _reading(self, text: str) -> Reading | None:
        """How a line is read; None where it is empty, or the voice is not open yet."""
        if self._reader is None or not text:
            return None
        if text not in self._readings:
            self._readings[text] = self._reader.read(text[:MAX_SENTENCE_CHARACTERS])
        return self._readings[text]

    def _read(self) -> None:
        """Show how the line of the cursor is read, and mark what is not spoken."""
        self._lines.show(self._readings)
        number = self._lines.cursor_location[0]
        text = self._lines.texts[number]
        if trouble := self._trouble(number):
            self.say(trouble, trouble=True)
        elif (reading := self._reading(text)) and self._reader:
            limit = self._reader.max_characters - 1
            self.say(Content("\n").join(reading_lines(reading, limit, len(text))))
        else:
            self.say("" if text else "an empty line is left out")


class _Lines(TextArea):
    """A sentence a line."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__("\n".join(texts), show_line_numbers=len(texts) > 1, compact=True)
        self._readings: dict[str, Reading] = {}
        self.move_cursor((0, len(texts[0]) if texts else 0))

    @property
    def texts(self) -> list[str]:
        """The lines without the blanks around them, empty ones included."""
        return [line.strip() for line in self.text.split("\n")]

    def show(self, readings: dict[str, Reading]) -> None:
        """Mark the characters that are not spoken, and number several lines."""
        self._readings = readings
        self.show_line_numbers = self.document.line_count > 1
        self.refresh()

    def get_line(self, line_index: int) -> Text:
        """A line as it is drawn, with the characters marked that are not spoken."""
        line = super().get_line(line_index)
        reading = self._readings.get(line.plain.strip())
        for place, letter in enumerate(line.plain if reading else ""):
            if reading and letter.lower() in reading.missed:
                line.stylize("bold reverse", place, place + 1)
        return line


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
