"""A command of the person's that is run when the cloud takes the machine away."""

import logging
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from engine.machine.cloud.machine import SpotNotice

_log = logging.getLogger(__name__)

# Bytes of the command's output that the log keeps: the last ones, where the trouble stands.
_MAX_OUTPUT = 16 * 1024
# Seconds that a command gets although the deadline is nearer.
_SHORTEST = 5.0


class Hook:
    """Runs a shell command at most once at a time, beside training."""

    def __init__(self, command: str, voice: Path, tell: Callable[[str, str], None]) -> None:
        """Prepare to run `command`.

        Args:
            command: for `sh -c`.
            voice: the voice folder, which the command finds in `VOICECOACH_VOICE`.
            tell: is told a text and its severity when the command ends other than well.
        """
        self._command = command
        self._voice = voice.resolve()
        self._tell = tell
        self._notices: SimpleQueue[SpotNotice] = SimpleQueue()
        self._idle = threading.Event()
        self._idle.set()
        self._thread = threading.Thread(target=self._work, name="on-interrupt", daemon=True)

    def prepare(self) -> None:
        """Start the thread that runs the command: there may be no memory for one later."""
        self._thread.start()

    def start(self, notice: SpotNotice) -> None:
        """Run the command in a thread of its own; returns at once."""
        if self._idle.is_set():
            self._idle.clear()
            self._notices.put(notice)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the command has ended, at most so long; say whether it has.

        Its deadline bounds it; for when all is saved.
        """
        return self._idle.wait(seconds)

    def _work(self) -> None:
        while True:
            notice = self._notices.get()
            try:
                self._run(notice)
            finally:
                self._idle.set()

    def _run(self, notice: SpotNotice) -> None:
        try:
            with tempfile.TemporaryFile() as output:
                how = self._carry_out(notice, output)
                _log.info("--on-interrupt %s; its output:\n%s", how, _last_of(output))
            self._tell(f"--on-interrupt {how}", "information" if how == "is done" else "warning")
        except Exception as error:
            # Whatever it is: whoever counts on the command must not hear nothing of it.
            if not isinstance(error, OSError):
                _log.exception("--on-interrupt cannot be run")
            self._tell(f"--on-interrupt cannot be run: {error}", "warning")

    def _carry_out(self, notice: SpotNotice, output: IO[bytes]) -> str:
        """Run the command to its end, or to its deadline; say how it ended."""
        process = subprocess.Popen(
            ["sh", "-c", self._command],
            env=os.environ | self._told(notice),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        left = (notice.last_second or 0.0) - time.monotonic()
        try:
            code = process.wait(max(_SHORTEST, left))
        except subprocess.TimeoutExpired:
            # With whatever it has started itself.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return "did not end in time and was ended"
        return "is done" if code == 0 else f"ended with code {code}; the log has what it said"

    def _told(self, notice: SpotNotice) -> dict[str, str]:
        deadline = datetime.fromtimestamp(notice.deadline or time.time(), UTC)
        return {
            "VOICECOACH_VOICE": str(self._voice),
            "VOICECOACH_NOTICE": notice.text,
            "VOICECOACH_DEADLINE": deadline.isoformat(timespec="seconds"),
        }


def _last_of(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _MAX_OUTPUT))
    return output.read().decode("utf-8", errors="replace").rstrip()
