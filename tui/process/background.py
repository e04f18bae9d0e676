"""Two processes for one command: a front that the shell waits for, and the one that works.

The shell's prompt returns when the process it started ends. Training that goes on without a
screen must therefore run in another one, and since threads do not survive a fork, that other
process has to exist before the first thread. The front passes on what the shell and the person
tell it (signals one way, the exit code the other), and closes the screen should the worker be
killed.
"""

import contextlib
import os
import signal
import sys

from tui.process.terminal import Terminal

_PASSED_ON = {
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
}
_RELEASE = signal.SIGUSR1
_SUSPENDING = signal.SIGUSR2
_WATCHED = {*_PASSED_ON, signal.SIGCHLD, _RELEASE, _SUSPENDING}
_OF_THE_JOB = {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
"""What stops a job as a whole."""
_IS_KEPT = "the newest checkpoint is kept, and the same command continues from it"


class Front:
    """What the working process holds of the front that started it."""

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


def open_front(terminal: Terminal, if_killed: str = _IS_KEPT) -> Front:
    """Fork; return in the working process only.

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
            code, stopped_by = _look(worker, terminal, if_killed)
            if code is not None:
                return code
            if stopped_by is not None:
                # A worker that somebody stops by SIGSTOP, and continues, is none of the shell's
                # business: it would take the terminal, and the screen would be drawn over it. By
                # that signal the worker stops itself, too, and says so before.
                if suspending or stopped_by in _OF_THE_JOB:
                    _stop_too(worker)
                suspending = False
        elif info.si_signo == _SUSPENDING:
            suspending = info.si_pid == worker
        elif info.si_signo == _RELEASE:
            if info.si_pid == worker:
                return 0
        else:
            # What the terminal sends goes to the whole job, so the worker has it already; a
            # hang-up alone goes to the leader of the session only, which we may be.
            if info.si_code <= 0 or info.si_signo == signal.SIGHUP:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, info.si_signo)
            if info.si_signo == signal.SIGHUP:
                terminal.leave()


def _look(worker: int, terminal: Terminal, if_killed: str) -> tuple[int | None, int | None]:
    """Take the worker's news: the exit code once it has ended, and the signal that stopped it."""
    stopped_by = None
    while True:
        process, status = os.waitpid(worker, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
        if process == 0:
            return None, stopped_by
        if os.WIFEXITED(status):
            return os.WEXITSTATUS(status), None
        if os.WIFSIGNALED(status):
            return _killed(os.WTERMSIG(status), terminal, if_killed), None
        stopped_by = os.WSTOPSIG(status) if os.WIFSTOPPED(status) else None


def _stop_too(worker: int) -> None:
    """Stop, as the worker has, so that the shell takes the job for suspended."""
    os.kill(os.getpid(), signal.SIGSTOP)
    # `fg` wakes the whole job. Whoever woke only this process means the worker as well; waking
    # it twice would make Textual open its screen twice.
    with contextlib.suppress(ChildProcessError):
        if os.waitid(os.P_PID, worker, os.WNOHANG | os.WNOWAIT | os.WCONTINUED) is None:
            os.kill(worker, signal.SIGCONT)


def _killed(signum: int, terminal: Terminal, if_killed: str) -> int:
    terminal.put_back(screen_open=True)
    terminal.say(f"voicecoach: killed by {signal.Signals(signum).name}; {if_killed}")
    return 128 + signum
