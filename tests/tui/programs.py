"""Runs the command as a person does: as a process of its own, in a terminal of its own."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path

from paths import ROOT
from waiting import wait_until

COUNTING_RUN = Path(__file__).with_name("process") / "counting_run.py"
DEADLINE = 60.0


def state_of(process: int) -> str:
    """Return the letter that /proc has for a process: R, S, T when it is stopped, X when gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def is_alive(process: int) -> bool:
    """Say whether a process runs, one that has ended but was not waited for left out."""
    return state_of(process) not in "ZX"


def holds_terminal(process: int) -> bool:
    """Say whether a process has a pseudo-terminal open."""
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if str(entry.readlink()).startswith("/dev/pts/"):
                return True
    return False


def clean_environment(**more: str) -> dict[str, str]:
    """Return this environment without what changes how a screen is drawn."""
    removed = ("NO_COLOR", "FORCE_COLOR", "VOICECOACH_DEBUG", "COLUMNS", "LINES")
    removed += ("LC_ALL", "LC_CTYPE", "TMUX", "STY", "SSH_CONNECTION")
    kept = {name: value for name, value in os.environ.items() if name not in removed}
    kept |= {"TERM": "xterm-256color", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}
    return kept | {"PYTHONPATH": str(ROOT)} | more


class TerminalProcess:
    """A process that leads a session in a pseudo-terminal of 80 × 24, and what it drew there."""

    def __init__(self, arguments: list[str], folder: Path, **environment: str) -> None:
        self._controller, terminal = pty.openpty()
        os.set_blocking(self._controller, False)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.modes_before = termios.tcgetattr(terminal)
        self._output = bytearray()
        self._reading = threading.Event()
        self._reading.set()
        self.closed = False
        self.process = subprocess.Popen(
            arguments,
            cwd=folder,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=clean_environment(**environment),
        )
        # Kept, so that the modes can be read once everybody else has let go.
        self._terminal = terminal
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> bytes:
        return bytes(self._output)

    @property
    def text(self) -> str:
        """What was written, without the sequences that place and colour it."""
        return re.sub(r"\x1b\[[0-9;?<>=$]*[a-zA-Z]", "", self.output.decode(errors="replace"))

    @property
    def modes(self) -> list[object]:
        return termios.tcgetattr(self._terminal)

    def type(self, keys: str) -> None:
        self.send(keys.encode())

    def send(self, data: bytes) -> None:
        """Send what a terminal may send, whatever it is."""
        rest = memoryview(data)

        def sent() -> bool:
            nonlocal rest
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(self._controller, rest) :]
            return not rest

        wait_until(sent, "the input to be taken")

    def resize(self, rows: int, columns: int) -> None:
        """Be a window that changes its size."""
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for_screen(self) -> None:
        """Return when the first frame is drawn."""
        wait_until(lambda: b"\x1b[?1000h" in self.output, "the screen to open")
        opened_at = self.output.rindex(b"\x1b[?1000h")
        wait_until(lambda: len(self.output) > opened_at + 500, "the first frame")

    def is_as_it_was(self) -> bool:
        """Say whether a shell could go on here: screen closed, mouse off, cursor on, old modes."""
        output = self.output
        for mode, on, off in ((1049, "h", "l"), (1000, "h", "l"), (1003, "h", "l"), (25, "l", "h")):
            set_by_screen, as_it_was = (f"\x1b[?{mode}{end}".encode() for end in (on, off))
            if output.rfind(as_it_was) < output.rfind(set_by_screen):
                return False
        return self.modes == self.modes_before

    def wait_for(self, words: str) -> None:
        """Return once words are on the terminal."""
        wait_until(lambda: words in self.text, repr(words))

    def wait_until_restored(self) -> None:
        """Return once a shell could be used here again."""
        wait_until(self.is_as_it_was, "the terminal to be as it was")

    def stop_reading(self) -> None:
        """Be a terminal that nobody looks at, its buffer full."""
        self._reading.clear()

    def read_on(self) -> None:
        """Be looked at again."""
        self._reading.set()

    def set_nonblocking(self) -> None:
        """Do to the descriptor that the process inherited what other programs may do to it."""
        os.set_blocking(self._terminal, False)

    def fill(self) -> None:
        """Read no more, and have the screen drawn, light and dark, until its buffer is full."""
        self.stop_reading()

        def is_full() -> bool:
            self.type("t")
            return self.takes_no_more()

        wait_until(is_full, "the terminal's buffer to fill")

    def takes_no_more(self) -> bool:
        """Say whether whoever writes to the terminal now has to wait."""
        return not select.select([], [self._terminal], [], 0)[1]

    def close(self) -> None:
        """Be a terminal window that is closed."""
        if not self.closed:
            self.closed = True
            self._reading.set()
            self._reader.join()
            os.close(self._terminal)
            os.close(self._controller)

    def wait(self, deadline: float = DEADLINE) -> int:
        return self.process.wait(deadline)

    def _read(self) -> None:
        # A read under way would keep the terminal open although it is closed.
        while not self.closed:
            self._reading.wait()
            if select.select([self._controller], [], [], 0.05)[0]:
                self._output += os.read(self._controller, 4096)


class Runs:
    """Starts processes for a test and sees that none is left behind."""

    wait_until = staticmethod(wait_until)
    is_alive = staticmethod(is_alive)
    state_of = staticmethod(state_of)
    environment = staticmethod(clean_environment)
    holds_terminal = staticmethod(holds_terminal)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.voice = folder / "voice"
        self.terminals: list[TerminalProcess] = []
        self.has_to_be_ended = False

    def counting(self, *options: str, **environment: str) -> TerminalProcess:
        """Run `train` with an engine that only counts, in a terminal."""
        return self.start([*self.counting_command(*options)], **environment)

    def counting_command(self, *options: str) -> list[str]:
        return [sys.executable, str(COUNTING_RUN), "train", "--voice", str(self.voice), *options]

    def attach_command(self, *options: str) -> list[str]:
        return [sys.executable, str(COUNTING_RUN), "attach", str(self.voice), *options]

    def attach(self, *options: str, **environment: str) -> TerminalProcess:
        """Attach a screen to the run, in another terminal."""
        return self.start(self.attach_command(*options), **environment)

    def leave(self, terminal: TerminalProcess) -> None:
        """Close a screen and keep its run training."""
        terminal.type("q")
        terminal.wait_for("esc  stay here")
        terminal.type("k")
        assert terminal.wait() == 0

    def unseen(self) -> int:
        """Start a run without a screen; return the process that trains."""
        self.counting("--headless")
        wait_until((self.voice / "socket").exists, "the socket")
        return self.engine_process()

    def asked(self) -> list[str]:
        """The names of the commands that the engine has received."""
        return (self.said("asked") or "").split()

    def start(self, arguments: list[str], **environment: str) -> TerminalProcess:
        terminal = TerminalProcess(arguments, self.folder, **environment)
        self.terminals.append(terminal)
        return terminal

    def said(self, name: str) -> str | None:
        """Return what the counting engine wrote under a name, None if nothing yet."""
        try:
            return (self.voice / name).read_text()
        except FileNotFoundError:
            return None

    def engine_process(self) -> int:
        """Wait until the engine counts; return the process it does so in."""
        wait_until(lambda: self.said("process"), "the engine to start")
        return int(self.said("process") or 0)

    def end(self) -> None:
        process = self.said("process")
        for terminal in self.terminals:
            terminal.process.kill()
            terminal.process.wait()
            terminal.close()
        if process is not None and is_alive(int(process)):
            os.kill(int(process), signal.SIGKILL)
