"""What the samples of a voice are, and the checkpoints that can speak."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from engine.choices import NetworkName
from engine.errors import InputError
from engine.run.evaluation import BestBy, Misreading
from engine.run.stop import Step
from engine.serialization import MAX_NUMBER

StepChoice = Annotated[int, Meta(ge=0, le=MAX_NUMBER)] | Literal["best", "base"]
"""Which checkpoint speaks: that of a step, the one to export, or the base."""

_STEP = re.compile(r"([0-9]{1,10}|[0-9]{1,3}(?:,[0-9]{3}){1,3})(k?)", re.ASCII)


def parse_step(text: str, option: str, *, or_word: str = "") -> StepChoice:
    """Read which checkpoint is meant: `12000`, `12,000`, `12k`, `best` or `base`.

    Raises:
        InputError: it is none of these; the message names the option, and another word
            that it takes.
    """
    word = text.strip().lower()
    if word in ("best", "base"):
        return "best" if word == "best" else "base"
    match = _STEP.fullmatch(word)
    if match is None:
        words = " or ".join(filter(None, ["a step such as 12000, or best, or base", or_word]))
        raise InputError(f"{option} is {text!r}; write {words}.")
    return int(match[1].replace(",", "")) * (1000 if match[2] else 1)


@dataclass(frozen=True, slots=True)
class Sample:
    """A sentence spoken by a checkpoint or by the weights of a moment."""

    step: Step
    sentence: str
    path: Path
    seconds: Annotated[float, Meta(ge=0, le=10**6)]
    note: str
    """What a listener must know: `base`, `no SSRN yet: from the mel alone`."""
    original: Path | None = None
    """The recording beside it, where the sentence is that of a held-out clip."""
    ssrn_step: Step | None = None
    """Of the SSRN that spoke; None without one, and in samples of earlier versions."""
    automatic: bool = False
    """Whether it belongs to the series that is made at checkpoints."""
    time: Annotated[float, Meta(ge=0, le=10**11)] = 0.0
    """When it was made, in seconds since the epoch; 0 in samples of earlier versions."""
    heard: bool = False
    """Whether somebody has played it, on this host or on the listening page."""
    for_comparison: bool = False
    """Whether it was made for a blind comparison: no screen plays it by itself, for it would say
    whose sound it is."""
    misreadings: tuple[Misreading, ...] = ()
    """Words that were skipped, repeated or stuck, in the order of the sound."""

    @property
    def network(self) -> NetworkName:
        """The network that `step` is of, as its file is named."""
        return "ssrn" if self.path.name.startswith("ssrn-") else "text2mel"


class Speaking(Struct, frozen=True):
    """A sample that is being made: its sound grows in a file beside the one that it will be."""

    step: int
    sentence: str
    path: Path
    """Where the finished sample will be; see `engine.speech.growing`."""
    automatic: bool = False


FIRST_OF_TWO = (
    "this run trains Text2Mel, the first of a voice's two networks; next is SSRN, which makes the "
    "sound: n at the stop, or --network ssrn; --network both trains them together"
)
BASE_SSRN = "its SSRN is still the base's, which never heard these recordings"
NO_SSRN = "it has no SSRN yet and speaks from the mel alone, which sounds muffled"


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A checkpoint on disk, which can speak."""

    network: NetworkName
    step: int
    held_out: float | None = None
    """The held-out loss at its step; None where that is not known."""
    best: bool = False
    """Whether it is the one to export; see `engine.advice.best`."""
    best_by: tuple[BestBy, ...] = ()
    """What it is the best by; such checkpoints are never pruned."""
    base: bool = False
    """Whether it holds the weights that training began from."""


def lacking_ssrn(checkpoints: Iterable[KeptCheckpoint]) -> str:
    """Say what a voice whose Text2Mel was trained lacks as long as its SSRN was not; else empty."""
    own = {one.network for one in checkpoints if not one.base}
    there = {one.network for one in checkpoints}
    if "text2mel" not in own or "ssrn" in own:
        return ""
    return BASE_SSRN if "ssrn" in there else NO_SSRN
