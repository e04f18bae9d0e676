"""Shows a run that another process trains, until the person leaves it or it ends."""

import logging
import shlex
from functools import partial
from pathlib import Path
from typing import Literal, TextIO

from engine.attach.client import RemoteSession
from engine.run.commands import Command, Finish, KeyPressed, ScreenDetached, TerminalStalled
from engine.run.snapshot import Phase, Snapshot
from tui.process.background import Front, open_front
from tui.process.closing import Closing
from tui.process.endings import sentence_about_end
from tui.process.foreground import Screen, show
from tui.process.last_wait import LastWait
from tui.process.log_file import added_to, flush_log, log_of_this_process
from tui.process.signals import Watch
from tui.process.terminal import Terminal

LOG = logging.getLogger(__name__)

_LOOK = 0.2
"""Seconds between two looks at whether the run has ended."""


def attach_with_screen(voice: Path, *, reading: bool, ascii_only: bool) -> int:
    """Open the screen on the run of a voice folder; return the exit code.

    Args:
        voice: the voice folder.
        reading: whether the person only looks on, and the run obeys nothing from here.
        ascii_only: draw without Unicode blocks.

    Raises:
        InputError: nobody trains the voice, or whoever does cannot be attached to.
    """
    terminal = Terminal()
    # The front outlives a screen that is killed, and closes it.
    front = open_front(terminal, if_killed="the run that it looked at goes on")
    session = RemoteSession(voice, reading=reading)
    log = log_of_this_process()
    try:
        with added_to(log) as file:
            attached = _Attached(
                session, voice, terminal, front, file, reading=reading, ascii_only=ascii_only
            )
            return attached.run(log)
    finally:
        session.close()
        flush_log()
        if log.exists() and log.stat().st_size == 0:
            log.unlink()


class _Attachment:
    """The run as the watch of this process sees it: what ends here is the looking alone."""

    error: BaseException | None = None

    def __init__(self, session: RemoteSession, *, reading: bool) -> None:
        self._session = session
        self._reading = reading
        self.left = False
        """Whether a signal, or the end of the terminal, asked to leave."""

    def snapshot(self) -> Snapshot:
        """Return the newest picture of the run."""
        return self._session.snapshot()

    def send(self, command: Command) -> None:
        """Take what would end the run, or leave it alone, as the wish to leave it."""
        assert isinstance(command, Finish | ScreenDetached | TerminalStalled)
        if not isinstance(command, TerminalStalled):
            self.left = True
        elif not self._reading:
            self._session.send(command)

    def hurry(self) -> None:
        """Leave: what the run waits for at its end is for its own process to give up."""
        self.left = True

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end of the run, or of the connection; say whether to leave."""
        return self.left or self._session.join(timeout)


class _Watch(Watch):
    """Ends the looking where a run's own process would end the run."""

    ending = "leaving; the run goes on"
    forcing = "leaving already"
    hurrying = ending


class _Attached:
    """One screen on the run of another process."""

    def __init__(
        self,
        session: RemoteSession,
        voice: Path,
        terminal: Terminal,
        front: Front,
        log: TextIO,
        *,
        reading: bool,
        ascii_only: bool,
    ) -> None:
        from tui.app import VoicecoachApp
        from tui.audio.sound_card import SoundCard

        self._session = session
        self._voice = voice
        self._reading = reading
        self._terminal = terminal
        self._log = log
        self._player = SoundCard()
        make_app = partial(
            VoicecoachApp,
            session,
            self._player,
            ascii_only=ascii_only,
            attached=True,
            reading=reading,
        )
        self._screen = Screen(make_app, terminal, front)
        self._attachment = _Attachment(session, reading=reading)
        self._watch = _Watch(self._attachment, self._screen)

    def run(self, log: Path) -> int:
        """Show the run until the person leaves or it ends; return the exit code."""
        self._watch.handle_signals()
        self._watch.start()
        if not self._reading and self._session.snapshot().wait_ends_at is not None:
            # Whoever attaches has just typed a command.
            self._session.send(KeyPressed())
        reason = show(self._screen, self._log)
        self._screen.open = False
        closing = Closing(self._screen.app.before_end)
        self._player.stop()
        if self._watch.hung_up.is_set() or self._terminal.gone:
            self._terminal.leave()
            return 0
        if reason != "crashed":
            return self._tell_the_end(reason, closing)
        if self._session.snapshot().phase.ended:
            return self._tell_the_end("end", closing)
        self._terminal.say(
            f"voicecoach: the screen failed; the run goes on, and the details are in {log}"
        )
        return 1

    def _tell_the_end(self, reason: Literal["end", "keep training"], closing: Closing) -> int:
        if reason == "end" and not self._attachment.left:
            self._wait_for_the_end()
        self._attachment.left = True
        self._watch.close()
        last = self._session.snapshot()
        if last.phase is Phase.FAILED and not self._session.ended_in_sight:
            # It may well go on: nothing is known of its end.
            self._terminal.say(f"voicecoach: {last.failure}")
            return 1
        if last.phase.ended:
            failed = last.phase is Phase.FAILED
            how = f"voicecoach: {last.failure}" if failed else sentence_about_end(last)
            for line in closing.lines(last, how):
                self._terminal.say(line)
            return 1 if failed else 0
        if not self._reading:
            self._session.send(ScreenDetached(keep_training=reason == "keep training"))
        self._terminal.say(f"the run goes on, as process {self._session.pid}")
        again = f"voicecoach attach {shlex.quote(str(self._voice))}"
        self._terminal.say(f"to come back to it:  {again}")
        return 0

    def _wait_for_the_end(self) -> None:
        if not self._session.join(0):
            self._terminal.say("saving…")
        wait = LastWait()
        while not self._attachment.join(_LOOK):
            told = wait.look(self._session.snapshot(), give_up=f"kill {self._session.pid}")
            if told:
                self._terminal.say(told)
