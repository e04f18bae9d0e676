"""The watch over the GPU, in a thread that a driver may hold up, or make fail, at no cost."""

import threading

from engine.machine.gpu import GpuMonitor
from engine.run.publisher import Publisher
from engine.training.lookout import look_every

_SECONDS = 2.0
"""Seconds between two looks."""


class GpuWatch:
    """Puts readings of one GPU in the snapshot until there are none any more."""

    def __init__(self, uuid: str | None, publisher: Publisher, ended: threading.Event) -> None:
        """Prepare to watch the GPU with this UUID, None for training on the CPU, until an end."""
        self._uuid = uuid
        self._publisher = publisher
        self._ended = ended
        self._monitor: GpuMonitor | None = None

    def start(self) -> None:
        """Begin to watch; returns at once."""
        threading.Thread(target=self._run, name="GPU monitoring", daemon=True).start()

    def _run(self) -> None:
        look_every(_SECONDS, self._ended, self._look, self._publisher, first=0.0)

    def _look(self) -> None:
        if self._monitor is None:
            self._monitor = GpuMonitor(self._uuid)
        elif self._monitor.absent:
            return
        self._publisher.update(gpu=self._monitor.read(), gpu_absent=self._monitor.absent)
