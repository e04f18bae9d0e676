"""Runs the screen: over a run that this process trains, or over one that another trains.

The engine or the connection has its own thread, the app has the main thread; both are seen to
their end here.
"""

import logging
import os
import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, TextIO

from engine.attach.client import RemoteSession
from engine.files import absolute_path
from engine.run.commands import Command, Finish, KeyPressed, ScreenDetached, TerminalStalled
from engine.run.options import TrainOptions
from engine.run.snapshot import Phase, Snapshot
from engine.session import Session
from tui.process.background import Front, open_front
from tui.process.endings import ExitReason, LastWait, closing_lines, describe_end, describe_error
from tui.process.logs import flush_log, log_of_this_process, open_log, open_to_print
from tui.process.signals import SignalWatch, WatchedSession, exit_code
from tui.process.terminal import Suspension, Terminal

LOG = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_MAX_FAILURES = 3
"""Failures of a screen within `_FAILS_WITHIN` after which it is opened once more."""
_FAILS_WITHIN = 60.0
"""Seconds."""

Closed = Literal["end", "keep training", "crashed"]


def train_with_screen(make_options: Callable[[], TrainOptions], *, ascii_only: bool) -> int:
    """Train with the screen open; return the exit code.

    Args:
        make_options: makes the options, and may prepare files for them. It is called in the
            process that trains.
        ascii_only: draw without Unicode blocks.

    Raises:
        InputError: the options cannot be used.
    """
    terminal = Terminal()
    front = open_front(terminal)
    options = replace(make_options(), attended=True)
    session = Session(options)
    log = open_log(options.voice_folder)
    screen = Screen(terminal, front, session, ascii_only=ascii_only)
    return _OwnRun(session, screen, SignalWatch(session, screen), log).run()


def attach_with_screen(voice: Path, *, reading: bool, ascii_only: bool) -> int:
    """Open the screen on the run of a voice folder; return the exit code.

    Args:
        voice: the voice folder.
        reading: the screen is read-only.
        ascii_only: draw without Unicode blocks.

    Raises:
        InputError: nobody trains the voice, or whoever does cannot be attached to.
    """
    terminal = Terminal()
    # The front outlives a screen that is killed, and closes it.
    front = open_front(terminal, if_killed="the run itself continues")
    session = RemoteSession(voice, reading=reading)
    log = log_of_this_process()
    screen = Screen(terminal, front, session, ascii_only=ascii_only)
    try:
        return _AttachedRun(session, screen, log, voice, reading=reading).run()
    finally:
        session.close()
        flush_log()
        with suppress(FileNotFoundError):
            if log.stat().st_size == 0:
                log.unlink()


