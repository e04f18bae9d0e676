"""GCP: the metadata server of Compute Engine."""

from collections.abc import Callable

from engine.machine.cloud.machine import Clock, Machine, SpotNotice
from engine.machine.cloud.metadata import MetadataService, OddReplyError, Reply
from engine.machine.cloud.replies import name_in

BASE = "http://metadata.google.internal"
# Seconds between the notice of a preemption and the end.
_NOTICE_SECONDS = 30.0
# What `maintenance-event` says up to an hour before a machine with a GPU is stopped.
_STOPS = "TERMINATE_ON_HOST_MAINTENANCE"
_TRUTH = {"TRUE": True, "FALSE": False, "": None}


class Gcp:
    """Asks what stands below `instance/`."""

    def __init__(self, service: MetadataService, clock: Callable[[], Clock]) -> None:
        self._service = service
        self._clock = clock
        self._at_peace: float | None = None
        self._noticed: SpotNotice | None = None

    def identity(self) -> Machine:
        """Say which machine this is."""
        zone = self._last_part("zone", "the zone")
        return Machine(
            "gcp",
            instance_type=self._last_part("machine-type", "the machine type"),
            zone=zone,
            region=zone.rpartition("-")[0],
            spot=self._truth("scheduling/preemptible"),
        )

    def notice(self) -> SpotNotice | None:
        """Return the notice of the preemption; else that the machine is to be stopped soon.

        The 30 s of a preemption run since it was given, which may be as long ago as the last look.
        """
        asked = self._clock()
        if not self._truth("preempted"):
            self._at_peace, self._noticed = asked.monotonic, None
            if name_in(self._get("maintenance-event"), "the maintenance event") == _STOPS:
                return SpotNotice("GCP is to stop this machine for maintenance within the hour")
            return None
        if self._noticed is None:
            since = 0.0 if self._at_peace is None else asked.monotonic - self._at_peace
            left = max(0.0, _NOTICE_SECONDS - since)
            self._noticed = asked.notice("GCP preempts this machine", left)
        return self._noticed

    def _truth(self, path: str) -> bool | None:
        said = name_in(self._get(path), path).upper()
        if said not in _TRUTH:
            raise OddReplyError(f"answers {said[:40]!r} to {path}")
        return _TRUTH[said]

    def _last_part(self, path: str, what: str) -> str:
        """The name at the end of `projects/1234/zones/us-central1-a`."""
        reply = self._get(path)
        return name_in(Reply(reply.status, reply.text.rpartition("/")[2], reply.flavor), what)

    def _get(self, path: str) -> Reply:
        reply = self._service.ask(
            f"/computeMetadata/v1/instance/{path}", {"Metadata-Flavor": "Google"}
        )
        if reply.flavor != "Google":
            raise OddReplyError("answers without saying that it is Google's")
        return reply
