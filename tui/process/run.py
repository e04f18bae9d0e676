"""Runs the screen: over a run that this process trains, or over one that another trains.

The engine or the connection has its own thread, the app has the main thread; both are seen to
their end here.
"""

import io
import logging
import os
import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event

from engine.attach.client import RemoteSession
from engine.files import absolute_path, open_private
from engine.run.commands import Finish, KeyPressed, ScreenDetached
from engine.run.options import TrainOptions
from engine.run.snapshot import Phase, Snapshot
from engine.session import Session
from tui.characters import why_ascii
from tui.process.background import Front, open_front
from tui.process.endings import Closed, LastWait, closing_lines, describe_end, describe_outcome
from tui.process.logs import flush_log, log_of_this_process, open_log
from tui.process.remote import ssh_to_screen
from tui.process.signals import SignalWatch, exit_code
from tui.process.terminal import Terminal

LOG = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_MAX_FAILURES = 3
"""Failures of a screen within `_FAILS_WITHIN` after which it is opened once more."""
_FAILS_WITHIN = 60.0
"""Seconds."""


def train_with_screen(make_options: Callable[[], TrainOptions], *, ascii_only: bool | None) -> int:
    """Train with the screen open; return the exit code.

    `make_options`, which may prepare files, is called in the process that trains.

    Raises:
        InputError: the options cannot be used.
    """
    terminal = Terminal()
    front = open_front(terminal)
    options = replace(make_options(), attended=True)
    session = Session(options)
    log = open_log(options.voice_folder, options.notify)
    screen = Screen(terminal, front, session, log, ascii_only=ascii_only)
    closed = screen.show(lambda: session.start(screen.drawn))
    if closed == "hung up":
        session.send(ScreenDetached())
        screen.let_go()
    elif closed == "keep training":
        _keep_training(screen, session)
    elif closed == "crashed" and not _is_ending(session.snapshot()):
        terminal.say(f"voicecoach: the screen keeps failing; see {log}")
        _keep_training(screen, session)
    else:
        screen.say_saving()
        session.send(Finish())
    screen.wait_for_end()
    last = session.snapshot()
    screen.say_end(last, describe_outcome(session.error, last, log))
    return exit_code(session.error, interrupted=last.interrupted)


def attach_with_screen(voice: Path, *, reading: bool, ascii_only: bool | None) -> int:
    """Open the screen, a read-only one if `reading`, on the run of a voice; return the exit code.

    Raises:
        InputError: nobody trains the voice, or whoever does cannot be attached to.
    """
    terminal = Terminal()
    # The front outlives a screen that is killed, and closes it.
    front = open_front(terminal, if_killed="the run itself continues")
    session = RemoteSession(voice, reading=reading)
    return show_attached(terminal, front, session, voice, ascii_only=ascii_only)


def show_attached(
    terminal: Terminal,
    front: Front,
    session: RemoteSession,
    voice: Path,
    *,
    ascii_only: bool | None,
) -> int:
    """Show the screen of a run that another process trains; return the exit code."""
    log = log_of_this_process()
    screen = Screen(terminal, front, session, log, ascii_only=ascii_only)
    try:
        return _attach(screen, session, voice)
    finally:
        screen.leave()
        session.close()
        flush_log()
        with suppress(FileNotFoundError):
            if log.stat().st_size == 0:
                log.unlink()


def _attach(screen: "Screen", session: RemoteSession, voice: Path) -> int:
    def start() -> None:
        if not session.reading and session.snapshot().wait_ends_at is not None:
            # Whoever attaches has just typed a command.
            session.send(KeyPressed())

    closed = screen.show(start)
    say = screen.terminal.say
    if closed == "hung up":
        screen.let_go()
        return 0
    if closed == "crashed" and not session.snapshot().phase.ended:
        say(f"voicecoach: the screen failed; the run continues; see {screen.log}")
        return 1
    if closed == "end":
        screen.say_saving()
        screen.wait_for_end(skip_with=f"kill {session.pid}")
    last = session.snapshot()
    failed = last.phase is Phase.FAILED
    if failed and not session.ended_in_sight:
        # It may well be running: nothing is known of its end.
        say(f"voicecoach: {last.failure}")
    elif last.phase.ended:
        screen.say_end(last, f"voicecoach: {last.failure}" if failed else describe_end(last))
    else:
        if not session.reading:
            session.send(ScreenDetached(keep_training=closed == "keep training"))
        say(f"the run continues as process {session.pid}")
        say(f"to come back to it:  voicecoach attach {shlex.quote(str(voice))}")
        if elsewhere := ssh_to_screen(voice):
            say(f"from your computer:  {elsewhere}")
    return int(failed)


def _is_ending(snapshot: Snapshot) -> bool:
    return snapshot.phase is Phase.STOPPING or snapshot.phase.ended


def _keep_training(screen: "Screen", session: Session) -> None:
    session.send(ScreenDetached(keep_training=True))
    say = screen.terminal.say
    say(f"training continues without a screen, as process {os.getpid()}")
    voice = absolute_path(session.snapshot().voice_folder)
    say(f"to come back to it:   voicecoach attach {shlex.quote(str(voice))}")
    if elsewhere := ssh_to_screen(voice):
        say(f"from your computer:   {elsewhere}")
    say(f"to save and stop it:  kill {os.getpid()}")
    say(f"to follow its log:    tail -f {screen.log}")
    LOG.info("training continues without a screen, as process %d", os.getpid())
    screen.terminal.leave()
    screen.front.release()


