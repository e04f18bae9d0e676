"""Azure: the instance metadata service and its scheduled events.

Nothing is acknowledged: an event that is approved comes at once instead of at its time.
"""

import math
from collections.abc import Callable
from typing import Any

from engine.machine.cloud.machine import Clock, Machine, SpotNotice
from engine.machine.cloud.metadata import MetadataService, OddReplyError, Reply
from engine.machine.cloud.replies import moment_in, name_in, object_in

BASE = "http://169.254.169.254"
_EVENTS = "/metadata/scheduledevents?api-version=2020-07-01"
_INSTANCE = "/metadata/instance/compute?api-version=2021-02-01"
# What ends every process of the machine; a freeze lasts seconds, and training goes on.
_ENDS = {"Preempt": "evicts", "Terminate": "deletes", "Reboot": "reboots", "Redeploy": "moves"}
_ALL = {*_ENDS, "Freeze"}


class Azure:
    """Asks for events that concern this very machine."""

    def __init__(self, service: MetadataService, clock: Callable[[], Clock]) -> None:
        self._service = service
        self._clock = clock
        self._name = ""

    def identity(self) -> Machine:
        """Say which machine this is."""
        said = object_in(self._get(_INSTANCE), "the machine")
        self._name = _text(said, "name")
        region, zone = _text(said, "location"), _text(said, "zone")
        priority = _text(said, "priority")
        return Machine(
            "azure",
            instance_type=_text(said, "vmSize"),
            zone=f"{region}-{zone}" if zone else region,
            region=region,
            spot=priority in ("Spot", "Low") if "priority" in said else None,
        )

    def notice(self) -> SpotNotice | None:
        """Return the first event that ends this machine's processes."""
        events = object_in(self._get(_EVENTS), "the scheduled events").get("Events")
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            raise OddReplyError("gives scheduled events that are no list of them")
        ours = [event for event in events if self._is_ours(event)]
        notices = [notice for event in ours if (notice := self._notice(event)) is not None]
        strange = [event for event in ours if str(event.get("EventType")) not in _ALL]
        if strange and not notices:
            raise OddReplyError(f"names the event {str(strange[0].get('EventType'))[:40]!r}")
        return min(notices, key=_urgency, default=None)

    def _is_ours(self, event: dict[str, Any]) -> bool:
        """Whether an event, which the whole set of machines gets to know, is this machine's."""
        concerned = event.get("Resources")
        if not isinstance(concerned, list) or not concerned or not self._name:
            return True
        # Events name a machine as it was typed, which may differ in its capitals.
        return self._name.lower() in [str(name).lower() for name in concerned]

    def _notice(self, event: dict[str, Any]) -> SpotNotice | None:
        kind = event.get("EventType")
        if not isinstance(kind, str) or kind not in _ENDS:
            return None
        if event.get("EventStatus") in ("Completed", "Canceled"):
            return None
        clock = self._clock()
        text = f"Azure {_ENDS[kind]} this machine"
        # Once it has begun there is no time before which it will not come.
        if event.get("EventStatus") == "Started" or event.get("NotBefore") == "":
            return clock.notice(text, 0.0)
        try:
            due = moment_in(event.get("NotBefore"), "the time of an event")
        except OddReplyError:
            # What is learned is saved all the same, and no other event is hidden.
            return SpotNotice(f"{text} and does not say when")
        return clock.notice(text, due - clock.wall)

    def _get(self, path: str) -> Reply:
        return self._service.ask(path, {"Metadata": "true"})


def _urgency(notice: SpotNotice) -> float:
    return math.inf if notice.deadline is None else notice.deadline


def _text(said: dict[str, Any], key: str) -> str:
    value = said.get(key, "")
    if value == "":
        return ""
    return name_in(Reply(200, str(value), ""), key)
