"""Copies a voice's checkpoints to its mirror, in a thread that training never waits for.

Every few seconds it compares the voice folder with the mirror and sends what is missing: the
newest checkpoint first, then the others, and every minute the small files, the spend among them.
What was pruned meanwhile is never sent, so that a slow network builds no queue.
"""

import contextlib
import logging
import math
import shlex
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine.choices import NETWORKS
from engine.errors import EngineError, InputError
from engine.machine.lock import FolderLostError
from engine.mirror.address import checked_address, without_secrets
from engine.mirror.lease import Lease, LeaseLostError, MarkerLostError
from engine.mirror.store import MirrorError, Store, backoff, open_store
from engine.mirror.sync import GoneError, Sync
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import MirrorState
from engine.voice.folder import Voice

_log = logging.getLogger(__name__)

# Seconds between two comparisons of the voice folder with the mirror.
_IDLE_SECONDS = 2.0
# Seconds between two tries while the end of the run waits for the last checkpoint.
_LAST_TRY_SECONDS = 3.0
# Seconds that the end of a run may take without a message.
_QUIET_SECONDS = 1.0
# Seconds that the end of a run waits for the last checkpoint to be safe in the mirror.
_CHECKPOINT_SECONDS = 120.0
# Seconds that the end of a run waits for the last of the spend, once all else is in the mirror.
_SPEND_SECONDS = 10.0
# Seconds before a cloud takes the machine away in which nothing is waited for any more.
_NOTICE_MARGIN = 1.0


def report_unused_mirror(voice: Voice, publisher: Publisher) -> None:
    """Warn where a voice names a mirror and the person did not: nothing is copied.

    A `voice.toml` may be somebody else's: to copy to the place it names would be to write, with
    this person's credentials, where a stranger wants it. The person may count on the copy.
    """
    address = voice.settings.mirror
    if address is None:
        return
    shown = without_secrets(address)
    try:
        usable = checked_address(address)
    except (InputError, RuntimeError):  # RuntimeError: it begins with ~ and nobody's name
        usable = shown
    text = f"voice.toml names the mirror {shown}; add --mirror {shlex.quote(usable)} to copy"
    publisher.update(mirror=MirrorState(usable, trouble=f"{text} there", unused=True))
    publisher.event(f"{text} checkpoints there", "warning")


