"""A run over a real ssh connection that breaks, and the way back to it."""

import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
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

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    def client(self, command: list[str], **environment: str) -> list[str]:
        """The command of an ssh client that runs a command in a terminal of the server."""
        names = [f"{name}={value}" for name, value in environment.items()]
        remote = shlex.join(["env", *names, *command])
        address = f"{getpass.getuser()}@127.0.0.1"
        return ["ssh", "-tt", "-p", str(self.port), *self.options, address, remote]

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


@pytest.fixture
def sshd(tmp_path, runs):
    server = Sshd(tmp_path / "sshd")
    runs.wait_until(lambda: "Server listening" in server.log, "sshd")
    yield server
    server.process.terminate()
    server.process.wait()


LINE = """
import sys
from pathlib import Path
from tui.process.remote import Host
print(Host.of_this().scp_line(*map(Path, sys.argv[1:])))
"""


def test_the_scp_line_fetches_any_file_from_its_server(sshd, runs, tmp_path) -> None:
    folder = tmp_path / 'it\'s $HOME; (an [odd] *) \\ "Zoë" & ~'
    folder.mkdir()
    files = [folder / "a b.wav", folder / "‚c‘ #.wav"]
    for file in files:
        file.write_text(file.name)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": runs.environment()["PYTHONPATH"]}
    program = sshd.client([sys.executable, "-c", LINE, *map(str, files)], **environment)
    printed = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
    scp, *words = shlex.split(printed.stdout)
    assert words[:2] == ["-P", str(sshd.port)]
    # By the old protocol and by SFTP.
    for protocol in (["-O"], []):
        here = tmp_path / f"here{len(protocol)}"
        here.mkdir()
        fetch = [scp, *protocol, *sshd.options, *words]
        subprocess.run(fetch, cwd=here, check=True, timeout=60)
        assert sorted(file.name for file in here.iterdir()) == sorted(f.name for f in files)


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
    third.type("k")
    third.wait_for(f"from your computer:  ssh -t -p {sshd.port} ")
    assert third.wait() == 0

    fourth = runs.start(sshd.client(attach, **environment))
    fourth.wait_for_screen()
    fourth.type("qs")
    assert fourth.wait() == 0
    fourth.wait_for("saved at step")
    assert runs.said("checkpoint")
    runs.wait_until(lambda: not runs.is_alive(engine), "the end")
