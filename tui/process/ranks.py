"""Training in several processes: `--gpus` starts torchrun, and torchrun starts `train` many times.

Rank 0 trains without a screen of its own; a screen attaches to it, as any other does.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Self

from engine.attach.client import RemoteSession
from engine.errors import InputError, RankLostError, VoicecoachError
from engine.files import open_private
from engine.formatting import plural
from engine.jobs.ranks import Place, cores_for_processes, run_rank, usable_gpus, without_source
from engine.run.options import TrainOptions
from tui.process.background import open_front
from tui.process.headless import train_headless
from tui.process.logs import log_of_this_process
from tui.process.run import show_attached
from tui.process.streams import print_error
from tui.process.terminal import Terminal

_OUTCOME = "VOICECOACH_OUTCOME"
"""Names the folder in which rank 0 leaves its process number, and in the end its exit code, for the
process that started torchrun."""
_MAX_RESTARTS = 5
_SHUTDOWN_SECONDS = 60
"""Seconds that torchrun gives its processes to save and end before it kills them."""
_POLL_SECONDS = 0.2


def train_as_rank(here: Place, make_options: Callable[[], TrainOptions], device: str) -> int:
    """Be one of the processes that torchrun started; return the exit code.

    torchrun starts all of them again where one fails. Whoever has started torchrun in order to
    hear how training ended is told elsewhere, so that torchrun does so only where one was lost.
    """

    def train() -> int:
        make = (lambda: without_source(make_options())) if here.restarts else make_options
        return train_headless(make, on_signals=lambda: _leave("pid", os.getpid()))

    code, lost = 1, True
    try:
        code, lost = run_rank(here, device, train)
    except VoicecoachError as error:
        code, lost = error.exit_code, isinstance(error, RankLostError)
        if here.rank == 0 or not lost:
            print_error(str(error))
    if here.rank or lost or _OUTCOME not in os.environ:
        return code
    _leave("code", code)
    return 0


def _leave(name: str, number: int) -> None:
    """Leave a number for the process that started torchrun, if it is there."""
    if folder := os.environ.get(_OUTCOME):
        # A screen that was left has taken its folder along.
        with suppress(OSError):
            (Path(folder) / name).write_text(str(number))


def processes_for(gpus: str, device: str) -> int:
    """Return how many processes `--gpus` asks for.

    Raises `InputError` where this machine has not so many GPUs, or CPU cores with `--device cpu`.
    """
    if device not in ("auto", "cpu"):
        raise InputError(f"--gpus takes GPUs 0, 1, and so on; leave out --device {device}.")
    if gpus != "auto" and not (gpus.isdecimal() and 0 < int(gpus) < 1000):
        raise InputError(f"--gpus is {gpus!r}; give the number of GPUs, or auto for all.")
    if device == "cpu":
        if gpus == "auto":
            raise InputError("--gpus auto counts GPUs; with --device cpu give a number.")
        cores = cores_for_processes()
        if int(gpus) > cores:
            raise InputError(
                f"--gpus is {gpus}, but this machine has {plural(cores, 'CPU core')}; give --gpus "
                f"{cores}."
            )
        return int(gpus)
    found = usable_gpus()
    if not found:
        raise InputError(f"--gpus is {gpus}, but this machine has no GPU that torch can use.")
    if gpus != "auto" and int(gpus) > found:
        raise InputError(
            f"--gpus is {gpus}, but this machine has {plural(found, 'GPU')}; give --gpus {found}."
        )
    return found if gpus == "auto" else int(gpus)


def several_machines() -> bool:
    """Whether torchrun finds in the environment that it is to meet others of its kind."""
    return os.environ.get("PET_NNODES", "1") != "1"


class Torchrun:
    """The processes of one training, in a session of their own: no terminal ends them.

    A context manager, whose end leaves them alone.
    """

    def __init__(self, processes: int, errors: int | None = None) -> None:
        """Run this command again in so many processes.

        They write as this one does; or nothing but errors, to an open file.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="voicecoach-")
        self._ended_at_start = False
        cores = len(os.sched_getaffinity(0))
        environment = {"OMP_NUM_THREADS": str(max(1, cores // processes)), **os.environ}
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "torch.distributed.run"),
                *([] if several_machines() else ["--standalone"]),
                f"--nproc-per-node={processes}",
                f"--max-restarts={_MAX_RESTARTS}",
                f"--shutdown-timeout={_SHUTDOWN_SECONDS}",
                *("-m", "tui", *sys.argv[1:]),
            ],
            env={**environment, _OUTCOME: self._folder.name},
            stdin=subprocess.DEVNULL,
            stdout=None if errors is None else subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    @property
    def running(self) -> bool:
        """Whether they train, or are about to be started again."""
        return self._process.poll() is None

    def finish(self) -> None:
        """Have rank 0 save, and all end; never waits."""
        leader = self._number("pid")
        try:
            if leader is not None:
                os.kill(leader, signal.SIGTERM)
                return
        except ProcessLookupError:
            pass  # they are about to be started again
        self._ended_at_start = True
        self._kill()

    def _kill(self) -> None:
        """End all at once: while its processes start, torchrun does not end them in any other way.

        They have sessions of their own, so that there is no group to kill.
        """
        with suppress(ProcessLookupError, FileNotFoundError):
            torchrun = self._process.pid
            os.kill(torchrun, signal.SIGSTOP)  # it starts no more
            for children in Path(f"/proc/{torchrun}/task").glob("*/children"):
                for child in map(int, children.read_text().split()):
                    with suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
            os.kill(torchrun, signal.SIGKILL)

    def hurry(self) -> None:
        """Have all end soon, saved or not; never waits."""
        self._process.terminate()

    def wait(self) -> int:
        """Wait for the end; return the exit code of the training."""
        ended = self._process.wait()
        code = self._number("code")
        if code is None and self._ended_at_start:
            print_error("asked to end while training was starting; nothing is lost")
            return 0
        if code is None and ended:
            print_error(f"torchrun ended with code {ended}, and the training with it")
        # Rank 0 leaves it on its own machine.
        return int(ended != 0) if code is None else code

    def _number(self, name: str) -> int | None:
        try:
            return int((Path(self._folder.name) / name).read_text())
        except (OSError, ValueError):
            return None


def train_headless_on_gpus(processes: int) -> int:
    """Train in so many processes, which write the lines; return the exit code."""
    with Torchrun(processes) as torchrun:
        asked = False

        def end(_signal: int, _frame: FrameType | None) -> None:
            nonlocal asked
            torchrun.hurry() if asked else torchrun.finish()
            asked = True

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return torchrun.wait()


def train_on_gpus_with_screen(processes: int, voice: Path, *, ascii_only: bool | None) -> int:
    """Train in so many processes, with a screen attached to them; return the exit code."""
    terminal = Terminal()
    front = open_front(terminal, if_killed="the run itself continues")
    log = log_of_this_process()
    with Torchrun(processes, open_private(log, os.O_WRONLY | os.O_APPEND)) as torchrun:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # until the screen handles it
        terminal.say(f"starting {processes} processes…")
        session = _attach(torchrun, voice)
        if session is None:
            sys.stderr.write(log.read_text())
            return torchrun.wait()
        code = show_attached(terminal, front, session, voice, ascii_only=ascii_only)
        return torchrun.wait() if session.snapshot().phase.ended else code


def _attach(torchrun: Torchrun, voice: Path) -> RemoteSession | None:
    """Attach to rank 0 once it trains; None where all have ended before, or are to end."""
    try:
        while torchrun.running:
            with suppress(InputError):
                return RemoteSession(voice, starter=torchrun)
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        torchrun.finish()
    return None