class Uploader:
    """Keeps the mirror of a voice in line with the voice; without an address, does nothing."""

    def __init__(
        self,
        voice: Voice,
        options: TrainOptions,
        publisher: Publisher,
        open_store: Callable[[str], Store] = open_store,
    ) -> None:
        """Prepare; the mirror is not touched before `start`.

        Args:
            voice: whose checkpoints.
            options: name the mirror, as `restore_from_mirror` left it, and the network.
            publisher: receives the mirror's state and events, from another thread.
            open_store: opens the mirror.
        """
        self._voice = voice
        self._options = options
        self._publisher = publisher
        self._open_store = open_store
        self._lease: Lease | None = None
        self._sync: Sync | None = None
        self._failures = 0
        self._wake = threading.Event()
        self._closed = threading.Event()
        # How often "send everything" was requested, and how much of that has been done.
        self._changed = threading.Condition()
        self._requested = self._done = 0
        self._given_up = self._hurried = False
        self._state = MirrorState(options.mirror or "")
        self._shown = without_secrets(self._state.address)
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)

    def start(self) -> None:
        """Start sending, in a thread that ends with the process."""
        if self._options.mirror is not None:
            self._publisher.update(mirror=self._state)
            self._thread.start()

    def wake(self, _saved: Path) -> None:
        """Compare now, as a checkpoint was saved; returns at once."""
        self._wake.set()

    def finish(self, max_seconds: float = _CHECKPOINT_SECONDS) -> bool:
        """Wait until everything is safe in the mirror, but not for ever; return whether it is."""
        if self._thread.ident is None or self._folder_lost():
            return False
        seconds = min(max_seconds, self._seconds_left())
        self._publisher.update(end_waits_for="mirror", end_waits_until=time.time() + seconds)
        try:
            return self._finish(seconds)
        finally:
            self._publisher.update(end_waits_for="")

    def _finish(self, seconds: float) -> bool:
        request = self._request()
        if not self._wait_for(request, min(seconds, _QUIET_SECONDS), can_hurry=False):
            self._publisher.event(
                f"mirror: sending what is saved to {self._shown}, for up to {seconds:.0f} s"
            )
            self._wait_for(request, max(0.0, seconds - _QUIET_SECONDS))
        state = self._state
        if self._wait_for(request, 0) and not state.trouble:
            if state.safe_step is not None:
                self._publisher.event(f"mirror: step {state.safe_step:,} is safe at {self._shown}")
            return True
        self._given_up = True
        why = state.trouble or ("the wait was ended" if self._hurried else "it takes longer")
        self._publisher.event(
            f"the last checkpoint is not in the mirror {self._shown} ({why}); it is safe on this "
            f"machine, and the next run sends it",
            "warning",
        )
        return False

    def _folder_lost(self) -> bool:
        try:
            self._voice.locate()
        except FolderLostError:
            return True  # there is nothing left that could be sent
        except EngineError as error:
            _log.warning("waiting for the mirror all the same: %s", error)
        return False

    def _seconds_left(self) -> float:
        """How long the end may wait before the cloud takes the machine away."""
        notice = self._publisher.snapshot.spot_notice
        if notice is None or notice.last_second is None:
            return math.inf
        return max(0.0, notice.last_second - time.monotonic() - _NOTICE_MARGIN)

    def close(self, max_seconds: float = _SPEND_SECONDS) -> None:
        """Send the spend as it is at the end, in at most so many seconds; then nothing more."""
        waits = self._thread.ident is not None and not (self._given_up or self._state.trouble)
        if waits and not self._wait_for(self._request(), min(max_seconds, self._seconds_left())):
            self._publisher.event(
                f"the last lines of the spend are not in the mirror {self._shown}; they "
                f"are safe on this machine, and the next run sends them",
                "warning",
            )
        self._closed.set()
        self._wake.set()

    def hurry(self) -> None:
        """Have the end of the run wait no longer; from any thread."""
        with self._changed:
            self._hurried = True
            self._changed.notify_all()

    def _request(self) -> int:
        with self._changed:
            self._requested += 1
        self._wake.set()
        return self._requested

    def _wait_for(self, request: int, seconds: float, *, can_hurry: bool = True) -> bool:
        """Wait until a request is done, or never will be; return whether that is so."""
        with self._changed:
            self._changed.wait_for(
                lambda: (self._hurried and can_hurry) or self._done >= request, seconds
            )
            return self._done >= request

    def _finish_request(self, request: int) -> None:
        with self._changed:
            self._done = max(self._done, request)
            self._changed.notify_all()

    # What follows runs in the uploader's thread.

    def _run(self) -> None:
        while not self._closed.is_set():
            request = self._requested
            try:
                self._bring_up_to_date(now=request > self._done)
            except (LeaseLostError, FolderLostError) as error:
                self._report_trouble(str(error), "error")
                self._finish_request(sys.maxsize)
                return
            except MarkerLostError as error:
                # A store that came back without what it held is filled again.
                self._sync = None
                seconds = self._note_failure(MirrorError(f"{error}: everything is sent again"))
            except Exception as error:
                # Whatever it is, training continues, and so do the tries.
                seconds = self._note_failure(error)
            else:
                self._note_success()
                self._finish_request(request)
                seconds = _IDLE_SECONDS
            if self._requested > self._done:
                seconds = min(seconds, _LAST_TRY_SECONDS)
            self._wake.wait(seconds)
            self._wake.clear()

    def _bring_up_to_date(self, *, now: bool) -> None:
        """Send what is missing, newest first, then remove what is no longer kept.

        The small files are sent when they are due, or `now`.

        Raises:
            LeaseLostError: another run has taken over the mirror.
            EngineError: the mirror cannot be reached or written, or the voice folder is gone.
        """
        if self._sync is None:
            self._voice.locate()
            if not any(map(self._voice.checkpoints, NETWORKS)):
                return  # a voice without a checkpoint leaves no trace in a mirror
            self._sync = self._acquire()
        sync, sent = self._sync, False
        while (missing := sync.missing()) and not self._closed.is_set():
            self._show(pending=len(missing))
            start = time.monotonic()
            with contextlib.suppress(GoneError):
                sync.send_checkpoint(*missing[0])
                self._show(safe_step=sync.safe_step, seconds=time.monotonic() - start)
                sent = True
                sync.send_small_files()
        self._show(pending=0, safe_step=sync.safe_step)
        if sent:
            sync.remove_superseded()
        sync.send_small_files(now=now)

    def _acquire(self) -> Sync:
        if self._lease is None:
            try:
                store = self._open_store(self._state.address)
            except InputError as error:
                raise LeaseLostError(str(error)) from error
            self._lease = Lease(store, self._voice, self._options.mirror_sequence)
        return Sync(self._voice, self._options.network, self._lease, self._warn)

    def _note_failure(self, error: Exception) -> float:
        """Report a failure; return the seconds until the next try."""
        if not isinstance(error, EngineError | OSError):
            _log.exception("the mirror failed")
        self._report_trouble(without_secrets(error), "warning")
        self._failures += 1
        return backoff(self._failures)

    def _note_success(self) -> None:
        self._failures = 0
        if self._state.trouble:
            step = self._state.safe_step
            self._publisher.event(
                f"mirror: {'nothing' if step is None else f'step {step:,}'} is safe at "
                f"{self._shown} again"
            )
        self._show(trouble="", since=None)

    def _show(self, **changes: object) -> None:
        state = replace(self._state, **changes)  # type: ignore[arg-type]
        if state != self._state:
            self._state = state
            self._publisher.update(mirror=state)

    def _warn(self, text: str) -> None:
        self._publisher.event(text, "warning")

    def _report_trouble(self, text: str, severity: str) -> None:
        if not self._state.trouble:
            self._publisher.event(f"mirror: {text}", severity)
        since = self._state.since if self._state.trouble else time.time()
        self._show(trouble=text, since=since, pending=max(1, self._state.pending))
