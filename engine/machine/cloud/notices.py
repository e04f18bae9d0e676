"""Polls a cloud's metadata service for spot notices, and reports what changed."""

import logging
import math
from collections.abc import Callable

from engine.machine.background import BackgroundThread, Report
from engine.machine.cloud.machine import CLOUD_NAMES, Machine, NoticeGone, SpotNews, SpotNotice
from engine.machine.cloud.metadata import MetadataError, OddReplyError
from engine.machine.cloud.providers import Provider

_log = logging.getLogger(__name__)

_POLL_SECONDS = 5.0
"""Between two checks, as AWS recommends."""
# Between two checks of a service that does not answer: long where it never did and may not exist;
# short where it did, for a notice may come half a minute before the end.
_NEVER_ANSWERED_SECONDS, _ANSWERED_SECONDS = 60.0, 15.0
# Checks without an answer before that is reported.
_REPORTED_FAILURES = 3
# A deadline that comes closer by more than these seconds is reported anew. One that moves away is
# not: of an end that has begun each check says that it comes now, and a run that trusts the later
# time could lose its last checkpoint.
_EARLIER = 2.0


class NoticeWatcher:
    """Remembers the notice in force and sends each change to the trainer."""

    def __init__(
        self,
        cloud: Provider,
        send: Callable[[SpotNews], None],
        on_machine: Callable[[Machine], None],
        report: Report,
    ) -> None:
        """Prepare to watch; the trainer gets what it has to know by `send`."""
        self._cloud = cloud
        self._service = f"the metadata service of {CLOUD_NAMES[cloud.name]}"
        self._send = send
        self._on_machine = on_machine
        self._report = report
        self.poller = BackgroundThread(
            "spot notices", self.check, report, every=_NEVER_ANSWERED_SECONDS
        )
        self._identified = self._answered = False
        self._notice: SpotNotice | None = None
        self._failures = 0
        self._odd: set[str] = set()

    def check(self) -> float:
        """Check once; return the seconds until the next check is due."""
        try:
            if not self._identified:
                self._identify()
            notice = self._cloud.notice()
        except OddReplyError as error:
            self._report_odd(error)
            return _POLL_SECONDS
        except MetadataError as error:
            return self._fail(error)
        if self._failures >= _REPORTED_FAILURES:
            self._report(f"{self._service} answers again", "information")
        self._answered, self._failures = True, 0
        self._compare(notice)
        return _POLL_SECONDS

    def _identify(self) -> None:
        try:
            machine = self._cloud.identity()
        except OddReplyError as error:
            self._report_odd(error)
        except MetadataError as error:
            # The request for a notice fails too, and is counted.
            _log.info("%s %s", self._service, error)
        else:
            self._identified = True
            self._on_machine(machine)

    def _compare(self, notice: SpotNotice | None) -> None:
        before = self._notice
        if notice is None:
            self._notice = None
            if before is not None:
                self._send(NoticeGone())
        elif before is None or before.text != notice.text or _end(notice) < _end(before) - _EARLIER:
            self._notice = notice
            self._send(notice)

    def _report_odd(self, error: OddReplyError) -> None:
        if str(error) not in self._odd and len(self._odd) < _REPORTED_FAILURES:
            self._odd.add(str(error))
            self._report(f"{self._service} {error}", "warning")

    def _fail(self, error: MetadataError) -> float:
        self._failures += 1
        if self._failures == _REPORTED_FAILURES:
            text = f"{self._service} {error}: interruptions will go unnoticed"
            self._report(text, "warning")
        longest = _ANSWERED_SECONDS if self._answered else _NEVER_ANSWERED_SECONDS
        return float(min(longest, _POLL_SECONDS * 2 ** min(self._failures - 1, 10)))


def _end(notice: SpotNotice) -> float:
    return math.inf if notice.last_second is None else notice.last_second
