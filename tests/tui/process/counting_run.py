"""The command `voicecoach` with an engine that only counts.

What the engine does is written as small files into the voice folder, where a test reads it. Files
that a test puts there, and variables, make it fail.
"""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from textual.message import Message

import engine.attach.server
import tui.app
import tui.process.headless
import tui.process.run
import tui.process.signals
from engine.attach.screens import OWN, Screens
from engine.attach.server import Server
from engine.errors import EngineError, InputError
from engine.run.commands import (
    Audition,
    Command,
    Continue,
    Finish,
    Pause,
    SaveCheckpoint,
    ScreenAttached,
    ScreenDetached,
    SetSentences,
    StopAt,
    TerminalStalled,
)
from engine.run.options import TrainOptions
from engine.run.snapshot import Event, Phase, Snapshot
from tui.app import VoicecoachApp
from tui.cli import main
from tui.process.terminal_driver import TerminalDriver, TerminalInput

FAULTS = {
    "engine": EngineError("the disk is full: free some space and continue"),
    "input": InputError("nothing usable in metadata.csv: see the list above"),
    "unexpected": ZeroDivisionError("division [by] zero"),
}


class CountingSession:
    """Counts a hundred steps a second until it is told to finish."""

    attached = reading = False

    def __init__(self, options: TrainOptions) -> None:
        self._folder = options.voice_folder
        self._folder.mkdir(parents=True, exist_ok=True)
        if os.environ.get("COUNTING_REFUSES"):
            raise InputError("another process trains in this voice: 4711")
        self._finish, self._hurried = threading.Event(), threading.Event()
        self._turn = threading.Lock()
        self.error: BaseException | None = None
        self._snapshot = Snapshot(
            Phase.PREPARING,
            "voice",
            self._folder,
            options.network,
            "small",
            "standard",
            device="cpu",
        )
        self._audience = Screens(self._obey, self._show_screens, own=options.attended)
        self._server = Server(self._folder, lambda: self._snapshot, self._obey, self._audience)
        self._thread = threading.Thread(target=self._run)
        self._paused = False
        self._write("attended", str(options.attended))

    def start(self, drawn: object = None) -> None:
        self._server.start()
        self._thread.start()
        if os.environ.get("COUNTING_HANGS"):
            threading.Thread(target=threading.Event().wait).start()

    def snapshot(self) -> Snapshot:
        return self._snapshot

    def send(self, command: Command) -> None:
        if isinstance(command, ScreenDetached):
            self._audience.remove(OWN, keep_training=command.keep_training)
        elif isinstance(command, TerminalStalled):
            self._audience.set_takes_output(OWN, not command.stalled)
        else:
            self._obey(command)

    def _obey(self, command: Command) -> None:
        with (self._folder / "asked").open("a") as file:
            file.write(f"{type(command).__name__}\n")
        match command:
            case ScreenDetached(keep_training):
                self._write("unattended", "train on" if keep_training else "yes")
            case ScreenAttached():
                (self._folder / "unattended").unlink(missing_ok=True)
            case Finish():
                self._finish.set()
            case Pause() | Continue():
                self._paused = isinstance(command, Pause)
                phase = Phase.PAUSED if self._paused else Phase.TRAINING
                self._change(phase=phase)
            case StopAt(rule):
                self._change(stop_text=rule.text if rule else "")
            case SetSentences(sentences):
                self._change(sentences=sentences)
            case SaveCheckpoint():
                self._happens("saved as asked")
            case Audition():
                self._happens("spoken as asked")
            case TerminalStalled(stalled):
                self._write("read", "no" if stalled else "yes")

    def _show_screens(self, screens: int, readers: int) -> None:
        self._change(screens=screens, readers=readers)

    def _happens(self, text: str, severity: str = "information") -> None:
        self._change(events=(*self._snapshot.events, Event(time.time(), text, severity)))

    def _change(self, **fields: object) -> None:
        with self._turn:
            self._snapshot = replace(self._snapshot, **fields)  # type: ignore[arg-type]

    def hurry(self) -> None:
        self._hurried.set()

    def join(self, timeout: float | None = None) -> bool:
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._count()
        finally:
            self._server.close()

    def _count(self) -> None:
        self._write("process", str(os.getpid()))
        self._change(phase=Phase.TRAINING, events=(Event(time.time(), "counting from [nought]"),))
        while not self._finish.wait(0.01):
            if self._asked("stop-reached") and self._snapshot.phase is Phase.TRAINING:
                self._change(phase=Phase.AT_STOP, wait_ends_at=time.time() + 300)
            if self._paused or self._snapshot.phase is Phase.AT_STOP:
                continue
            self._change(step=self._snapshot.step + 1)
            fault = FAULTS.get(os.environ.get("COUNTING_FAULT", ""))
            if fault is not None and self._snapshot.step > 20:
                self.error = fault
                seconds = os.environ.get("COUNTING_READER_SECONDS")
                until = None if seconds is None else time.time() + float(seconds)
                self._change(phase=Phase.FAILED, failure=str(fault), wait_ends_at=until)
                return
        self._change(phase=Phase.STOPPING)
        while self._asked("slow-disk"):
            threading.Event().wait(0.02)
        while self._asked("full-disk") and not self._hurried.is_set():
            self._change(
                end_waits_for="disk",
                end_waits_until=time.time() + 110,
                saving_trouble="No space left on device: free 3.8 MB there.",
                checkpoint_step=0,
            )
            self._hurried.wait(0.02)
        self._change(end_waits_for="")
        if self._asked("lost-mirror"):
            self._happens("the mirror is behind", "warning")
            self._change(price=0.99, spent=1.5)
        step = self._snapshot.step
        self._write("checkpoint", str(step))
        self._change(phase=Phase.STOPPED, checkpoint_step=step)

    def _asked(self, name: str) -> bool:
        return (self._folder / name).exists()

    def _write(self, name: str, text: str) -> None:
        whole = self._folder / f".{name}"
        whole.write_text(text)
        whole.rename(self._folder / name)


