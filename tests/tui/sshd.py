"""A real ssh server on loopback, and clients that run commands and forward ports through it."""

import contextlib
import getpass
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import wait_until

# Administrators' programs are not on everybody's path.
WHERE = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

needs_sshd = pytest.mark.skipif(
    not all(shutil.which(program, path=WHERE) for program in ("sshd", "ssh", "ssh-keygen"))
    and "VOICECOACH_REQUIRE_PROGRAMS" not in os.environ,
    reason="openssh-server and openssh-client are not installed",
)


def unused_port() -> int:
    """A port of 127.0.0.1 at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Say whether somebody listens at a port of 127.0.0.1."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Sshd:
    """An ssh server of the test's own on loopback, and a key that opens it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        for name in ("host", "key"):
            keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(keygen, check=True)
        self.port = unused_port()
        settings = (
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/key.pub\nPidFile none\nStrictModes no\nUsePAM no\n"
            "PermitRootLogin yes\nPasswordAuthentication no\nPrintMotd no\nPrintLastLog no\n"
            "Subsystem sftp internal-sftp\n"
        )
        (folder / "config").write_text(settings)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        program = shutil.which("sshd", path=WHERE)
        assert program is not None
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [program, "-D", "-e", "-f", str(folder / "config")], stdout=log, stderr=log
            )
        wait_until(lambda: "Server listening" in self.log, "sshd")

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    def client(self, command: list[str], **environment: str) -> list[str]:
        """The command of an ssh client that runs a command in a terminal of the server."""
        names = [f"{name}={value}" for name, value in environment.items()]
        remote = shlex.join(["env", *names, *command])
        return ["ssh", "-tt", "-p", str(self.port), *self.options, self.address, remote]

    @contextlib.contextmanager
    def forward(self, port: int) -> Iterator[int]:
        """Forward a port of "the laptop" to one of the server; yields that of the laptop."""
        here = unused_port()
        ways = ["-N", "-L", f"{here}:127.0.0.1:{port}", "-o", "ExitOnForwardFailure=yes"]
        command = ["ssh", *ways, "-p", str(self.port), *self.options, self.address]
        client = subprocess.Popen(command)
        try:
            wait_until(lambda: answers(here), "ssh to forward a port")
            yield here
        finally:
            client.terminate()
            client.wait()

    @property
    def address(self) -> str:
        return f"{getpass.getuser()}@127.0.0.1"

    def end(self) -> None:
        self.process.terminate()
        self.process.wait()

    @property
    def options(self) -> list[str]:
        """What ssh and scp need to know of this server."""
        options = ["-F", "none", "-i", str(self._folder / "key")]
        for option in (
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
        ):
            options += ["-o", option]
        return options
