"""Trains with a screen: the engine in its thread, the app on the main thread, an end for both."""

import logging
import os
import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from engine.files import absolute_path
from engine.run.commands import Finish, ScreenDetached
from engine.run.options import TrainOptions
from engine.run.snapshot import Phase
from engine.session import Session
from tui.process.background import Front, open_front
from tui.process.closing import Closing
from tui.process.endings import sentence_about, sentence_about_end
from tui.process.last_wait import LastWait
from tui.process.log_file import added_to, open_log
from tui.process.signals import Watch, exit_code
from tui.process.suspension import Suspension
from tui.process.terminal import Terminal

if TYPE_CHECKING:
    from tui.app import VoicecoachApp

LOG = logging.getLogger(__name__)

_LOOK = 0.2
"""Seconds between two looks at what the end waits for."""
_MAX_FAILURES = 3
"""Failures of a screen within `_FAILS_WITHIN` after which it is opened once more."""
_FAILS_WITHIN = 60.0
"""Seconds."""


class Screen:
    """The app, as the watch's thread may speak to it, and the terminal that it is drawn on."""

    def __init__(
        self,
        make_app: Callable[[], "VoicecoachApp"],
        terminal: Terminal,
        front: Front | None = None,
    ) -> None:
        """Speak to an app on a terminal, which a front holds where the run may outlive it."""
        self._make_app = make_app
        self._failures: list[float] = []
        self._is_to_close = False
        self.app = make_app()
        self.terminal = terminal
        self.front = front
        self.open = True
        """Whether the app runs, so that it and not the terminal is what the person reads."""

    def open_again(self) -> bool:
        """Make another app in place of one that failed; say whether that is worth a try.

        It is not where the screen was to close anyway, or fails all the time.
        """
        now = time.monotonic()
        self._failures = [at for at in self._failures if now - at < _FAILS_WITHIN] + [now]
        if self._is_to_close or self.lost or len(self._failures) > _MAX_FAILURES:
            return False
        self.app = self._make_app()
        return True

    @property
    def lost(self) -> bool:
        """Whether the terminal, or the process that holds it for us, is gone under the screen."""
        front_lost = self.front is not None and self.front.lost
        return self.open and (self.terminal.gone or front_lost)

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
        from tui.process.exit_reason import ExitReason

        self._is_to_close = True
        if self.open:
            self.app.exit(ExitReason.ENDED)

    def let_go(self, last_words: str = "") -> None:
        """Leave the terminal as it was found, and for good."""
        self.terminal.put_back(screen_open=self.open)
        if last_words:
            self.terminal.say(last_words)
        self.terminal.leave()


def train_with_screen(make_options: Callable[[], TrainOptions], *, ascii_only: bool) -> int:
    """Train as ordered with the app open; return the exit code.

    Args:
        make_options: makes the order, and may prepare files for it. It is called in the process
            that trains.
        ascii_only: draw without Unicode blocks.

    Raises:
        InputError: the order cannot be carried out.
    """
    terminal = Terminal()
    front = open_front(terminal)
    options = replace(make_options(), attended=True)
    session = Session(options)
    log = open_log(options.voice_folder)
    return _Supervision(session, front, terminal, log, ascii_only=ascii_only).run()


Closed = Literal["end", "keep training", "crashed"]


def show(screen: Screen, log: TextIO) -> Closed:
    """Show a screen until it closes, and say why it did; one that fails is opened again.

    Args:
        screen: what is shown; its terminal is left as it was found.
        log: an open file that gets what libraries print meanwhile.
    """
    closed = _show_once(screen, log)
    while closed == "crashed" and screen.open_again():
        told = "The screen failed and was opened again; the log says why."
        screen.app.call_later(screen.app.notify, told, severity="warning")
        closed = _show_once(screen, log)
    return closed


