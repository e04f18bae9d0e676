"""A command of the person's that is run when the cloud takes the machine away."""

import logging
import os
import signal
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from engine.machine.background import BackgroundThread, Report
from engine.machine.cloud.machine import SpotNotice

_log = logging.getLogger(__name__)

# Bytes of the command's output that the log keeps: the last ones, where the error is.
_MAX_OUTPUT = 16 * 1024
# Seconds that a command gets although the deadline is nearer.
_MIN_SECONDS = 5.0


class Hook:
    """Runs a shell command at most once at a time, beside training."""

    def __init__(self, command: str, voice: Path, report: Report) -> None:
        """Prepare to run `command`.

        Args:
            command: for `sh -c`.
            voice: the voice folder, which the command finds in `VOICECOACH_VOICE`.
            report: takes how the command ended.
        """
        self._command = command
        self._voice = voice.resolve()
        self._report = report
        self._notice: SpotNotice | None = None
        self._thread = BackgroundThread("--on-interrupt", self._work, report)

    def start(self) -> None:
        """Start the thread that runs the command: there may be no memory for one later."""
        self._thread.start()

    def run(self, notice: SpotNotice) -> None:
        """Run the command, unless it runs or has run for this notice; returns at once."""
        if notice == self._notice:
            return  # another network's trainer has asked for it
        if not self._thread.running:
            self._notice = notice
            # The system refused it; saving must not wait for the command.
            try:
                self._start(notice, subprocess.DEVNULL)
                outcome = "started; its outcome will not be known"
            except OSError as error:
                outcome = f"cannot be started: {error}"
            self._report(f"--on-interrupt {outcome}", "warning")
        elif self._thread.wait(0):
            self._notice = notice
            self._thread.request()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the command has ended, at most so long; say whether it has."""
        return self._thread.wait(seconds)

    def _work(self) -> None:
        assert self._notice is not None
        with tempfile.TemporaryFile() as output:
            outcome = self._run(self._notice, output)
            _log.info("--on-interrupt %s; its output:\n%s", outcome, _end_of(output))
        severity = "information" if outcome == "finished" else "warning"
        self._report(f"--on-interrupt {outcome}", severity)

    def _run(self, notice: SpotNotice, output: IO[bytes]) -> str:
        """Run the command to its end, or to its deadline; say how it ended."""
        process = self._start(notice, output)
        left = (notice.last_second or 0.0) - time.monotonic()
        try:
            code = process.wait(max(_MIN_SECONDS, left))
        except subprocess.TimeoutExpired:
            # With whatever it has started itself.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return "took too long and was killed"
        return "finished" if code == 0 else f"exited with code {code}; its output is in the log"

    def _start(self, notice: SpotNotice, output: IO[bytes] | int) -> subprocess.Popen[bytes]:
        deadline = datetime.fromtimestamp(notice.deadline or time.time(), UTC)
        return subprocess.Popen(
            ["sh", "-c", self._command],
            env=os.environ
            | {
                "VOICECOACH_VOICE": str(self._voice),
                "VOICECOACH_NOTICE": notice.text,
                "VOICECOACH_DEADLINE": deadline.isoformat(timespec="seconds"),
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _end_of(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _MAX_OUTPUT))
    return output.read().decode("utf-8", errors="replace").rstrip()
