"""What the metadata services of AWS, GCP and Azure say about this machine."""

import math
import os
from collections.abc import Callable
from typing import Annotated, Any

from msgspec import Meta, Struct

from engine.choices import CloudName
from engine.formatting import brief
from engine.machine.cloud.machine import Clock, Machine, SpotNotice
from engine.machine.cloud.metadata import (
    MetadataError,
    MetadataService,
    OddReplyError,
    Reply,
    parse_time,
    require_base,
)

METADATA_VARIABLE = "VOICECOACH_METADATA_URL"
"""The environment's base address where no `--metadata-url` is given."""

_Fields = dict[str, Any]


class Provider:
    """What one cloud's metadata service is asked.

    Each question raises `MetadataError` where the service does not answer, or not as it should.
    """

    name: CloudName
    base: str
    """Its address."""

    def __init__(self, service: MetadataService, clock: Callable[[], Clock] = Clock.now) -> None:
        self._service = service
        self._clock = clock

    def identity(self) -> Machine:
        """Say which machine this is."""
        raise NotImplementedError

    def notice(self) -> SpotNotice | None:
        """Return the gravest notice in force; None when there is none."""
        raise NotImplementedError

    def _notice_at(self, text: str, time: object, max_seconds: float = math.inf) -> SpotNotice:
        """A notice that ends when the cloud says; a warning where that is no time."""
        clock = self._clock()
        try:
            left = parse_time(time, "the time of the end") - clock.wall
        except OddReplyError:
            return SpotNotice(f"{text} and does not say when")
        return clock.notice(text, min(left, max_seconds))


# Seconds that a token is good for: the longest that AWS gives.
_TOKEN_LIFE = {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}
# AWS promises two minutes between the notice and the end.
_AWS_SECONDS = 120.0
_AWS_VERBS = {"terminate": "terminates", "stop": "stops"}


class Aws(Provider):
    """Version 2 of the service (IMDSv2): its token is renewed when it is no longer taken."""

    name: CloudName = "aws"
    base = "http://169.254.169.254"
    _token: str | None = None

    def identity(self) -> Machine:
        """Say which machine this is."""
        life = self._name("instance-life-cycle")
        return Machine(
            "aws",
            instance_type=self._name("instance-type"),
            zone=self._name("placement/availability-zone"),
            region=self._name("placement/region"),
            spot=life == "spot" if life else None,
        )

    def notice(self) -> SpotNotice | None:
        """Return what is to happen to the machine; else that it is likely to be taken soon."""
        reply = self._get("spot/instance-action")
        if reply.status == 200:
            return self._action(reply.json(_Fields, "the instance action"))
        reply = self._get("events/recommendations/rebalance")
        if reply.status == 200:
            recommended = reply.json(_Fields, "a recommendation").get("noticeTime")
            parse_time(recommended, "the time of a recommendation")
            return SpotNotice("AWS is likely to reclaim this machine soon")
        return None

    def _action(self, reply: _Fields) -> SpotNotice:
        action = reply.get("action")
        if action == "hibernate":
            # It begins at once, and the run goes on where it was when the machine wakes.
            return SpotNotice("AWS puts this machine into hibernation now")
        if str(action) not in _AWS_VERBS:
            raise OddReplyError(f"names the instance action {brief(action)}")
        # A clock of this machine that is slow must not promise more than AWS does.
        text = f"AWS {_AWS_VERBS[str(action)]} this machine"
        return self._notice_at(text, reply.get("time"), _AWS_SECONDS)

    def _name(self, path: str) -> str:
        return self._get(path).name(path)

    def _get(self, path: str) -> Reply:
        for _ in range(2):
            if self._token is None:
                self._token = self._service.ask("/latest/api/token", _TOKEN_LIFE, "PUT").token()
            headers = {"X-aws-ec2-metadata-token": self._token}
            reply = self._service.ask(f"/latest/meta-data/{path}", headers)
            if reply.status != 401:
                return reply
            self._token = None
        raise MetadataError("rejects its own token")


# Seconds between the notice of a preemption and the end.
_GCP_SECONDS = 30.0
# What `maintenance-event` says up to an hour before a machine with a GPU is stopped.
_GCP_STOPS = "TERMINATE_ON_HOST_MAINTENANCE"
_GCP_FLAGS = {"TRUE": True, "FALSE": False, "": None}


