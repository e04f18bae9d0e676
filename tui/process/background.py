"""Two processes for one command: a front that the shell waits for, and the worker behind it.

The prompt returns when the process that the shell started ends, so training that continues
without a screen runs in another one; as threads do not survive a fork, that one exists before the
first thread. The front forwards signals to the worker and its exit code to the shell, and closes
the screen if the worker is killed.
"""

import contextlib
import os
import signal
import sys

from tui.process.terminal import Terminal

_FORWARDED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP}
_RELEASE = signal.SIGUSR1
_SUSPENDING = signal.SIGUSR2
_WATCHED = {*_FORWARDED, signal.SIGCHLD, _RELEASE, _SUSPENDING}
_STOP_THE_JOB = {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}


class Front:
    """The front, as the worker sees it."""

    def __init__(self, process: int) -> None:
        self._process = process

    @property
    def lost(self) -> bool:
        """Whether the front was killed before it was released."""
        return os.getppid() != self._process

    def suspend(self) -> None:
        """Say that the job is suspended: this process stops itself next, and the front with it."""
        if not self.lost:
            os.kill(self._process, _SUSPENDING)

    def release(self) -> None:
        """Leave the shell's job: the front ends with 0, the prompt returns, this process stays."""
        os.setsid()
        if not self.lost:
            os.kill(self._process, _RELEASE)


def open_front(
    terminal: Terminal,
    if_killed: str = "the newest checkpoint is kept; `voicecoach ps` shows how to continue",
) -> Front:
    """Fork; return in the worker only.

    In the front this call ends the process, with the worker's exit code, or with 128 and the
    signal's number if a signal killed it. Call it before any thread is started.

    Args:
        terminal: where the screen will be.
        if_killed: what the person is told should a signal kill the worker.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    front = os.getpid()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    worker = os.fork()
    if worker == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return Front(front)
    sys.exit(_wait(worker, terminal, if_killed))


def _wait(worker: int, terminal: Terminal, if_killed: str) -> int:
    suspending = False
    while True:
        info = signal.sigwaitinfo(_WATCHED)
        if info.si_signo == signal.SIGCHLD:
            code, stopped_by = _state_of(worker, terminal, if_killed)
            if code is not None:
                return code
            if stopped_by is not None:
                # A worker that somebody else stops by SIGSTOP does not concern the shell, which
                # would take the terminal. The worker announces a stop of its own.
                if suspending or stopped_by in _STOP_THE_JOB:
                    _stop_with(worker)
                suspending = False
        elif info.si_signo not in (_SUSPENDING, _RELEASE):
            _forward(info, worker, terminal)
        elif info.si_pid == worker:
            if info.si_signo == _RELEASE:
                return 0
            suspending = True


def _forward(info: signal.struct_siginfo, worker: int, terminal: Terminal) -> None:
    # What the terminal sends goes to the whole job, so the worker has it already; only a hang-up
    # goes to the leader of the session alone, which we may be.
    if info.si_code <= 0 or info.si_signo == signal.SIGHUP:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, info.si_signo)
    if info.si_signo == signal.SIGHUP:
        terminal.leave()


def _state_of(worker: int, terminal: Terminal, if_killed: str) -> tuple[int | None, int | None]:
    """Return the exit code of a worker that has ended, and the signal that stopped it."""
    stopped_by = None
    while True:
        process, status = os.waitpid(worker, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
        if process == 0:
            return None, stopped_by
        if os.WIFEXITED(status):
            return os.WEXITSTATUS(status), None
        if os.WIFSIGNALED(status):
            name = signal.Signals(os.WTERMSIG(status)).name
            terminal.put_back(screen_open=True)
            terminal.say(f"voicecoach: killed by {name}; {if_killed}")
            return 128 + os.WTERMSIG(status), None
        stopped_by = os.WSTOPSIG(status) if os.WIFSTOPPED(status) else None


def _stop_with(worker: int) -> None:
    """Stop, as the worker has, so that the shell takes the job for suspended."""
    os.kill(os.getpid(), signal.SIGSTOP)
    # `fg` wakes the whole job. Whoever woke only this process means the worker as well; waking
    # it twice would make Textual open its screen twice.
    with contextlib.suppress(ChildProcessError):
        if os.waitid(os.P_PID, worker, os.WNOHANG | os.WNOWAIT | os.WCONTINUED) is None:
            os.kill(worker, signal.SIGCONT)
