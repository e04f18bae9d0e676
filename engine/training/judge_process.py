"""The process that evaluates checkpoints, as the run that started it holds it."""

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from engine.evaluation.worker import Reply, Request
from engine.serialization import from_json, to_json

PROGRAM: tuple[str, ...] = ("-m", "engine.evaluation.worker")
"""What Python runs."""
_ROOT = Path(__file__).resolve().parents[2]
# Where libraries look for the number of their threads.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_READ_BYTES = 2**16
# From the end of its output to its own.
_END_SECONDS = 5.0


class JudgeFailedError(Exception):
    """The process ended or hangs; the text is a clause about it."""


class JudgeProcess:
    """One process; it belongs to the thread that starts it, and dies with that."""

    def __init__(self) -> None:
        """Start it.

        Raises:
            OSError: the system refuses another process.
        """
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-P", *PROGRAM, str(os.getpid())],
            env=os.environ
            | dict.fromkeys(_THREADS, "1")
            | {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._buffer = b""
        self._seconds = 0.0

    @property
    def seconds(self) -> float:
        """Processor time that it has taken so far."""
        with contextlib.suppress(OSError):
            # After the name, which may hold anything: the eleventh and twelfth field.
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks = int(fields[11]) + int(fields[12])
            self._seconds = max(self._seconds, ticks / os.sysconf("SC_CLK_TCK"))
        return self._seconds

    def ask(self, request: Request) -> None:
        """Have a checkpoint evaluated.

        Raises:
            JudgeFailedError: it has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(to_json(request) + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._ended() from error

    def reply(self, seconds: float) -> Reply | None:
        """Return what it says next; None where that takes longer.

        Raises:
            JudgeFailedError: it has ended.
        """
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            if not select.select([output], [], [], seconds)[0]:
                return None
            piece = os.read(output, _READ_BYTES)
            self._buffer += piece
            if not piece:
                raise self._ended()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return from_json(line, Reply, "an answer of its process")

    def end(self) -> None:
        """Kill it, if it has not ended."""
        self._process.kill()
        self._process.wait()
        for stream in filter(None, (self._process.stdin, self._process.stdout)):
            with contextlib.suppress(OSError):  # what was not sent yet cannot be
                stream.close()

    def _ended(self) -> JudgeFailedError:
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        how = f"ended with exit code {code}"
        if code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        return JudgeFailedError(f"its process {how}")
