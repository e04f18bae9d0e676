"""What the machine's watch tells the trainer, between steps, by way of the inbox."""

from dataclasses import dataclass

from engine.machine.cloud.machine import SpotNotice


@dataclass(frozen=True, slots=True)
class SpotWarning:
    """The cloud may take the machine away: what was learned is to be saved, and that is all."""

    notice: SpotNotice


@dataclass(frozen=True, slots=True)
class Interruption:
    """The cloud takes the machine away at a known time: save, train to the last safe second,
    save again and end."""

    notice: SpotNotice


@dataclass(frozen=True, slots=True)
class NoticeGone:
    """The notice that stood, a warning or an interruption, stands no more."""


@dataclass(frozen=True, slots=True)
class NewPrice:
    """From now on the machine costs something else."""

    usd: float
    """US dollars an hour."""
    source: str
    """Who says so: `AWS spot us-east-1b, 14:00`."""


MachineNews = SpotWarning | Interruption | NoticeGone | NewPrice
