"""GCP: the metadata server of Compute Engine."""

from collections.abc import Callable
from dataclasses import replace

from engine.formatting import brief
from engine.machine.cloud.machine import Clock, Machine, SpotNotice
from engine.machine.cloud.metadata import MetadataService, OddReplyError, Reply

BASE = "http://metadata.google.internal"
# Seconds between the notice of a preemption and the end.
_NOTICE_SECONDS = 30.0
# What `maintenance-event` says up to an hour before a machine with a GPU is stopped.
_STOPS = "TERMINATE_ON_HOST_MAINTENANCE"
_FLAGS = {"TRUE": True, "FALSE": False, "": None}


class Gcp:
    """Asks what stands below `instance/`."""

    def __init__(self, service: MetadataService, clock: Callable[[], Clock] = Clock.now) -> None:
        self._service = service
        self._clock = clock
        self._last_without: float | None = None
        self._noticed: SpotNotice | None = None

    def identity(self) -> Machine:
        """Say which machine this is."""
        zone = self._last_part("zone", "the zone")
        return Machine(
            "gcp",
            instance_type=self._last_part("machine-type", "the machine type"),
            zone=zone,
            region=zone.rpartition("-")[0],
            spot=self._flag("scheduling/preemptible"),
        )

    def notice(self) -> SpotNotice | None:
        """Return the notice of the preemption; else that the machine is to be stopped soon.

        The 30 s of a preemption run since it was given, which may be as long ago as the last check.
        """
        now = self._clock()
        if not self._flag("preempted"):
            self._last_without, self._noticed = now.monotonic, None
            if self._get("maintenance-event").name("the maintenance event") == _STOPS:
                return SpotNotice("GCP is to stop this machine for maintenance within the hour")
            return None
        if self._noticed is None:
            passed = 0.0 if self._last_without is None else now.monotonic - self._last_without
            self._noticed = now.notice("GCP preempts this machine", _NOTICE_SECONDS - passed)
        return self._noticed

    def _flag(self, path: str) -> bool | None:
        text = self._get(path).name(path).upper()
        if text not in _FLAGS:
            raise OddReplyError(f"answers {brief(text)} to {path}")
        return _FLAGS[text]

    def _last_part(self, path: str, what: str) -> str:
        """The name at the end of `projects/1234/zones/us-central1-a`."""
        reply = self._get(path)
        return replace(reply, text=reply.text.rpartition("/")[2]).name(what)

    def _get(self, path: str) -> Reply:
        reply = self._service.ask(
            f"/computeMetadata/v1/instance/{path}", {"Metadata-Flavor": "Google"}
        )
        if reply.flavor != "Google":
            raise OddReplyError("answers without saying that it is Google's")
        return reply
