"""Sends a voice's checkpoints to its mirror, in a thread of its own that training never waits for.

It looks at the voice folder every few seconds and brings the mirror to where that is: the newest
checkpoint first, then whatever else is kept, and every minute the small files, the ledger among
them. What the pruning of the folder took away meanwhile is never sent, so that a slow network makes
no queue.
"""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from engine.choices import NetworkName
from engine.errors import EngineError, InputError
from engine.machine.lock import FolderLostError
from engine.mirror.address import told
from engine.mirror.backoff import Backoff
from engine.mirror.bookkeeping import EVERY_SECONDS, Bookkeeping
from engine.mirror.delivery import Delivery
from engine.mirror.lease import LostMarkerError, Possession, TakenError
from engine.mirror.outgoing import GoneError, Outgoing
from engine.mirror.store import Target
from engine.run.snapshot import MirrorState
from engine.voice.folder import Voice

_log = logging.getLogger(__name__)

# Seconds between two looks at the voice folder.
_IDLE_SECONDS = 2.0
# Seconds between two tries while the end of the run waits for the last checkpoint.
_LAST_SECONDS = 3.0
# Seconds that the end of a run takes without a word.
_PATIENCE = 1.0


@dataclass(frozen=True)
class Hearers:
    """Who hears of a mirror's state and of what happens; called from the sender's thread."""

    state: Callable[[MirrorState], None]
    event: Callable[[str, str], None]
    """Text and severity."""


