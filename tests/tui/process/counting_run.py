"""The command `voicecoach` with an engine that only counts.

What the engine does is written as small files into the voice folder, where a test reads it. Files
that a test puts there, and variables, make it fail.
"""

import os
import threading
import time
from dataclasses import replace

import tui.headless
import tui.supervise
import tui.watch
from engine.control import Command, Finish, GoUnattended
from engine.errors import EngineError, InputError
from engine.order import TrainOrder
from engine.snapshot import Event, Phase, Snapshot
from tui.cli import main

FAULTS = {
    "engine": EngineError("the disk is full: free some space and continue"),
    "input": InputError("nothing usable in metadata.csv: see the list above"),
    "unforeseen": ZeroDivisionError("division [by] zero"),
}


class CountingSession:
    """Counts a hundred steps a second until it is told to finish."""

    def __init__(self, order: TrainOrder) -> None:
        self._folder = order.voice_folder
        self._folder.mkdir(parents=True, exist_ok=True)
        if os.environ.get("COUNTING_REFUSES"):
            raise InputError("another process trains in this voice: 4711")
        self._finish = threading.Event()
        self.error: BaseException | None = None
        self._snapshot = Snapshot(
            Phase.PREPARING, "voice", self._folder, order.network, "small", "standard", device="cpu"
        )
        self._thread = threading.Thread(target=self._run)
        self._write("attended", str(order.attended))

    def start(self) -> None:
        self._thread.start()
        if os.environ.get("COUNTING_HANGS"):
            threading.Thread(target=threading.Event().wait).start()

    def snapshot(self) -> Snapshot:
        if threading.current_thread() is threading.main_thread() and self._asked("crash-screen"):
            (self._folder / "crash-screen").unlink()
            raise RuntimeError("the picture [is] crooked")
        return self._snapshot

    def send(self, command: Command) -> None:
        if isinstance(command, GoUnattended):
            self._write("unattended", "yes")
        if isinstance(command, Finish):
            self._finish.set()

    def join(self, timeout: float | None = None) -> bool:
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._write("process", str(os.getpid()))
        happened = Event(time.time(), "counting from [nought]")
        self._snapshot = replace(self._snapshot, phase=Phase.TRAINING, events=(happened,))
        while not self._finish.wait(0.01):
            self._snapshot = replace(self._snapshot, step=self._snapshot.step + 1)
            fault = FAULTS.get(os.environ.get("COUNTING_FAULT", ""))
            if fault is not None and self._snapshot.step > 20:
                self.error = fault
                self._snapshot = replace(self._snapshot, phase=Phase.FAILED, failure=str(fault))
                return
        self._snapshot = replace(self._snapshot, phase=Phase.STOPPING)
        while self._asked("slow-disk"):
            threading.Event().wait(0.02)
        step = self._snapshot.step
        self._write("checkpoint", str(step))
        self._snapshot = replace(self._snapshot, phase=Phase.STOPPED, checkpoint_step=step)

    def _asked(self, name: str) -> bool:
        return (self._folder / name).exists()

    def _write(self, name: str, text: str) -> None:
        whole = self._folder / f".{name}"
        whole.write_text(text)
        whole.rename(self._folder / name)


if __name__ == "__main__":
    tui.supervise.Session = CountingSession
    tui.headless.Session = CountingSession
    if os.environ.get("COUNTING_HANGS"):
        tui.watch._LET_GO_AFTER, tui.watch._END_AFTER = 0.5, 1.0
    main()
