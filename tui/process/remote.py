"""This host as the person's own machine reaches it: scp and ssh commands, and the clipboard."""

import base64
import getpass
import ipaddress
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.files import absolute_path

_TMUX_SECONDS = 1.0
"""How long tmux may take to answer."""
_SSH_PORT = 22
# Of ASCII what a shell may take for its own signs; it takes no letter of another script for one.
_UNSAFE = re.compile(r"([\x00-$&-*;<>?\[-^`{-\x7f])")
_SCREEN_STRING = 200
"""Bytes that every version of GNU screen passes on in one string."""


@dataclass(frozen=True, slots=True)
class Host:
    """This host as seen from outside."""

    user: str
    """Empty where the account has no name."""
    address: str
    port: int = _SSH_PORT

    @classmethod
    def of_this(cls) -> "Host":
        """Address and port of the ssh server that the person came through, else the host's name.

        Behind a port that is forwarded these differ from what the person typed.
        """
        _, _, address, port, *_ = [*ssh_connection().split(), "", "", "", ""]
        try:
            ip = ipaddress.ip_address(address)
            # A zone names an interface of this host; the person's machine has others.
            reachable = not getattr(ip, "scope_id", None) and 0 < int(port) < 2**16
        except ValueError:
            reachable = False
        if not reachable:
            return cls(_user(), socket.gethostname())
        plain = getattr(ip, "ipv4_mapped", None) or ip
        return cls(_user(), str(plain), int(port))

    def scp_line(self, *paths: Path) -> str:
        """Write the command that copies files from here to the current folder there."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        # Escaped for the shell on this side, too: both scp's old protocol, which asks that shell,
        # and SFTP, which expands patterns itself, take a backslash and no quotes.
        sources = (
            self._with_user(address) + ":" + _UNSAFE.sub(r"\\\1", str(absolute_path(path)))
            for path in paths
        )
        return " ".join(["scp", *self._port("-P"), *map(shlex.quote, sources), "."])

    def player_line(self, path: Path) -> str:
        """Write the command that plays a sound of this host there, without a copy of it."""
        command = "cat " + _UNSAFE.sub(r"\\\1", str(absolute_path(path)))
        words = ["ssh", *self._port("-p"), shlex.quote(self._with_user(self.address))]
        return " ".join([*words, shlex.quote(command), "| ffplay -nodisp -autoexit -"])

    def ssh_line(self, command: str) -> str:
        """Write the command that runs a shell command here, in a terminal there."""
        address = shlex.quote(self._with_user(self.address))
        return " ".join(["ssh -t", *self._port("-p"), address, shlex.quote(command)])

    def tunnel_line(self, port: int) -> str:
        """Write the command that makes a port of 127.0.0.1 here the same port there."""
        address = shlex.quote(self._with_user(self.address))
        return " ".join([f"ssh -N -L {port}:127.0.0.1:{port}", *self._port("-p"), address])

    def _with_user(self, address: str) -> str:
        return f"{self.user}@{address}" if self.user else address

    def _port(self, option: str) -> list[str]:
        return [] if self.port == _SSH_PORT else [f"{option} {self.port}"]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that no password file knows.
        return ""


def ssh_connection() -> str:
    """Return the SSH_CONNECTION of whoever looks at this terminal; empty where nobody came by ssh.

    A session of tmux outlives the login that it began in; tmux knows that of the newest.
    """
    known = _tmux("show-environment", "SSH_CONNECTION")
    if known is None:
        return os.environ.get("SSH_CONNECTION", "")
    # A minus before the name says that the newest login has none.
    return known.strip().removeprefix("SSH_CONNECTION=") if known.startswith("SSH_") else ""


def ssh_to_screen(voice: Path) -> str:
    """Write the command that opens a run's screen from the person's own machine.

    Empty where they did not come by ssh: nothing is known of the way here then.
    """
    if not ssh_connection():
        return ""
    program = Path(sys.argv[0])
    # A login's own path need not lead into a virtual environment.
    is_ours = program.name == "voicecoach" and program.is_file()
    words = [str(program.absolute()) if is_ours else "voicecoach", "attach"]
    return Host.of_this().ssh_line(shlex.join([*words, str(absolute_path(voice))]))


def tunnel_to_page(port: int) -> str:
    """Write the command by which the person's own machine reaches a port of this host's 127.0.0.1.

    Empty where their terminal forwards ports itself.
    """
    return "" if forwards_ports() else Host.of_this().tunnel_line(port)


def forwards_ports() -> bool:
    """Whether the terminal forwards ports by itself, as that of VS Code does."""
    # tmux inside of it keeps the second variable alone.
    return os.environ.get("TERM_PROGRAM") == "vscode" or "VSCODE_IPC_HOOK_CLI" in os.environ


COPIED = "Copied to the tmux buffer and the clipboard."


def copy(text: str, write: Callable[[str], None]) -> str:
    """Copy a text to the person's clipboard; return what became of it.

    `write` sends a sequence to the terminal.
    """
    if (copied := _copy_by_tmux(text)) is not None:
        return copied
    if os.environ.get("TERM") == "linux":
        return "This console has no clipboard."
    sequence = f"\x1b]52;c;{base64.b64encode(_bytes(text)).decode()}\a"
    if "STY" in os.environ:
        # GNU screen drops the sequence, unless it comes as strings for the terminal around it.
        parts = (
            sequence[at : at + _SCREEN_STRING] for at in range(0, len(sequence), _SCREEN_STRING)
        )
        sequence = "".join(f"\x1bP{part}\x1b\\" for part in parts)
    write(sequence)
    return "Copied, if the terminal allows it."


def _copy_by_tmux(text: str) -> str | None:
    """Return what became of the text; None without tmux, or where it refuses."""
    if _tmux("load-buffer", "-w", "-", given=text) is not None:
        features = _tmux("display-message", "-p", "#{client_termfeatures}") or ""
        if "clipboard" in features.split(","):
            return COPIED
    elif _tmux("load-buffer", "-", given=text) is None:  # tmux before 3.2
        return None
    return "Copied to the tmux buffer only; tmux knows no clipboard of this terminal."


def _tmux(*arguments: str, given: str = "") -> str | None:
    """Return what tmux answers; None outside of tmux, or where it fails."""
    if "TMUX" not in os.environ:
        return None
    try:
        done = subprocess.run(
            ["tmux", *arguments],
            input=_bytes(given), capture_output=True, timeout=_TMUX_SECONDS, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace")


def _bytes(text: str) -> bytes:
    """A text as the terminal has it; names of files that are no UTF-8 keep their bytes."""
    return text.encode(errors="surrogateescape")
