"""Whether a process that was named somewhere is still the one that was meant."""

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process of this boot of this machine: numbers come again, these three together do not."""

    pid: int
    started: int
    """Clock ticks from the boot to the start of the process."""
    boot: str
    """What the kernel calls this boot."""

    @classmethod
    def of_this(cls) -> "ProcessId":
        """The process that asks."""
        return cls(os.getpid(), _started(os.getpid()) or 0, boot_id())

    @property
    def runs(self) -> bool:
        """Whether it is there; one that has ended and was not waited for is not."""
        return self.boot == boot_id() and _started(self.pid) == self.started


def boot_id() -> str:
    """What the kernel calls this boot; empty where it does not say."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def is_running(pid: int) -> bool:
    """Whether there is a process with this number that has not ended."""
    return _started(pid) is not None


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks from the boot; None if it is none, or a dead one."""
    try:
        # The name, in brackets, may hold anything, brackets too.
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])