class Screen:
    """The app, the terminal that it is drawn on, and the watch over both."""

    def __init__(
        self,
        terminal: Terminal,
        front: Front,
        session: Session | RemoteSession,
        log: Path,
        *,
        ascii_only: bool | None,
    ) -> None:
        """Prepare the app; `ascii_only` is None where the terminal decides."""
        from tui.app import VoicecoachApp
        from tui.audio.listening import Listening
        from tui.audio.sound_card import SoundCard
        from tui.page.client import play

        self.terminal = terminal
        self.front = front
        self.log = log
        self._session = session
        self._player = SoundCard()
        why = why_ascii() if ascii_only is None else ""
        self._make_app = partial(
            VoicecoachApp,
            session,
            Listening(self._player, play),
            ascii_only=bool(ascii_only or why),
            notes=[f"drawing in ASCII: {why}; --no-ascii draws everything"] if why else [],
        )
        self._app: VoicecoachApp = self._make_app()
        self.drawn = Event()
        """Is set once the first picture is on the screen."""
        self._failures: list[float] = []
        self._is_to_close = False
        self._open = True
        """Whether the app runs, so that it and not the terminal is what the person reads."""
        self._watch = SignalWatch(session, self)

    @property
    def lost(self) -> bool:
        """Whether the terminal, or the process that holds it for us, is gone under the screen."""
        return self._open and (self.terminal.gone or self.front.lost)

    @property
    def keeps_failures(self) -> bool:
        """Whether the screen of a run that failed stays until somebody has read why."""
        return self._open

    @property
    def takes_output(self) -> bool:
        """Whether the terminal takes what the screen draws; nobody waits for a read-only one."""
        return not self._open or self._session.reading or self.terminal.takes_output

    def tell(self, text: str) -> None:
        """Show a sentence on the screen, or below it once it is closed."""
        if self._open:
            self._app.call_later(self._app.notify, text)
        else:
            self.terminal.say(text)

    def close(self) -> None:
        """Ask the app to end."""
        self._is_to_close = True
        if self._open:
            self._app.exit("end")

    def let_go(self, last_words: str = "") -> None:
        """Leave the terminal as it was found, and for good."""
        self.terminal.put_back(screen_open=self._open)
        if last_words:
            self.terminal.say(last_words)
        self.terminal.leave()

    def show(self, start: Callable[[], None]) -> Closed:
        """Show the app until it closes, and return why; one that fails is opened again.

        Args:
            start: is called once signals are handled, before the screen opens.
        """
        # Opened first: an engine that refuses its input takes a new voice's folder away again.
        log = open_private(self.log, os.O_WRONLY | os.O_APPEND)
        self._watch.handle_signals()
        start()
        self._watch.start()
        closed = self._show_once(log)
        while closed == "crashed" and self._reopen():
            sentence = "The screen failed and was opened again; see the log."
            self._app.call_later(self._app.notify, sentence, severity="warning")
            closed = self._show_once(log)
        os.close(log)
        self._open = False
        self._player.stop()
        return "hung up" if self._watch.hung_up.is_set() or self.terminal.gone else closed

    def _show_once(self, log: int) -> Closed:
        app, terminal, raised, printed = self._app, self.terminal, False, io.StringIO()
        app.before_suspension = self.front.suspend
        app.after_first_picture = self.drawn.set
        with terminal.drawn_on(log):
            if not os.environ.get("VOICECOACH_DEBUG"):
                # Textual prints the traceback of a failed screen here.
                app.error_console.file = printed
            app.call_later(terminal.note_modes_of_screen)
            try:
                app.run()
            except Exception:
                LOG.exception("the screen failed")
                raised = True
        terminal.put_back(screen_open=raised)
        if printed.getvalue():
            LOG.error("the screen failed:\n%s", printed.getvalue())
        return app.return_value or "crashed"

    def _reopen(self) -> bool:
        """Replace an app that failed; false where it was to close anyway, or fails all the time."""
        now = time.monotonic()
        self._failures = [at for at in self._failures if now - at < _FAILS_WITHIN] + [now]
        if self._is_to_close or self.lost or len(self._failures) > _MAX_FAILURES:
            return False
        self._app = self._make_app()
        return True

    def leave(self) -> None:
        """Let the process end, and an attached run go on."""
        self._watch.left.set()
        self._watch.close()

    def say_saving(self) -> None:
        """Say on the terminal that the run saves, if it does."""
        if not self._watch.join(0):
            self.terminal.say("saving…")

    def wait_for_end(self, skip_with: str = "Ctrl+C") -> None:
        """Wait for the end of the run, say what that waits for, and let the process end."""
        wait = LastWait()
        while not self._watch.join(_POLL_SECONDS):
            sentence = wait.report(self._session.snapshot(), skip_with)
            if sentence:
                self.terminal.say(sentence)
        self._watch.close()

    def say_end(self, last: Snapshot, how: str) -> None:
        """Write the last lines."""
        for line in closing_lines(self._app.before_end, last, how):
            self.terminal.say(line)