def _show_once(screen: Screen, log: TextIO) -> Closed:
    """Show a screen until it closes; one that gives no reason has crashed."""
    from tui.process.exit_reason import ExitReason

    app, terminal = screen.app, screen.terminal
    about_to_stop = None if screen.front is None else screen.front.suspend

    raised = False
    with terminal.drawn_on(log):
        if not os.environ.get("VOICECOACH_DEBUG"):
            # Textual prints the traceback of a failed screen here.
            app.error_console.file = log
        # Runs once the app does: Textual installs its handlers when it opens the screen.
        app.call_later(Suspension(partial(app.refresh, layout=True), about_to_stop).take_over)
        app.call_later(terminal.note_modes_of_screen)
        try:
            app.run()
        except Exception:
            LOG.exception("the screen failed")
            raised = True
    terminal.put_back(screen_open=raised)
    reason = app.return_value
    if reason is None:
        if not raised:
            LOG.error("the screen failed; its traceback is printed in this log")
        return "crashed"
    return "keep training" if reason is ExitReason.KEEP_TRAINING else "end"


class _Supervision:
    """One run of training with a screen, from the first frame to the last checkpoint."""

    def __init__(
        self,
        session: Session,
        front: Front,
        terminal: Terminal,
        log: Path,
        *,
        ascii_only: bool,
    ) -> None:
        from tui.app import VoicecoachApp
        from tui.audio.sound_card import SoundCard

        self._session = session
        self._front = front
        self._terminal = terminal
        self._log = log
        self._player = SoundCard()
        make_app = partial(VoicecoachApp, session, self._player, ascii_only=ascii_only)
        self._screen = Screen(make_app, terminal, front)
        self._watch = Watch(session, self._screen)

    def run(self) -> int:
        """Start the engine, show it, see both to their end, and return the exit code."""
        # Opened first: an engine that refuses its input takes a new voice's folder away again.
        with added_to(self._log) as log:
            self._watch.handle_signals()
            self._session.start()
            self._watch.start()
            reason = show(self._screen, log)
        self._screen.open = False
        self._player.stop()
        if self._watch.hung_up.is_set() or self._terminal.gone:
            self._go_on_unseen()
        elif reason == "keep training":
            self._keep_training()
        elif reason == "crashed" and not self._is_ending():
            self._terminal.say(
                f"voicecoach: the screen failed again and again; the details are in {self._log}"
            )
            self._keep_training()
        else:
            self._save()
        self._wait_for_the_end()
        self._watch.close()
        return self._tell_the_end()

    def _is_ending(self) -> bool:
        phase = self._session.snapshot().phase
        return phase is Phase.STOPPING or phase.ended

    def _save(self) -> None:
        if not self._session.join(0):
            self._terminal.say("saving…")
        self._session.send(Finish())

    def _wait_for_the_end(self) -> None:
        wait = LastWait()
        while not self._session.join(_LOOK):
            told = wait.look(self._session.snapshot())
            if told:
                self._terminal.say(told)

    def _go_on_unseen(self) -> None:
        self._session.send(ScreenDetached())
        self._screen.let_go()

    def _keep_training(self) -> None:
        self._session.send(ScreenDetached(keep_training=True))
        self._terminal.say(f"training goes on without a screen, as process {os.getpid()}")
        voice = shlex.quote(str(absolute_path(self._session.snapshot().voice_folder)))
        self._terminal.say(f"to come back to it:   voicecoach attach {voice}")
        self._terminal.say(f"to save and stop it:  kill {os.getpid()}")
        self._terminal.say(f"what it does:         tail -f {self._log}")
        LOG.info("training goes on without a screen, as process %d", os.getpid())
        self._terminal.leave()
        self._front.release()

    def _tell_the_end(self) -> int:
        """Say how it ended, and what the machine costs from here on; return the exit code."""
        error = self._session.error
        last = self._session.snapshot()
        if error is not None:
            LOG.error("training failed", exc_info=error)
            how = f"voicecoach: {sentence_about(error, self._log)}"
        else:
            LOG.info("training ended at step %d", last.step)
            how = sentence_about_end(last)
        for line in Closing(self._screen.app.before_end).lines(last, how):
            self._terminal.say(line)
        return exit_code(error, interrupted=last.interrupted)
