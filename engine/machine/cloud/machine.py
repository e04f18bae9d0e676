"""A machine rented from a cloud: which one, when it is taken back, what it costs."""

import time
from dataclasses import dataclass

from engine.choices import CloudName

CLOUD_NAMES: dict[CloudName, str] = {"aws": "AWS", "gcp": "GCP", "azure": "Azure"}
"""The clouds as people write them."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of a cloud; what the cloud does not say is empty."""

    cloud: CloudName
    instance_type: str = ""
    """`g5.xlarge`."""
    zone: str = ""
    """`us-east-1b`; for a machine of Azure outside of zones its region."""
    region: str = ""
    spot: bool | None = None
    """Whether the cloud may take the machine back at short notice; None if not known."""

    @property
    def words(self) -> str:
        """The machine in a few words: `AWS g5.xlarge us-east-1b spot`."""
        life = {True: "spot", False: "on demand", None: ""}[self.spot]
        words = (CLOUD_NAMES[self.cloud], self.instance_type, self.zone, life)
        return " ".join(filter(None, words))


@dataclass(frozen=True, slots=True)
class SpotNotice:
    """The cloud may take the machine away: save what was learned, and go on."""

    text: str
    """In words: `AWS terminates this machine`."""
    deadline: float | None = None
    """When, in seconds since the epoch; None for a warning that names no time, or after which
    the run can go on."""
    last_second: float | None = None
    """The same by `time.monotonic()`, which nobody sets."""


class Interruption(SpotNotice):
    """The cloud takes the machine away at a known time: save, train on, save again and end."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Clock:
    """One moment by the two clocks that a deadline needs."""

    wall: float
    """Seconds since the epoch."""
    monotonic: float
    """Seconds by a clock that nobody sets."""

    @staticmethod
    def now() -> "Clock":
        """This moment."""
        return Clock(time.time(), time.monotonic())

    def notice(self, text: str, seconds: float) -> Interruption:
        """A notice whose deadline is so many seconds from here, and never before."""
        left = max(0.0, seconds)
        return Interruption(text, self.wall + left, self.monotonic + left)


@dataclass(frozen=True, slots=True)
class NoticeGone:
    """The last warning or interruption was withdrawn."""


@dataclass(frozen=True, slots=True)
class NewPrice:
    """From now on the machine costs something else."""

    usd: float
    """US dollars an hour."""
    source: str
    """Who says so: `AWS spot us-east-1b, 14:00`."""


SpotNews = SpotNotice | NoticeGone
"""What is sent to the trainer, which handles it between steps."""
