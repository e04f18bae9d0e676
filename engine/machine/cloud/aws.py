"""AWS: the instance metadata service, version 2 (IMDSv2)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.formatting import brief
from engine.machine.cloud.machine import Clock, Machine, SpotNotice
from engine.machine.cloud.metadata import (
    MetadataError,
    MetadataService,
    OddReplyError,
    Reply,
    parse_time,
)

BASE = "http://169.254.169.254"
# Seconds that a token is good for: the longest that AWS gives.
_TOKEN_SECONDS = 21_600
# AWS promises two minutes between the notice and the end.
_MAX_NOTICE_SECONDS = 120.0
_VERBS = {"terminate": "terminates", "stop": "stops"}


@dataclass(frozen=True)
class _InstanceAction:
    action: Any = None
    time: Any = None


@dataclass(frozen=True)
class _Recommendation:
    noticeTime: str  # noqa: N815 (as AWS writes it)


class Aws:
    """Asks with a session token, which is renewed when the service no longer takes it."""

    def __init__(self, service: MetadataService, clock: Callable[[], Clock] = Clock.now) -> None:
        self._service = service
        self._clock = clock
        self._token: str | None = None

    def identity(self) -> Machine:
        """Say which machine this is."""
        life = self._get("instance-life-cycle").name("the life-cycle")
        return Machine(
            "aws",
            instance_type=self._get("instance-type").name("the instance type"),
            zone=self._get("placement/availability-zone").name("the zone"),
            region=self._get("placement/region").name("the region"),
            spot=life == "spot" if life else None,
        )

    def notice(self) -> SpotNotice | None:
        """Return what is to happen to the machine; else that it is likely to be taken soon."""
        reply = self._get("spot/instance-action")
        if reply.status == 200:
            return self._action(reply.json(_InstanceAction, "the instance action"))
        reply = self._get("events/recommendations/rebalance")
        if reply.status == 200:
            parse_time(reply.json(_Recommendation, "a recommendation").noticeTime, "its time")
            return SpotNotice("AWS is likely to take this machine away soon")
        return None

    def _action(self, reply: _InstanceAction) -> SpotNotice:
        if reply.action == "hibernate":
            # It begins at once, and the run goes on where it was when the machine wakes.
            return SpotNotice("AWS puts this machine into hibernation now")
        if not isinstance(reply.action, str) or reply.action not in _VERBS:
            raise OddReplyError(f"names the instance action {brief(reply.action)}")
        clock, text = self._clock(), f"AWS {_VERBS[reply.action]} this machine"
        try:
            left = parse_time(reply.time, "the time of the instance action") - clock.wall
        except OddReplyError:
            return SpotNotice(f"{text} and does not say when")
        # A clock of this machine that is slow must not promise more than AWS does.
        return clock.notice(text, min(left, _MAX_NOTICE_SECONDS))

    def _get(self, path: str) -> Reply:
        reply = self._ask(path)
        if reply.status == 401:
            self._token = None
            reply = self._ask(path)
        if reply.status == 401:
            raise MetadataError("does not take the token that it gave")
        return reply

    def _ask(self, path: str) -> Reply:
        if self._token is None:
            seconds = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_SECONDS)}
            self._token = self._service.ask("/latest/api/token", seconds, "PUT").token()
        return self._service.ask(
            f"/latest/meta-data/{path}", {"X-aws-ec2-metadata-token": self._token}
        )
