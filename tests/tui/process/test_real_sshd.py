"""A run over a real ssh connection that breaks, and the way back to it."""

import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

# Administrators' programs are not on everybody's path.
WHERE = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

pytestmark = [
    pytest.mark.process,
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(shutil.which(program, path=WHERE) for program in ("sshd", "ssh", "ssh-keygen"))
        and "VOICECOACH_REQUIRE_PROGRAMS" not in os.environ,
        reason="openssh-server and openssh-client are not installed",
    ),
]


class Sshd:
    """An ssh server of the test's own on loopback, and a key that opens it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        for name in ("host", "key"):
            keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(keygen, check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        settings = (
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/key.pub\nPidFile none\nStrictModes no\nUsePAM no\n"
            "PermitRootLogin yes\nPasswordAuthentication no\nPrintMotd no\nPrintLastLog no\n"
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

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    def client(self, command: list[str], **environment: str) -> list[str]:
        """The command of an ssh client that runs a command in a terminal of the server."""
        names = [f"{name}={value}" for name, value in environment.items()]
        options = ["-F", "none", "-tt", "-p", str(self.port), "-i", str(self._folder / "key")]
        for option in (
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
        ):
            options += ["-o", option]
        remote = shlex.join(["env", *names, *command])
        return ["ssh", *options, f"{getpass.getuser()}@127.0.0.1", remote]


@pytest.fixture
def sshd(tmp_path, runs):
    server = Sshd(tmp_path / "sshd")
    runs.wait_until(lambda: "Server listening" in server.log, "sshd")
    yield server
    server.process.terminate()
    server.process.wait()


def test_a_run_survives_its_ssh_client_and_is_attached_again(runs, sshd) -> None:
    whole = runs.environment()
    environment = {name: whole[name] for name in ("PATH", "PYTHONPATH", "XDG_STATE_HOME")}
    first = runs.start(sshd.client(runs.counting_command(), **environment))
    engine = runs.engine_process()
    first.wait_for_screen()

    first.process.send_signal(signal.SIGKILL)
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")
    assert runs.is_alive(engine)
    assert not runs.said("checkpoint")

    attach = runs.attach_command()
    second = runs.start(sshd.client(attach, **environment))
    second.wait_for_screen()
    runs.wait_until(lambda: not runs.said("unattended"), "the engine to hear that somebody looks")
    second.wait_for("counting from [nought]")
    second.process.send_signal(signal.SIGKILL)
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")

    third = runs.start(sshd.client(attach, **environment))
    third.wait_for_screen()
    third.type("q")
    third.wait_for("esc  stay here")
    third.type("s")
    assert third.wait() == 0
    third.wait_for("saved at step")
    assert runs.said("checkpoint")
    runs.wait_until(lambda: not runs.is_alive(engine), "the end")
