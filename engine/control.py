"""What a person can ask of a running engine: small values, read by the trainer between steps."""

from dataclasses import dataclass

from engine.stop import StopRule


@dataclass(frozen=True, slots=True)
class StopAt:
    """Stop when the rule says; None trains on until told otherwise."""

    rule: StopRule | None


@dataclass(frozen=True, slots=True)
class Pause:
    """Make no steps until `GoOn`; a paused run can still speak and be saved."""


@dataclass(frozen=True, slots=True)
class GoOn:
    """Take up the steps after `Pause`."""


@dataclass(frozen=True, slots=True)
class SaveCheckpoint:
    """Write a checkpoint at the next step boundary."""


@dataclass(frozen=True, slots=True)
class Audition:
    """Speak the sentence (or, for SSRN, a held-out recording) with the weights of this moment."""


@dataclass(frozen=True, slots=True)
class SetSentence:
    """Change what auditions speak."""

    sentence: str


@dataclass(frozen=True, slots=True)
class DrawAttention:
    """Renew the attention of the fixed held-out sentence now."""


@dataclass(frozen=True, slots=True)
class GoUnattended:
    """The screen goes away: from now on end at the stop, and while paused, instead of waiting."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Write a checkpoint and end."""


Command = (
    StopAt
    | Pause
    | GoOn
    | SaveCheckpoint
    | Audition
    | SetSentence
    | DrawAttention
    | GoUnattended
    | Finish
)