class Gcp(Provider):
    """Asks the metadata server of Compute Engine for what stands below `instance/`."""

    name: CloudName = "gcp"
    base = "http://metadata.google.internal"
    _last_without: float | None = None
    _noticed: SpotNotice | None = None

    def identity(self) -> Machine:
        """Say which machine this is."""
        zone = self._name("zone")
        spot = self._flag("scheduling/preemptible")
        return Machine("gcp", self._name("machine-type"), zone, zone.rpartition("-")[0], spot)

    def notice(self) -> SpotNotice | None:
        """Return the notice of the preemption; else that the machine is to be stopped soon.

        The 30 s of a preemption run since it was given, which may be as long ago as the last check.
        """
        now = self._clock()
        if not self._flag("preempted"):
            self._last_without, self._noticed = now.monotonic, None
            if self._name("maintenance-event") == _GCP_STOPS:
                return SpotNotice("GCP is to stop this machine for maintenance within the hour")
            return None
        if self._noticed is None:
            passed = 0.0 if self._last_without is None else now.monotonic - self._last_without
            self._noticed = now.notice("GCP preempts this machine", _GCP_SECONDS - passed)
        return self._noticed

    def _flag(self, path: str) -> bool | None:
        text = self._name(path).upper()
        if text not in _GCP_FLAGS:
            raise OddReplyError(f"answers {brief(text)} to {path}")
        return _GCP_FLAGS[text]

    def _name(self, path: str) -> str:
        url, headers = f"/computeMetadata/v1/instance/{path}", {"Metadata-Flavor": "Google"}
        reply = self._service.ask(url, headers)
        if reply.flavor != "Google":
            raise OddReplyError("answers without saying that it is Google's")
        return reply.name(path)


_AZURE_EVENTS = "/metadata/scheduledevents?api-version=2020-07-01"
_AZURE_MACHINE = "/metadata/instance/compute?api-version=2021-02-01"
# What ends every process of the machine; a freeze lasts seconds, and training goes on.
_AZURE_VERBS = {
    "Preempt": "evicts",
    "Terminate": "deletes",
    "Reboot": "reboots",
    "Redeploy": "moves",
}

_Name = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9._-]{0,100}\Z")]


class _Compute(Struct, frozen=True):
    """The fields of the machine, as Azure writes them."""

    name: _Name = ""
    vmSize: _Name = ""  # noqa: N815
    location: _Name = ""
    zone: _Name = ""
    priority: _Name | None = None


class _Events(Struct, frozen=True):
    Events: tuple[_Fields, ...]
    """One odd field of an event must not hide that the machine is evicted."""


class Azure(Provider):
    """Asks for scheduled events that concern this very machine.

    Nothing is acknowledged: an event that is approved comes at once instead of at its time.
    """

    name: CloudName = "azure"
    base = "http://169.254.169.254"
    _machine = ""

    def identity(self) -> Machine:
        """Say which machine this is."""
        found = self._get(_AZURE_MACHINE).json(_Compute, "the machine")
        self._machine = found.name.lower()
        zone = f"{found.location}-{found.zone}" if found.zone else found.location
        spot = None if found.priority is None else found.priority in ("Spot", "Low")
        return Machine("azure", found.vmSize, zone, found.location, spot)

    def notice(self) -> SpotNotice | None:
        """Return the first event that ends this machine's processes."""
        events = self._get(_AZURE_EVENTS).json(_Events, "the scheduled events").Events
        ours = [event for event in events if self._is_ours(event)]
        notices = [notice for event in ours if (notice := self._notice(event)) is not None]
        kinds = [event.get("EventType") for event in ours]
        unknown = [kind for kind in kinds if str(kind) not in (*_AZURE_VERBS, "Freeze")]
        if unknown and not notices:
            raise OddReplyError(f"names the event {brief(unknown[0])}")
        return min(notices, key=lambda one: one.deadline or math.inf, default=None)

    def _is_ours(self, event: _Fields) -> bool:
        """Whether an event, which the whole set of machines gets to know, is this machine's."""
        names = event.get("Resources")
        if not isinstance(names, list) or not names or not self._machine:
            return True
        # Events name a machine as it was typed, which may differ in its capitals.
        return self._machine in [str(name).lower() for name in names]

    def _notice(self, event: _Fields) -> SpotNotice | None:
        kind, status = str(event.get("EventType")), event.get("EventStatus")
        if kind not in _AZURE_VERBS or status in ("Completed", "Canceled"):
            return None
        text = f"Azure {_AZURE_VERBS[kind]} this machine"
        # Once it has begun there is no time before which it will not come.
        if status == "Started" or event.get("NotBefore") == "":
            return self._clock().notice(text, 0.0)
        return self._notice_at(text, event.get("NotBefore"))

    def _get(self, path: str) -> Reply:
        return self._service.ask(path, {"Metadata": "true"})


_PROVIDERS: dict[CloudName, type[Provider]] = {"aws": Aws, "gcp": Gcp, "azure": Azure}


def metadata_base(name: CloudName, asked: str | None) -> str:
    """The base address of a cloud's metadata service: asked for, the environment's, or its own.

    Raises `InputError` where it is no such address.
    """
    return require_base(asked or os.environ.get(METADATA_VARIABLE) or _PROVIDERS[name].base)


def connect(name: CloudName, base: str) -> Provider:
    """Return the cloud at an address that `metadata_base` returned; nothing is asked yet."""
    return _PROVIDERS[name](MetadataService(base))