class Sender:
    """Keeps the mirror of a voice where the voice is."""

    def __init__(
        self,
        voice: Voice,
        network: NetworkName,
        open_target: Callable[[], Target],
        hearers: Hearers,
        *,
        seen: int | None,
        backoff: Backoff | None = None,
        idle: float | None = None,
        every: float = EVERY_SECONDS,
    ) -> None:
        """Prepare to send; nothing is asked of the mirror before `start`.

        Args:
            voice: whose checkpoints; its settings have an id and a mirror.
            network: the one that is trained, which goes first.
            open_target: opens the mirror.
            hearers: who hears of it.
            seen: the highest sequence in the mirror when the run looked at it, None where it
                could not. A mirror that holds more by the time of the first sending has been
                written by another run.
            backoff: how long to wait after failures.
            idle: seconds between two looks at the voice folder.
            every: seconds between two sendings of the small files.
        """
        assert voice.settings.mirror is not None
        self._open_target = open_target
        self._hearers = hearers
        self._outgoing = Outgoing(voice, network, self._tell_damaged)
        self._possession = Possession(self._outgoing, seen)
        self._backoff = backoff or Backoff()
        self._idle = _IDLE_SECONDS if idle is None else idle
        self._target: Target | None = None
        self._every = every
        self._delivery: Delivery | None = None
        self._books: Bookkeeping | None = None
        self._wake = threading.Event()
        self._turn = threading.Condition()
        # How often all was asked to be there, and what of that has been answered.
        self._asked = self._answered = 0
        self._given_up = self._hurried = False
        self._not_removed: set[str] = set()
        self._closed = threading.Event()
        self._state = MirrorState(told(voice.settings.mirror))
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)

    def start(self) -> None:
        """Start sending, in a thread that ends with the process."""
        self._hearers.state(self._state)
        self._thread.start()

    def wake(self, _saved: Path) -> None:
        """Look at the voice folder now, for a checkpoint has been saved; returns at once."""
        self._wake.set()

    def finish(self, seconds: float) -> bool:
        """Wait until all that is kept here is safe there, at most so long.

        Returns:
            Whether it is.
        """
        asked = self._ask()
        if not self._is_answered(asked, min(seconds, _PATIENCE), hurried=False):
            self._hearers.event(
                f"mirror: sending what is saved to {self._state.address}, for {seconds:.0f} s at "
                f"most",
                "information",
            )
            self._is_answered(asked, max(0.0, seconds - _PATIENCE))
        state = self._state
        if self._is_answered(asked, 0) and not state.trouble:
            if state.safe_step is not None:
                text = f"mirror: step {state.safe_step:,} is safe at {state.address}"
                self._hearers.event(text, "information")
            return True
        self._given_up = True
        why = state.trouble or ("nobody waits for it" if self._hurried else "it takes longer")
        self._hearers.event(
            f"the last checkpoint is not at the mirror {state.address} ({why}); it is safe on this "
            f"machine, and the next run sends it",
            "warning",
        )
        return False

    def close(self, seconds: float) -> None:
        """Send what the small files say at the end, in so many seconds at most; then no more."""
        waits = not self._given_up and not self._state.trouble
        if waits and not self._is_answered(self._ask(), seconds):
            self._hearers.event(
                f"the last lines of the ledger are not at the mirror {self._state.address}; they "
                f"are safe on this machine, and the next run sends them",
                "warning",
            )
        self._closed.set()
        self._wake.set()

    def hurry(self) -> None:
        """Have the end of the run wait no longer; from any thread."""
        with self._turn:
            self._hurried = True
            self._turn.notify_all()

    def _ask(self) -> int:
        with self._turn:
            self._asked += 1
        self._wake.set()
        return self._asked

    def _is_answered(self, asked: int, seconds: float, *, hurried: bool = True) -> bool:
        """Whether all that there was by then is there, or the mirror is lost to us.

        A wait that is not to be `hurried` takes its time whatever was asked.
        """
        with self._turn:
            self._turn.wait_for(
                lambda: (self._hurried and hurried) or self._answered >= asked,
                seconds,
            )
            return self._answered >= asked

    def _answer(self, asked: int) -> None:
        with self._turn:
            self._answered = asked
            self._turn.notify_all()

    # What follows is for the sender's own thread.

    def _run(self) -> None:
        while not self._closed.is_set():
            asked = self._asked
            try:
                self._bring_up_to_date(at_once=asked > self._answered)
            except (TakenError, FolderLostError) as error:
                self._note_trouble(str(error), "error")
                self._answer(sys.maxsize)
                return
            except LostMarkerError as error:
                # A store that came back without what it held is filled again.
                self._delivery = self._books = None
                self._note_trouble(f"{error}: all is sent there again", "warning")
                seconds = self._backoff.failed()
            except Exception as error:
                # Whatever it is, training goes on, and so do the tries.
                if not isinstance(error, EngineError | OSError):
                    _log.exception("the mirror failed")
                self._note_trouble(told(error), "warning")
                seconds = self._backoff.failed()
            else:
                self._note_success()
                seconds = self._idle
                if asked > self._answered:
                    self._answer(asked)
            if self._asked > self._answered:
                seconds = min(seconds, _LAST_SECONDS)
            self._wake.wait(seconds)
            self._wake.clear()

    def _bring_up_to_date(self, *, at_once: bool) -> None:
        """Send what is missing, the newest first, then remove what is kept no longer.

        The small files are sent when it is time for them, or `at_once`.

        Raises:
            MirrorError: the mirror cannot be reached or written.
            TakenError: another run writes there.
        """
        if self._delivery is None or self._books is None:
            if not self._outgoing.checkpoints():
                # A voice that is given up before its first checkpoint leaves no trace there.
                return
            self._delivery, self._books = self._begin()
        sent = False
        while (missing := self._delivery.missing()) and not self._closed.is_set():
            self._say(pending=len(missing))
            start = time.monotonic()
            with contextlib.suppress(GoneError):
                self._delivery.send(*missing[0])
                self._say(safe_step=self._delivery.safe_step, seconds=time.monotonic() - start)
                sent = True
                self._books.send(self._delivery.sequence)
        self._say(pending=0, safe_step=self._delivery.safe_step)
        if sent:
            self._delivery.remove_superseded()
        if self._delivery.sequence:
            self._books.send(self._delivery.sequence, at_once=at_once)
        self._tell_not_removed()

    def _begin(self) -> tuple[Delivery, Bookkeeping]:
        try:
            if self._target is None:
                self._target = self._open_target()
        except InputError as error:
            raise TakenError(str(error)) from error
        delivery = Delivery(self._outgoing, self._target, self._possession)
        return delivery, Bookkeeping(self._outgoing, self._target, self._possession, self._every)

    # What is told.

    def _say(self, **changes: object) -> None:
        state = replace(self._state, **changes)  # type: ignore[arg-type]
        if state != self._state:
            self._state = state
            self._hearers.state(state)

    def _tell_damaged(self, checkpoint: Path) -> None:
        self._hearers.event(f"{checkpoint} is damaged and not sent to the mirror", "warning")

    def _tell_not_removed(self) -> None:
        """Tell once of each thing in the mirror that cannot be removed."""
        assert self._target is not None
        for key, why in self._target.not_removed.items():
            if key not in self._not_removed:
                self._not_removed.add(key)
                text = f"mirror: {why}; no longer needed: delete it by hand"
                self._hearers.event(text, "warning")

    def _note_trouble(self, text: str, severity: str) -> None:
        if not self._state.trouble:
            self._hearers.event(f"mirror: {text}", severity)
        since = self._state.since if self._state.trouble else time.time()
        self._say(trouble=text, since=since, pending=max(1, self._count_missing()))

    def _count_missing(self) -> int:
        try:
            if self._delivery is None:
                return len(self._outgoing.checkpoints())
            return len(self._delivery.missing())
        except (OSError, EngineError):
            # The disk is the trouble that is being told of.
            return 1

    def _note_success(self) -> None:
        self._backoff.succeeded()
        if self._state.trouble:
            safe = self._state.safe_step
            self._hearers.event(
                f"mirror: {'nothing' if safe is None else f'step {safe:,}'} is safe at "
                f"{self._state.address} again",
                "information",
            )
        self._say(trouble="", since=None)
