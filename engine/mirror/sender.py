"""Sends a voice's checkpoints to its mirror, in a thread of its own that training never waits for.

It looks at the voice folder every few seconds and brings the mirror to where that is: the newest
checkpoint first, then whatever else is kept. What the pruning of the folder took away meanwhile
is never sent, so that a slow network makes no queue.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from engine.choices import NetworkName
from engine.errors import EngineError, InputError
from engine.mirror.address import told
from engine.mirror.backoff import Backoff
from engine.mirror.delivery import Delivery
from engine.mirror.outgoing import GoneError, Outgoing
from engine.mirror.possession import Possession, TakenError
from engine.mirror.target import Target
from engine.snapshot import MirrorState
from engine.voice import Voice

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
        """
        assert voice.settings.mirror is not None
        self._open_target = open_target
        self._hearers = hearers
        self._outgoing = Outgoing(voice, network, self._tell_damaged)
        self._possession = Possession(self._outgoing, seen)
        self._backoff = backoff or Backoff()
        self._idle = _IDLE_SECONDS if idle is None else idle
        self._target: Target | None = None
        self._delivery: Delivery | None = None
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._through = threading.Event()
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
        """Wait until all that is kept here is safe there, at most so long; then send no more.

        Returns:
            Whether it is.
        """
        self._ending.set()
        self._wake.set()
        if not self._through.wait(min(seconds, _PATIENCE)):
            self._hearers.event(
                f"mirror: sending what is saved to {self._state.address}, for {seconds:.0f} s at "
                f"most",
                "information",
            )
            self._through.wait(max(0.0, seconds - _PATIENCE))
        through = self._through.is_set()
        self._closed.set()
        self._wake.set()
        state = self._state
        if through and not state.trouble:
            if state.safe_step is not None:
                text = f"mirror: step {state.safe_step:,} is safe at {state.address}"
                self._hearers.event(text, "information")
            return True
        why = state.trouble or "it takes longer"
        self._hearers.event(
            f"the last checkpoint is not at the mirror {state.address} ({why}); it is safe on this "
            f"machine, and the next run sends it",
            "warning",
        )
        return False

    # What follows is for the sender's own thread.

    def _run(self) -> None:
        while not self._closed.is_set():
            ending = self._ending.is_set()
            try:
                self._bring_up_to_date()
            except TakenError as error:
                self._note_trouble(str(error), "error")
                self._through.set()
                return
            except Exception as error:
                # Whatever it is, training goes on, and so do the tries.
                if not isinstance(error, EngineError | OSError):
                    _log.exception("the mirror failed")
                self._note_trouble(told(error), "warning")
                seconds = self._backoff.failed()
            else:
                self._note_success()
                seconds = self._idle
                if ending:
                    self._through.set()
            if self._ending.is_set():
                seconds = min(seconds, _LAST_SECONDS)
            self._wake.wait(seconds)
            self._wake.clear()

    def _bring_up_to_date(self) -> None:
        """Send what is missing, the newest first, then remove what is kept no longer.

        Raises:
            MirrorError: the mirror cannot be reached or written.
            TakenError: another run writes there.
        """
        if self._delivery is None:
            if not self._outgoing.checkpoints():
                # A voice that is given up before its first checkpoint leaves no trace there.
                return
            self._delivery = self._begin()
        sent = False
        while (missing := self._delivery.missing()) and not self._closed.is_set():
            self._say(pending=len(missing))
            start = time.monotonic()
            with contextlib.suppress(GoneError):
                self._delivery.send(*missing[0])
                self._say(safe_step=self._delivery.safe_step, seconds=time.monotonic() - start)
                sent = True
        self._say(pending=0, safe_step=self._delivery.safe_step)
        if sent:
            self._delivery.remove_superseded()

    def _begin(self) -> Delivery:
        try:
            if self._target is None:
                self._target = self._open_target()
        except InputError as error:
            raise TakenError(str(error)) from error
        return Delivery(self._outgoing, self._target, self._possession)

    # What is told.

    def _say(self, **changes: object) -> None:
        state = replace(self._state, **changes)  # type: ignore[arg-type]
        if state != self._state:
            self._state = state
            self._hearers.state(state)

    def _tell_damaged(self, checkpoint: Path) -> None:
        self._hearers.event(f"{checkpoint} is damaged and not sent to the mirror", "warning")

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
        except OSError:
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
