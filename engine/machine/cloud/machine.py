"""What a cloud says of the machine that it has let: which one, and when it is taken back."""

from dataclasses import dataclass
from typing import Protocol

from engine.choices import CloudName

CLOUDS: dict[CloudName, str] = {"aws": "AWS", "gcp": "GCP", "azure": "Azure"}
"""The clouds as they are called in speech."""


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
    """Whether the cloud may take the machine back at short notice; None where it is not said."""

    @property
    def words(self) -> str:
        """The machine in a few words: `AWS g5.xlarge us-east-1b spot`."""
        life = {True: "spot", False: "on demand", None: ""}[self.spot]
        return " ".join(filter(None, (CLOUDS[self.cloud], self.instance_type, self.zone, life)))


@dataclass(frozen=True, slots=True)
class SpotNotice:
    """The cloud's word that it takes the machine away, or may soon."""

    text: str
    """In words: `AWS terminates this machine`."""
    deadline: float | None = None
    """When, in seconds since the epoch; None for a warning that names no time, or after which
    the run can go on."""
    last_second: float | None = None
    """The same by `time.monotonic()`, which nobody sets."""


class Cloud(Protocol):
    """What one cloud's metadata service is asked."""

    def identity(self) -> Machine:
        """Say which machine this is.

        Raises:
            MetadataError: the service does not answer, or not as it should.
        """
        ...

    def notice(self) -> SpotNotice | None:
        """Return the gravest notice that stands; None when there is none.

        Raises:
            MetadataError: the service does not answer, or not as it should.
        """
        ...


@dataclass(frozen=True, slots=True)
class Clock:
    """The two clocks by which a deadline is known; a test has its own."""

    wall: float
    """Seconds since the epoch."""
    monotonic: float
    """Seconds by a clock that nobody sets."""

    def notice(self, text: str, seconds: float) -> SpotNotice:
        """A notice whose deadline is so many seconds from here, and never before."""
        left = max(0.0, seconds)
        return SpotNotice(text, self.wall + left, self.monotonic + left)
