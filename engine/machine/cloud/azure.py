"""Azure: the instance metadata service and its scheduled events.

Nothing is acknowledged: an event that is approved comes at once instead of at its time.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from engine.formatting import brief
from engine.machine.cloud.machine import Clock, Machine, SpotNotice
from engine.machine.cloud.metadata import MetadataService, OddReplyError, Reply, parse_time

BASE = "http://169.254.169.254"
_EVENTS = "/metadata/scheduledevents?api-version=2020-07-01"
_INSTANCE = "/metadata/instance/compute?api-version=2021-02-01"
# What ends every process of the machine; a freeze lasts seconds, and training goes on.
_VERBS = {"Preempt": "evicts", "Terminate": "deletes", "Reboot": "reboots", "Redeploy": "moves"}

_Name = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9._-]{0,100}\Z")]


@dataclass(frozen=True)
class _Compute:
    """The fields of the machine, as Azure writes them."""

    name: _Name = ""
    vmSize: _Name = ""  # noqa: N815
    location: _Name = ""
    zone: _Name = ""
    priority: _Name | None = None


@dataclass(frozen=True)
class _Event:
    """A scheduled event; one odd field must not hide that the machine is evicted."""

    EventType: Any = None
    EventStatus: Any = None
    NotBefore: Any = None
    Resources: Any = None


@dataclass(frozen=True)
class _Events:
    Events: tuple[_Event, ...]


class Azure:
    """Asks for events that concern this very machine."""

    def __init__(self, service: MetadataService, clock: Callable[[], Clock] = Clock.now) -> None:
        self._service = service
        self._clock = clock
        self._name = ""

    def identity(self) -> Machine:
        """Say which machine this is."""
        found = self._get(_INSTANCE).json(_Compute, "the machine")
        self._name = found.name
        zone = f"{found.location}-{found.zone}" if found.zone else found.location
        spot = None if found.priority is None else found.priority in ("Spot", "Low")
        return Machine("azure", found.vmSize, zone, found.location, spot)

    def notice(self) -> SpotNotice | None:
        """Return the first event that ends this machine's processes."""
        events = self._get(_EVENTS).json(_Events, "the scheduled events").Events
        ours = [event for event in events if self._is_ours(event)]
        notices = [notice for event in ours if (notice := self._notice(event)) is not None]
        kinds = [event.EventType for event in ours]
        unknown = [kind for kind in kinds if str(kind) not in (*_VERBS, "Freeze")]
        if unknown and not notices:
            raise OddReplyError(f"names the event {brief(unknown[0])}")
        return min(notices, key=lambda one: one.deadline or math.inf, default=None)

    def _is_ours(self, event: _Event) -> bool:
        """Whether an event, which the whole set of machines gets to know, is this machine's."""
        names = event.Resources
        if not isinstance(names, list) or not names or not self._name:
            return True
        # Events name a machine as it was typed, which may differ in its capitals.
        return self._name.lower() in [str(name).lower() for name in names]

    def _notice(self, event: _Event) -> SpotNotice | None:
        if str(event.EventType) not in _VERBS or event.EventStatus in ("Completed", "Canceled"):
            return None
        clock, text = self._clock(), f"Azure {_VERBS[str(event.EventType)]} this machine"
        # Once it has begun there is no time before which it will not come.
        if event.EventStatus == "Started" or event.NotBefore == "":
            return clock.notice(text, 0.0)
        try:
            due = parse_time(event.NotBefore, "the time of an event")
        except OddReplyError:
            return SpotNotice(f"{text} and does not say when")
        return clock.notice(text, due - clock.wall)

    def _get(self, path: str) -> Reply:
        return self._service.ask(path, {"Metadata": "true"})
