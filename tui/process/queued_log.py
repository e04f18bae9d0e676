"""A log on a disk that may hang: whoever says something goes on, and a thread writes it."""

import logging
import threading
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue

# Records that wait for the disk; what comes then is counted and left out.
_MAX_WAITING = 10_000
# Seconds that an end waits for them.
_END_SECONDS = 5.0


class _Writer(QueueListener):
    """The thread that writes; it tells whoever waits that all before them is written."""

    def handle(self, record: logging.LogRecord | threading.Event) -> None:
        """Write a record, or release one who waits."""
        if isinstance(record, threading.Event):
            record.set()
        else:
            super().handle(record)


class QueuedLog(QueueHandler):
    """Hands records to a thread, which writes them into a file in the order in which they came.

    A step of training that waited for its log would wait for as long as a network disk is away.
    Messages and tracebacks are made into text at once: what they speak of may change.
    """

    queue: SimpleQueue[logging.LogRecord | threading.Event | None]

    def __init__(self, file: logging.FileHandler) -> None:
        """Write into a file that is open already; it is closed with this handler."""
        super().__init__(SimpleQueue())
        self.file = file
        """What writes; its formatter is the one that counts."""
        self._left_out = 0
        self._writer = _Writer(self.queue, file)
        self._queues = True
        try:
            self._writer.start()
        except RuntimeError:
            # The system allows no more threads; a log that waits is better than none.
            self._queues = False

    def enqueue(self, record: logging.LogRecord) -> None:
        """Let a record be written soon."""
        if not self._queues:
            self.file.handle(record)
        elif self.queue.qsize() >= _MAX_WAITING:
            self._left_out += 1
        else:
            if self._left_out:
                self.queue.put(_about_those_left_out(self._left_out))
                self._left_out = 0
            self.queue.put(record)

    def flush(self) -> None:
        """Wait until all that was said is written, for a few seconds at most."""
        self._is_written()

    def close(self) -> None:
        """Write what was said, and end the thread; a disk that hangs keeps nobody for long.

        What is said afterwards, by what ends a process that does not end by itself, is written at
        once.
        """
        if self._queues and self._is_written():
            self._queues = False
            self._writer.stop()
            self.file.close()
        super().close()

    def _is_written(self) -> bool:
        if not self._queues:
            return True
        written = threading.Event()
        self.queue.put(written)
        return written.wait(_END_SECONDS)


def _about_those_left_out(count: int) -> logging.LogRecord:
    text = f"{count:,} lines are left out here: the disk did not take them in time"
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None)
