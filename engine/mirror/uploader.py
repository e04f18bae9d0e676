"""Copies a voice's checkpoints to its mirror, in a thread that training never waits for.

Every few seconds it compares the voice folder with the mirror and sends what is missing: the
newest checkpoint first, then the others, and every minute the small files, the spend among them.
What was pruned meanwhile is never sent, so that a slow network builds no queue.
"""

import contextlib
import logging
import math
import shlex
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine.choices import NETWORKS
from engine.errors import EngineError, InputError
from engine.machine.background import BackgroundThread
from engine.machine.lock import FolderLostError
from engine.mirror.address import checked_address, without_secrets
from engine.mirror.lease import Lease, LeaseLostError, MarkerLostError
from engine.mirror.store import Store, backoff, open_store
from engine.mirror.sync import GoneError, Sync
from engine.run.options import TrainOptions
from engine.run.publisher import NetworkPublisher, Publisher
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
# Seconds before a cloud reclaims the machine in which nothing is waited for.
_NOTICE_MARGIN = 1.0
# Seconds after which a wait looks whether it was ended.
_LOOK_SECONDS = 0.2


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
        self._lost = False
        """Whether this run can no longer send anything."""
        self._sends_spend = False
        """Whether the small files are sent now, not only when they are due."""
        self._given_up = False
        self._hurried = threading.Event()
        self._state = MirrorState(options.mirror or "")
        self._shown = without_secrets(self._state.address)
        self._thread = BackgroundThread("mirror", self._turn, publisher.event, every=_IDLE_SECONDS)

    def start(self) -> None:
        """Start sending, in a thread that ends with the process."""
        if self._options.mirror is not None:
            self._publisher.update(mirror=self._state)
            self._thread.start()
            if not self._thread.running:
                self._lose("not uploading: the system refused a thread")

    def wake(self, _saved: Path) -> None:
        """Compare now, as a checkpoint was saved; returns at once."""
        self._thread.request()

    def hurry(self) -> None:
        """Have the end of the run wait no longer; from any thread."""
        self._hurried.set()

    def finish(self, max_seconds: float = _CHECKPOINT_SECONDS) -> bool:
        """Wait until everything is safe in the mirror, but not for ever; return whether it is."""
        if not self._thread.running or self._folder_lost():
            return False
        seconds = min(max_seconds, self._seconds_left())
        self._publisher.update(end_waits_for="mirror", end_waits_until=time.time() + seconds)
        try:
            safe = self._send_all(min(seconds, _QUIET_SECONDS), threading.Event())
            if not (safe or self._lost):
                self._publisher.event(
                    f"mirror: sending what is saved to {self._shown}, for up to {seconds:.0f} s"
                )
                safe = self._send_all(max(0.0, seconds - _QUIET_SECONDS), self._hurried)
        finally:
            self._publisher.update(end_waits_for="")
        state = self._state
        if safe and state.safe_step is not None:
            self._publisher.event(f"mirror: step {state.safe_step:,} is safe at {self._shown}")
        if not safe:
            self._given_up = True
            hurried = "the wait was ended" if self._hurried.is_set() else "it takes longer"
            self._publisher.event(
                f"the last checkpoint is not in the mirror {self._shown} "
                f"({state.trouble or hurried}); it is safe on this machine, and the next run "
                f"sends it",
                "warning",
            )
        return safe

    def close(self, max_seconds: float = _SPEND_SECONDS) -> None:
        """Send the spend as it is at the end, in at most so many seconds; then nothing more."""
        waits = self._thread.running and not (self._given_up or self._state.trouble)
        seconds = min(max_seconds, self._seconds_left())
        if waits and not self._send_all(seconds, self._hurried):
            self._publisher.event(
                f"the last lines of the spend are not in the mirror {self._shown}; they "
                f"are safe on this machine, and the next run sends them",
                "warning",
            )
        self._thread.stop(wait=False)

    def _send_all(self, seconds: float, hurried: threading.Event) -> bool:
        """Have everything sent, again and again until it is; False if that takes too long."""
        end = time.monotonic() + seconds
        self._sends_spend = True
        try:
            while not self._lost:
                self._thread.request()
                while not self._thread.wait(min(_LOOK_SECONDS, max(0.0, end - time.monotonic()))):
                    if hurried.is_set() or time.monotonic() >= end:
                        return False
                if not self._state.trouble:
                    return True
                left = end - time.monotonic()
                if left <= 0 or hurried.wait(min(_LAST_TRY_SECONDS, left)):
                    return False
            return False
        finally:
            self._sends_spend = False

    def _folder_lost(self) -> bool:
        try:
            self._voice.locate()
        except FolderLostError:
            return True  # there is nothing left that could be sent
        except EngineError as error:
            _log.warning("still waiting for the mirror: %s", error)
        return False

    def _seconds_left(self) -> float:
        """How long the end may wait before the cloud takes the machine away."""
        notice = self._publisher.snapshot.spot_notice
        if notice is None or notice.last_second is None:
            return math.inf
        return max(0.0, notice.last_second - time.monotonic() - _NOTICE_MARGIN)

    # What follows runs in the uploader's thread.

    def _turn(self) -> float | None:
        """Compare and send once; return the seconds until the next try where that failed."""
        if self._lost or self._thread.stopped:
            return None
        try:
            self._bring_up_to_date()
        except (LeaseLostError, FolderLostError) as error:
            self._lose(str(error))
            return None
        except MarkerLostError as error:
            # A store that came back without what it held is filled again.
            self._sync = None
            return self._note_failure(f"{error}: everything is sent again")
        except Exception as error:
            # Whatever it is, training continues, and so do the tries.
            if not isinstance(error, EngineError | OSError):
                _log.exception("the mirror failed")
            return self._note_failure(without_secrets(error))
        self._failures = 0
        if self._state.trouble:
            step = self._state.safe_step
            self._publisher.event(
                f"mirror: {'nothing' if step is None else f'step {step:,}'} is safe at "
                f"{self._shown} again"
            )
        self._show(trouble="", since=None)
        return None

    def _bring_up_to_date(self) -> None:
        """Send what is missing, newest first, then remove what is no longer kept.

        Raises `LeaseLostError` where another run has taken over the mirror, `EngineError` where it
        cannot be reached or written, or the voice folder is gone.
        """
        if self._sync is None:
            self._voice.locate()
            if not any(map(self._voice.checkpoints, NETWORKS)):
                return  # a voice without a checkpoint leaves no trace in a mirror
            self._sync = self._acquire()
        sync, sent = self._sync, False
        while (missing := sync.missing()) and not self._thread.stopped:
            self._show(pending=len(missing))
            start = time.monotonic()
            with contextlib.suppress(GoneError):
                sync.send_checkpoint(*missing[0])
                self._show(safe_step=sync.safe_step(), seconds=time.monotonic() - start)
                sent = True
                sync.send_small_files()
        self._show(pending=0, safe_step=sync.safe_step())
        if sent:
            sync.remove_superseded()
        sync.send_small_files(now=self._sends_spend)

    def _acquire(self) -> Sync:
        if self._lease is None:
            try:
                store = self._open_store(self._state.address)
            except InputError as error:
                raise LeaseLostError(str(error)) from error
            self._lease = Lease(store, self._voice, self._options.mirror_sequence)
        return Sync(self._voice, self._options.network, self._lease, self._warn)

    def _note_failure(self, text: str) -> float:
        """Report a failure; return the seconds until the next try."""
        self._report_trouble(text, "warning")
        self._failures += 1
        return backoff(self._failures)

    def _lose(self, text: str) -> None:
        self._lost = True
        self._report_trouble(text, "error")

    def _show(self, **changes: object) -> None:
        state = replace(self._state, **changes)  # type: ignore[arg-type]
        if state != self._state:
            self._state = state
            self._publisher.update(mirror=state)
            if self._publisher.snapshot.other is not None and self._sync is not None:
                own = replace(state, safe_step=self._sync.safe_step("ssrn"))
                NetworkPublisher(self._publisher, "ssrn").update(mirror=own)

    def _warn(self, text: str) -> None:
        self._publisher.event(text, "warning")

    def _report_trouble(self, text: str, severity: str) -> None:
        if not self._state.trouble:
            self._publisher.event(f"mirror: {text}", severity)
        since = self._state.since if self._state.trouble else time.time()
        self._show(trouble=text, since=since, pending=max(1, self._state.pending))
