"""Asks the cloud every few seconds whether it takes the machine away."""

import logging
from collections.abc import Callable
from typing import Protocol

from engine.choices import CloudName
from engine.machine.cloud.machine import CLOUDS, Cloud, Machine, SpotNotice
from engine.machine.cloud.metadata import MetadataError, OddReplyError

_log = logging.getLogger(__name__)

_EVERY = 5.0
"""Seconds between two looks, as AWS recommends."""
# Seconds between two looks at a service that does not answer: longer where it never did, which
# may not be there; short where it did, for a notice may come half a minute before the end.
_NEVER_ANSWERED, _ANSWERED = 60.0, 15.0
# Looks without an answer before the person is told.
_TOLD_AFTER = 3
# A deadline that moves towards us by more than this many seconds is told anew. One that moves away
# is not: of an end that has begun each look says that it comes now. A run that ends at the earlier
# time has lost minutes of training; one that trusts the later time could lose its last checkpoint.
_EARLIER = 2.0


class Listener(Protocol):
    """Who is told; all of it from the watcher's thread."""

    def machine_known(self, machine: Machine) -> None:
        """The cloud has said which machine this is."""
        ...

    def noticed(self, notice: SpotNotice) -> None:
        """A notice came, or another one, or an earlier end."""
        ...

    def notice_gone(self) -> None:
        """The notice that stood stands no more."""
        ...

    def happened(self, text: str, severity: str) -> None:
        """Something is to be told."""
        ...


class Watcher:
    """Looks, remembers what stands, and tells what changed."""

    def __init__(self, name: CloudName, cloud: Cloud, listener: Listener) -> None:
        self._service = f"the metadata service of {CLOUDS[name]}"
        self._cloud = cloud
        self._listener = listener
        self._machine: Machine | None = None
        self._standing: SpotNotice | None = None
        self._ever = False
        self._failures = 0
        self._odd: set[str] = set()

    def run(self, wait: Callable[[float], bool]) -> None:
        """Look until `wait`, which is given seconds, returns true; never raises."""
        told = ""
        pause = 0.0
        while not wait(pause):
            try:
                pause = self.look()
            except Exception as error:
                # A fault of ours: the next look may do better, and is worth a minute's training.
                pause = _NEVER_ANSWERED
                _log.exception("a look for spot notices failed")
                text = f"a look for spot notices failed: {type(error).__name__}: {error}"
                if text != told:
                    self._listener.happened(text, "error")
                told = text

    def look(self) -> float:
        """Look once; return the seconds until the next look is due."""
        self._identify()
        try:
            notice = self._cloud.notice()
        except OddReplyError as error:
            self._tell_odd(error)
            return _EVERY
        except MetadataError as error:
            return self._fail(error)
        if self._failures >= _TOLD_AFTER:
            self._listener.happened(f"{self._service} answers again", "information")
        self._ever, self._failures = True, 0
        self._compare(notice)
        return _EVERY

    def _identify(self) -> None:
        if self._machine is not None:
            return
        try:
            self._machine = self._cloud.identity()
        except OddReplyError as error:
            self._tell_odd(error)
        except MetadataError as error:
            # What follows fails too, and is counted.
            _log.info("%s %s", self._service, error)
        else:
            self._listener.machine_known(self._machine)

    def _compare(self, notice: SpotNotice | None) -> None:
        before = self._standing
        if notice is None:
            self._standing = None
            if before is not None:
                self._listener.notice_gone()
            return
        if before is None or before.text != notice.text or _is_earlier(notice, before):
            self._standing = notice
            self._listener.noticed(notice)

    def _tell_odd(self, error: OddReplyError) -> None:
        if str(error) not in self._odd and len(self._odd) < _TOLD_AFTER:
            self._odd.add(str(error))
            self._listener.happened(f"{self._service} {error}", "warning")

    def _fail(self, error: MetadataError) -> float:
        self._failures += 1
        if self._failures == _TOLD_AFTER:
            text = f"{self._service} {error}: no notice of an interruption can be seen"
            self._listener.happened(text, "warning")
        longest = _ANSWERED if self._ever else _NEVER_ANSWERED
        return float(min(longest, _EVERY * 2 ** min(self._failures - 1, 10)))


def _is_earlier(notice: SpotNotice, before: SpotNotice) -> bool:
    if notice.last_second is None or before.last_second is None:
        return before.last_second is None and notice.last_second is not None
    return notice.last_second < before.last_second - _EARLIER
