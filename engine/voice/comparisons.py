"""`comparisons.jsonl`: what a person answered who compared checkpoints without knowing which."""

import logging
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from engine.choices import NetworkName
from engine.errors import InputError
from engine.files import append_line, read_plain
from engine.run.stop import MAX_STEPS
from engine.serialization import from_json, to_json
from engine.voice.folder import Voice

_log = logging.getLogger(__name__)

LIST = "comparisons.jsonl"
"""The file's name in the voice folder."""
_MAX_BYTES = 2**26
# Of the newest answers; nobody gives more.
_MAX_ANSWERS = 10_000

Answer = Literal["a", "b", "same"]
"""The one that sounded better, or neither."""
_Step = Annotated[int, Meta(ge=0, le=MAX_STEPS)]


@dataclass(frozen=True, slots=True)
class Comparison:
    """An answer: the same sentence from two checkpoints, and which of them sounded better."""

    time: Annotated[float, Meta(ge=0, le=1e11)]
    """Seconds since the epoch."""
    network: NetworkName
    """The network whose steps were compared."""
    a: _Step
    """The step of the sound that was offered first."""
    b: _Step
    answer: Answer
    sentence: str
    files: tuple[str, str]
    """The samples' names in `samples/`, a's first."""
    ssrn_step: _Step | None = None
    """Of the SSRN that both were spoken with; None without one, and where SSRN was compared."""

    def score(self, step: int) -> float:
        """What a step got: 1 where it was better, 0 where the other was, else a half."""
        if self.answer == "same":
            return 0.5
        return float((self.a if self.answer == "a" else self.b) == step)


def append_comparison(voice: Voice, comparison: Comparison) -> None:
    """Add an answer to the voice's `comparisons.jsonl`, safe on disk.

    Raises `EngineError` when the file cannot be written.
    """
    append_line(voice.folder / LIST, to_json(comparison).decode(), sync=True)


def read_comparisons(voice: Voice) -> tuple[Comparison, ...]:
    """All answers, oldest first; damaged lines are passed over, with a warning in the log.

    Raises:
        InputError: the file cannot be read.
    """
    path = voice.folder / LIST
    try:
        lines = [line for line in read_plain(path, _MAX_BYTES).split(b"\n") if line.strip()]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InputError(
            f"The answers in {path} cannot be read: {error.strerror}; move the file away to begin "
            f"anew."
        ) from error
    found = [comparison for line in lines if (comparison := _parse(line)) is not None]
    if len(found) < len(lines):
        _log.warning("%s: %d lines are damaged and not counted", path, len(lines) - len(found))
    return tuple(found[-_MAX_ANSWERS:])


def _parse(line: bytes) -> Comparison | None:
    try:
        comparison = from_json(line, Comparison, LIST)
    except InputError:
        return None
    return comparison if comparison.a != comparison.b else None
