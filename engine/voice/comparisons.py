"""`comparisons.jsonl`: what a person answered who compared checkpoints without knowing which."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from engine.choices import NetworkName
from engine.files import append_line
from engine.run.stop import Step
from engine.serialization import read_json_lines, to_json
from engine.voice.folder import Voice

LIST = "comparisons.jsonl"
"""The file's name in the voice folder."""
_MAX_BYTES = 2**26
# Of the newest answers; nobody gives more.
_MAX_ANSWERS = 10_000

Answer = Literal["a", "b", "same"]
"""The one that sounded better, or neither."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """An answer: the same sentence from two checkpoints, and which of them sounded better."""

    time: Annotated[float, Meta(ge=0, le=1e11)]
    """Seconds since the epoch."""
    network: NetworkName
    """The network whose steps were compared."""
    a: Step
    """The step of the sound that was offered first."""
    b: Step
    answer: Answer
    sentence: str
    files: tuple[str, str]
    """The samples' names in `samples/`, a's first."""
    ssrn_step: Step | None = None
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
    remedy = "move the file away to begin anew"
    found = read_json_lines(voice.folder / LIST, Comparison, _MAX_BYTES, remedy)
    return tuple(one for one in found if one.a != one.b)[-_MAX_ANSWERS:]
