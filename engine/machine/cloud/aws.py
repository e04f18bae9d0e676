"""AWS: the instance metadata service, version 2 (IMDSv2)."""

from collections.abc import Callable

from engine.machine.cloud.machine import Clock, Machine, SpotNotice
from engine.machine.cloud.metadata import MetadataError, MetadataService, OddReplyError, Reply
from engine.machine.cloud.replies import moment_in, name_in, object_in, token_in

BASE = "http://169.254.169.254"
# Seconds that a token is good for: the longest that AWS gives.
_TOKEN_SECONDS = 21_600
# AWS promises two minutes between the notice and the end.
_LONGEST_NOTICE = 120.0
_WHAT = {"terminate": "terminates", "stop": "stops"}


class Aws:
    """Asks with a session token, which is renewed when the service no longer takes it."""

    def __init__(self, service: MetadataService, clock: Callable[[], Clock]) -> None:
        self._service = service
        self._clock = clock
        self._token: str | None = None

    def identity(self) -> Machine:
        """Say which machine this is."""
        life = name_in(self._get("instance-life-cycle"), "the life-cycle")
        return Machine(
            "aws",
            instance_type=name_in(self._get("instance-type"), "the instance type"),
            zone=name_in(self._get("placement/availability-zone"), "the zone"),
            region=name_in(self._get("placement/region"), "the region"),
            spot=life == "spot" if life else None,
        )

    def notice(self) -> SpotNotice | None:
        """Return what is to happen to the machine; else that it is likely to be taken soon."""
        reply = self._get("spot/instance-action")
        if reply.status == 200:
            return self._action(reply)
        reply = self._get("events/recommendations/rebalance")
        if reply.status == 200:
            moment_in(object_in(reply, "a recommendation").get("noticeTime"), "its time")
            return SpotNotice("AWS is likely to take this machine away soon")
        return None

    def _action(self, reply: Reply) -> SpotNotice:
        said = object_in(reply, "the instance action")
        action = said.get("action")
        if action == "hibernate":
            # It begins at once, and the run goes on where it was when the machine wakes.
            return SpotNotice("AWS puts this machine into hibernation now")
        if not isinstance(action, str) or action not in _WHAT:
            raise OddReplyError(f"names the instance action {str(action)[:40]!r}")
        clock, text = self._clock(), f"AWS {_WHAT[action]} this machine"
        try:
            left = moment_in(said.get("time"), "the time of the instance action") - clock.wall
        except OddReplyError:
            # What is learned is saved all the same.
            return SpotNotice(f"{text} and does not say when")
        # A clock of this machine that is slow must not promise more than AWS does.
        return clock.notice(text, min(left, _LONGEST_NOTICE))

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
            self._token = token_in(self._service.ask("/latest/api/token", seconds, "PUT"))
        return self._service.ask(
            f"/latest/meta-data/{path}", {"X-aws-ec2-metadata-token": self._token}
        )
