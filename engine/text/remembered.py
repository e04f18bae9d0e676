"""How a corpus was read, remembered: reading the transcripts of 25 hours takes seconds."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.errors import EngineError, InputError
from engine.files import read_plain, write_whole
from engine.serialization import from_json, to_json
from engine.text.vocabulary import Vocabulary

_log = logging.getLogger(__name__)

# More than the transcripts of any corpus have; a file that is longer is none.
_MAX_BYTES = 2**28

_Readings = dict[str, tuple[str, str]]
"""What a text is cleaned to, and the characters in it without a symbol, by the text."""


@dataclass(frozen=True)
class _Record:
    key: str
    """Hash of what the readings depend on, and of the readings."""
    readings: _Readings


@dataclass(frozen=True)
class RememberingVocabulary(Vocabulary):
    """A vocabulary that keeps what it has read in a JSON file, for the next run.

    The file may be deleted at any time. One that is damaged, or of other symbols or other rules of
    reading, counts as none.
    """

    record: Path = Path()
    """The file."""

    def clean(self, text: str) -> str:
        """As `Vocabulary.clean`."""
        return self._reading(text)[0]

    def unknown(self, text: str) -> Counter[str]:
        """As `Vocabulary.unknown`."""
        return Counter(self._reading(text)[1])

    def _reading(self, text: str) -> tuple[str, str]:
        known = self._readings.get(text)
        if known is None:
            lost = "".join(super().unknown(text).elements())
            known = self._readings[text] = super().clean(text), lost
        return known

    def remember(self, texts: Iterable[str]) -> None:
        """Keep what was read of these texts, and forget all others."""
        readings = {text: self._reading(text) for text in texts}
        key = self._key(readings)
        if key == self._stored.key:
            return
        try:
            write_whole(self.record, to_json(_Record(key, readings)), make_folders=False)
        except EngineError as error:
            _log.info("the next run reads the transcripts again: %s", error)

    @cached_property
    def _readings(self) -> _Readings:
        return dict(self._stored.readings)

    @cached_property
    def _stored(self) -> _Record:
        try:
            stored = from_json(read_plain(self.record, _MAX_BYTES), _Record, self.record)
        except (OSError, InputError):
            return _Record("", {})
        read = {symbol for cleaned, _ in stored.readings.values() for symbol in cleaned}
        # The file may come from somebody else.
        fits = read <= {*self.symbols[2:]} and stored.key == self._key(stored.readings)
        return stored if fits else _Record("", {})

    def _key(self, readings: _Readings) -> str:
        found = hashlib.sha256(to_json([self.symbols, self.cleaner, readings]))
        for path in sorted(Path(__file__).parent.rglob("*.*")):
            if path.suffix in (".py", ".toml"):
                found.update(path.read_bytes())
        return found.hexdigest()