class FailingScreen(VoicecoachApp):
    """Fails in a timer when a file says so, or when it closes."""

    def on_ready(self) -> None:
        super().on_ready()
        if "timer" in SCREEN_FAULT:
            self.set_interval(0.05, self._fail_if_asked)

    def _fail_if_asked(self) -> None:
        if _is_to_fail():
            raise RuntimeError("the timer [failed]")

    def on_unmount(self) -> None:
        if "closing" in SCREEN_FAULT:
            raise RuntimeError("the closing failed")


class FailingDriver(TerminalDriver):
    """Fails where the terminal is read, when a file says so."""

    def _read(self, terminal_input: TerminalInput) -> Iterator[Message]:
        if "reading" in SCREEN_FAULT and _is_to_fail():
            raise OSError("the reading failed")
        if "input thread" in SCREEN_FAULT and _is_to_fail():
            raise BaseException("the input thread failed")
        return super()._read(terminal_input)


SCREEN_FAULT = os.environ.get("COUNTING_SCREEN_FAULT", "")


def _is_to_fail() -> bool:
    once = Path("fail-once")
    if once.exists():
        once.unlink()
        return True
    return Path("fail-always").exists()


if __name__ == "__main__":
    tui.process.run.Session = CountingSession
    tui.process.headless.Session = CountingSession
    if SCREEN_FAULT:
        tui.app.VoicecoachApp = FailingScreen
        tui.app.TerminalDriver = FailingDriver
    if os.environ.get("COUNTING_IS_ENDED"):
        tui.process.signals._LET_GO_AFTER, tui.process.signals._END_AFTER = 0.5, 1.0
    if os.environ.get("COUNTING_FORCED_AFTER"):
        tui.process.signals._FORCED_AFTER = float(os.environ["COUNTING_FORCED_AFTER"])
    if os.environ.get("COUNTING_WATCH") == "lost":
        tui.process.signals._ALARM_AFTER = 1
        tui.process.signals.SignalWatch.start = lambda _watch: None
    # Sooner than a person would notice.
    tui.process.signals._UNREAD_POLLS = 5
    engine.attach.server._STALLED_AFTER = 1.0
    main()
