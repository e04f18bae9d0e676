"""Signals become commands to the engine; and nothing keeps a process whose engine has ended.

| signal | screen or lines of the run itself | attached screen |
|---|---|---|
| TERM, INT | save and end | leave; the run continues |
| a second one, more than 0.5 s later | end within 10 s, saved or not | |
| one while the end waits for a disk or the mirror | wait no longer | |
| HUP, or the terminal is gone | train on without a screen | leave |
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
import traceback
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING

from engine.attach.client import RemoteSession
from engine.errors import VoicecoachError
from engine.formatting import plural
from engine.run.commands import Finish, ScreenDetached, TerminalStalled
from engine.run.snapshot import Phase, Snapshot
from engine.session import Session
from tui.process.logs import flush_log
from tui.process.streams import allow_freeing_writes

if TYPE_CHECKING:
    from tui.process.headless import Lines
    from tui.process.run import Screen

LOG = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_UNREAD_POLLS = 25
"""Polls in a row, of 5 s in all, at which an outlet takes no output before it counts as unread."""
_LET_GO_AFTER = 5.0
"""Seconds that the process gets to end by itself once its engine has."""
_END_AFTER = 8.0
"""Seconds after which it is ended."""
_SAME_SIGNAL = 0.5
"""Seconds within which signals count as one: whoever ends a whole group of processes sends it to
this one and to the front, which forwards it."""
_FORCED_AFTER = 10.0
"""Seconds that the engine gets to end after a second signal."""
_ALARM_AFTER = 20
"""Seconds after which the system ends the process, should the watch itself be lost."""
_INTERRUPTED = 75
"""EX_TEMPFAIL of sysexits.h: whoever started the process can start it again elsewhere."""


def exit_code(error: BaseException | None, *, interrupted: bool) -> int:
    """Return the exit code of a run: 0, 1, 2 for bad input, 75 where the cloud ended it."""
    if error is None:
        return _INTERRUPTED if interrupted else 0
    return error.exit_code if isinstance(error, VoicecoachError) else 1


class SignalWatch:
    """Hears signals, notices when a terminal is gone or unread, and sees the process to its end.

    A signal handler only notes the signal: what it interrupts may hold the very lock that a
    command needs. A daemon thread does the rest. Should that thread be lost, for want of memory
    say, the alarm that a second signal sets has the system end the process.
    """

    def __init__(self, session: Session | RemoteSession, outlet: "Screen | Lines") -> None:
        """Watch a session, and where the person looks: nothing called there may wait."""
        self._session = session
        self._outlet = outlet
        self._signals: SimpleQueue[signal.Signals] = SimpleQueue()
        # When the first signal to end came, and the first that was meant as another one.
        self._asked_at: float | None = None
        self._forced_at: float | None = None
        # Which of them was reported.
        self._reported_end = self._reported_force = False
        self._ended_at: float | None = None
        self._unread_polls = 0
        # When the screen of a failed run closes: as shown, and by our clock.
        self._screen_until = (0.0, 0.0)
        self._failure = ""
        self.closing = threading.Event()
        """Set once the main thread shows nothing more and is about to end the process."""
        self.hung_up = threading.Event()
        """Set by SIGHUP, or once nobody can see the outlet any more."""
        self.left = threading.Event()
        """Set once a signal or the end of the terminal closes an attached screen."""

    def handle_signals(self) -> None:
        """Install the handlers, before the engine starts; call it on the main thread."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, self._note)
        signal.signal(signal.SIGINT, self._note)
        # nohup asks for hang-ups to be ignored.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._note)
        allow_freeing_writes()

    def start(self) -> None:
        """Start watching a session that has been started."""
        threading.Thread(target=self._watch, name="voicecoach-watch", daemon=True).start()

    def join(self, timeout: float) -> bool:
        """Wait for the end of the session, or of its screen; return whether it has come."""
        return self.left.is_set() or self._session.join(timeout)

    def close(self) -> None:
        """Let the process end, and ignore signals: the exit code is that of the run."""
        self.closing.set()
        for of_end in (signal.SIGTERM, signal.SIGINT):
            signal.signal(of_end, signal.SIG_IGN)

    def _note(self, signum: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if signum == signal.SIGHUP:
            pass
        elif self._asked_at is None:
            self._asked_at = now
        elif self._forced_at is None and now - self._asked_at > _SAME_SIGNAL:
            self._forced_at = now
            signal.alarm(_ALARM_AFTER)
        self._signals.put(signal.Signals(signum))

    def _watch(self) -> None:
        # Restoring a terminal from the background must not stop the process.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        while True:
            try:
                with contextlib.suppress(Empty):
                    self._act(self._signals.get(timeout=_POLL_SECONDS))
                # After each signal, too: somebody may send them without a pause.
                self._check()
            except Exception as error:
                # Whatever it is: without this thread the process would hear no signal.
                self._note_failure(error)

    def _note_failure(self, error: Exception) -> None:
        try:
            if str(error) != self._failure:
                LOG.exception("the watch over signals failed, and continues")
            self._failure = str(error)
        except MemoryError:
            time.sleep(_POLL_SECONDS)

    def _act(self, received: signal.Signals) -> None:
        LOG.info("received %s", received.name)
        session = self._session
        if received is signal.SIGHUP:
            self._hang_up()
        elif isinstance(session, RemoteSession) and not session.started_here:
            self._outlet.tell(f"{received.name}: leaving; the run continues")
            self.left.set()
        else:
            self._finish(session, received.name)

    def _finish(self, session: Session | RemoteSession, name: str) -> None:
        if session.snapshot().end_waits_for:
            # The wait has said what that gives up.
            session.hurry()
            self._outlet.tell(f"{name}: waiting no longer")
        elif not self._reported_end:
            session.send(Finish(by_signal=True))
            self._outlet.tell(f"{name}: saving a checkpoint, then ending")
        self._reported_end = True
        if self._forced_at is not None and not self._reported_force:
            self._reported_force = True
            words = f"ending within {_FORCED_AFTER:.0f} s, whether or not the checkpoint is saved"
            self._outlet.tell(f"{name}: {words}")
            if isinstance(session, RemoteSession):
                session.hurry()

    def _hang_up(self) -> None:
        if self.hung_up.is_set():
            return
        LOG.info("the terminal is gone; the run continues without this screen")
        self.hung_up.set()
        self._outlet.let_go()
        if not self._session.reading:
            self._session.send(ScreenDetached())
        if isinstance(self._session, RemoteSession):
            self.left.set()
        self._outlet.close()

    def _check(self) -> None:
        if self._outlet.lost:
            self._hang_up()
        self._check_read()
        if self.join(0):
            if self._must_end():
                self._end()
        elif self._forced_at is not None and time.monotonic() - self._forced_at > _FORCED_AFTER:
            self._force()

    def _check_read(self) -> None:
        """Tell the run when nobody reads the outlet any more, and when somebody does again."""
        was_read = self._unread_polls < _UNREAD_POLLS
        self._unread_polls = 0 if self._outlet.takes_output else self._unread_polls + 1
        is_read = self._unread_polls < _UNREAD_POLLS
        if is_read is not was_read:
            LOG.info("the terminal takes %s", "output again" if is_read else "no output")
            self._session.send(TerminalStalled(not is_read))

    def _must_end(self) -> bool:
        """Whether the process has nothing to stay for.

        The screen of a run that failed stays until the person has read why, if one is there.
        """
        if self._reported_end or any(e.is_set() for e in (self.closing, self.hung_up, self.left)):
            return True
        last = self._session.snapshot()
        stays = last.phase is Phase.FAILED and not last.ended_because
        return not (stays and self._outlet.keeps_failures) or self._nobody_is_there(last)

    def _nobody_is_there(self, last: Snapshot) -> bool:
        """Whether nobody is there to read why the run failed; the machine costs meanwhile."""
        shown, now = last.wait_ends_at, time.monotonic()
        if shown is None:
            return False
        if self._screen_until[0] != shown:
            # By a clock that nobody sets.
            self._screen_until = shown, now + shown - time.time()
        return now >= self._screen_until[1] or self._unread_polls >= _UNREAD_POLLS

    def _end(self) -> None:
        if self._ended_at is None:
            self._ended_at = time.monotonic()
            self._outlet.close()
        waited = time.monotonic() - self._ended_at
        if waited > _END_AFTER:
            LOG.warning("the process did not end by itself; ending it; %s", _stacks_of_threads())
            flush_log()
            os._exit(self._exit_code())
        if waited > _LET_GO_AFTER:
            self._outlet.let_go()

    def _force(self) -> None:
        """End the process although its engine has not ended."""
        code = 1
        try:
            run = self._session.snapshot()
            sentence = f"ended by a second signal at step {run.step:,}"
            if run.unsaved:
                sentence += f"; {plural(run.unsaved, 'step')} not saved"
            else:
                sentence += ", which is saved"
                code = self._exit_code()
            self._outlet.let_go(f"voicecoach: {sentence}")
            LOG.error("%s; %s", sentence, _stacks_of_threads())
            flush_log()
        finally:
            os._exit(code)

    def _exit_code(self) -> int:
        if isinstance(self._session, RemoteSession):
            return 0
        return exit_code(self._session.error, interrupted=self._session.snapshot().interrupted)


def _stacks_of_threads() -> str:
    """Return where every thread is, for the log of a process that has to be ended."""
    frames = sys._current_frames()
    return "\n".join(
        f"{thread.name}, daemon {thread.daemon}:\n{''.join(traceback.format_stack(frame))}"
        for thread in threading.enumerate()
        if (frame := frames.get(thread.ident or 0)) is not None
    )