class Screen:
    """The app and the terminal that it is drawn on: an `Outlet` for the signal watch."""

    def __init__(
        self,
        terminal: Terminal,
        front: Front,
        session: Session | RemoteSession,
        *,
        ascii_only: bool,
    ) -> None:
        """Prepare the app, which draws in ASCII alone where `ascii_only`."""
        from tui.app import VoicecoachApp
        from tui.audio.sound_card import SoundCard

        self.player = SoundCard()
        self._make_app = partial(VoicecoachApp, session, self.player, ascii_only=ascii_only)
        self._failures: list[float] = []
        self._is_to_close = False
        self.app: VoicecoachApp = self._make_app()
        self.terminal = terminal
        self.front = front
        self.open = True
        """Whether the app runs, so that it and not the terminal is what the person reads."""

    def reopen(self) -> bool:
        """Replace an app that failed; false where it was to close anyway, or fails all the time."""
        now = time.monotonic()
        self._failures = [at for at in self._failures if now - at < _FAILS_WITHIN] + [now]
        if self._is_to_close or self.lost or len(self._failures) > _MAX_FAILURES:
            return False
        self.app = self._make_app()
        return True

    @property
    def lost(self) -> bool:
        """Whether the terminal, or the process that holds it for us, is gone under the screen."""
        return self.open and (self.terminal.gone or self.front.lost)

    @property
    def keeps_failures(self) -> bool:
        """Whether the screen of a run that failed stays until somebody has read why."""
        return self.open

    @property
    def takes_output(self) -> bool:
        """Whether the terminal takes what the screen draws."""
        return not self.open or self.terminal.takes_output

    def tell(self, text: str) -> None:
        """Show a sentence on the screen, or below it once it is closed."""
        if self.open:
            self.app.call_later(self.app.notify, text)
        else:
            self.terminal.say(text)

    def close(self) -> None:
        """Ask the app to end."""
        self._is_to_close = True
        if self.open:
            self.app.exit(ExitReason.ENDED)

    def let_go(self, last_words: str = "") -> None:
        """Leave the terminal as it was found, and for good."""
        self.terminal.put_back(screen_open=self.open)
        if last_words:
            self.terminal.say(last_words)
        self.terminal.leave()

    def show(self, log: TextIO) -> Closed:
        """Show the app until it closes, and return why; one that fails is opened again.

        `log` is an open file that gets what libraries print meanwhile.
        """
        closed = self._show_once(log)
        while closed == "crashed" and self.reopen():
            sentence = "The screen failed and was opened again; see the log."
            self.app.call_later(self.app.notify, sentence, severity="warning")
            closed = self._show_once(log)
        self.open = False
        self.player.stop()
        return closed

    def _show_once(self, log: TextIO) -> Closed:
        app, terminal, raised = self.app, self.terminal, False
        with terminal.drawn_on(log):
            if not os.environ.get("VOICECOACH_DEBUG"):
                # Textual prints the traceback of a failed screen here.
                app.error_console.file = log
            # Once the app runs: Textual installs its handlers when it opens the screen.
            suspension = Suspension(partial(app.refresh, layout=True), self.front.suspend)
            app.call_later(suspension.take_over)
            app.call_later(terminal.note_modes_of_screen)
            try:
                app.run()
            except Exception:
                LOG.exception("the screen failed")
                raised = True
        terminal.put_back(screen_open=raised)
        if app.return_value is None:
            if not raised:
                LOG.error("the screen failed; its traceback is printed in this log")
            return "crashed"
        return "keep training" if app.return_value is ExitReason.KEEP_TRAINING else "end"


class _Run:
    """A screen over a run, from the first frame to the last line below it."""

    def __init__(self, screen: Screen, watch: SignalWatch, log: Path) -> None:
        self._screen = screen
        self._terminal = screen.terminal
        self._watch = watch
        self._log = log

    def run(self) -> int:
        """Show the run until the screen closes, see both to their end; return the exit code."""
        # Opened first: an engine that refuses its input takes a new voice's folder away again.
        with open_to_print(self._log) as log:
            self._watch.handle_signals()
            self.start()
            self._watch.start()
            closed = self._screen.show(log)
        hung_up = self._watch.hung_up.is_set() or self._terminal.gone
        return self.end(closed, hung_up=hung_up)

    def start(self) -> None:
        """Do what is to be done before the screen opens."""
        raise NotImplementedError

    def end(self, closed: Closed, *, hung_up: bool) -> int:
        """Do what follows a closed screen; return the exit code."""
        raise NotImplementedError

    def wait(self, session: WatchedSession, give_up: str = "Ctrl+C") -> None:
        """Wait for the end of the run, and say on the terminal what that waits for."""
        wait = LastWait()
        while not session.join(_POLL_SECONDS):
            sentence = wait.report(session.snapshot(), give_up)
            if sentence:
                self._terminal.say(sentence)

    def say_end(self, last: Snapshot, how: str) -> None:
        """Write the last lines."""
        for line in closing_lines(self._screen.app.before_end, last, how):
            self._terminal.say(line)


class _OwnRun(_Run):
    """A run that this process trains."""

    def __init__(self, session: Session, screen: Screen, watch: SignalWatch, log: Path) -> None:
        super().__init__(screen, watch, log)
        self._session = session

    def start(self) -> None:
        self._session.start()

    def end(self, closed: Closed, *, hung_up: bool) -> int:
        if hung_up:
            self._session.send(ScreenDetached())
            self._screen.let_go()
        elif closed == "keep training":
            self._keep_training()
        elif closed == "crashed" and not self._is_ending():
            self._terminal.say(f"voicecoach: the screen keeps failing; see {self._log}")
            self._keep_training()
        else:
            if not self._session.join(0):
                self._terminal.say("saving…")
            self._session.send(Finish())
        self.wait(self._session)
        self._watch.close()
        return self._exit_code()

    def _is_ending(self) -> bool:
        phase = self._session.snapshot().phase
        return phase is Phase.STOPPING or phase.ended

    def _keep_training(self) -> None:
        self._session.send(ScreenDetached(keep_training=True))
        say = self._terminal.say
        say(f"training continues without a screen, as process {os.getpid()}")
        voice = shlex.quote(str(absolute_path(self._session.snapshot().voice_folder)))
        say(f"to come back to it:   voicecoach attach {voice}")
        say(f"to save and stop it:  kill {os.getpid()}")
        say(f"to follow its log:    tail -f {self._log}")
        LOG.info("training continues without a screen, as process %d", os.getpid())
        self._terminal.leave()
        self._screen.front.release()

    def _exit_code(self) -> int:
        error, last = self._session.error, self._session.snapshot()
        if error is not None:
            LOG.error("training failed", exc_info=error)
            how = f"voicecoach: {describe_error(error, self._log)}"
        else:
            LOG.info("training ended at step %d", last.step)
            how = describe_end(last)
        self.say_end(last, how)
        return exit_code(error, interrupted=last.interrupted)


class _Attachment:
    """An attached run as the signal watch sees it: signals end the watching, not the run."""

    error: BaseException | None = None
    attached: bool = True

    def __init__(self, session: RemoteSession, *, reading: bool) -> None:
        self._session = session
        self.reading = reading
        self.left = False
        """Whether a signal, or the end of the terminal, asked to leave."""

    def snapshot(self) -> Snapshot:
        return self._session.snapshot()

    def send(self, command: Command) -> None:
        """Take what would end the run, or leave it alone, as the wish to leave it."""
        assert isinstance(command, Finish | ScreenDetached | TerminalStalled)
        if not isinstance(command, TerminalStalled):
            self.left = True
        elif not self.reading:
            self._session.send(command)

    def hurry(self) -> None:
        """Leave: what the run waits for at its end is for its own process to give up."""
        self.left = True

    def join(self, timeout: float | None = None) -> bool:
        return self.left or self._session.join(timeout)


class _AttachedWatch(SignalWatch):
    ending = hurrying = "leaving; the run continues"
    forcing = "leaving already"


class _AttachedRun(_Run):
    """A run that another process trains, until the person leaves it or it ends."""

    def __init__(
        self, session: RemoteSession, screen: Screen, log: Path, voice: Path, *, reading: bool
    ) -> None:
        self._session = session
        self._attachment = _Attachment(session, reading=reading)
        self._voice = voice
        self._reading = reading
        super().__init__(screen, _AttachedWatch(self._attachment, screen), log)

    def start(self) -> None:
        if not self._reading and self._session.snapshot().wait_ends_at is not None:
            # Whoever attaches has just typed a command.
            self._session.send(KeyPressed())

    def end(self, closed: Closed, *, hung_up: bool) -> int:
        if hung_up:
            self._terminal.leave()
            return 0
        if closed == "crashed" and not self._session.snapshot().phase.ended:
            self._terminal.say(f"voicecoach: the screen failed; the run continues; see {self._log}")
            return 1
        if closed != "keep training" and not self._attachment.left:
            if not self._session.join(0):
                self._terminal.say("saving…")
            self.wait(self._attachment, give_up=f"kill {self._session.pid}")
        self._attachment.left = True
        self._watch.close()
        return self._exit_code(closed)

    def _exit_code(self, closed: Closed) -> int:
        last = self._session.snapshot()
        failed = last.phase is Phase.FAILED
        if failed and not self._session.ended_in_sight:
            # It may well be running: nothing is known of its end.
            self._terminal.say(f"voicecoach: {last.failure}")
        elif last.phase.ended:
            self.say_end(last, f"voicecoach: {last.failure}" if failed else describe_end(last))
        else:
            if not self._reading:
                self._session.send(ScreenDetached(keep_training=closed == "keep training"))
            self._terminal.say(f"the run continues as process {self._session.pid}")
            again = f"voicecoach attach {shlex.quote(str(self._voice))}"
            self._terminal.say(f"to come back to it:  {again}")
        return int(failed)
