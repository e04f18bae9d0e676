"""A run over a real ssh connection that breaks, and the way back to it."""

import os
import shlex
import shutil
import signal
import subprocess
import sys

import pytest
from sshd import needs_sshd

pytestmark = [pytest.mark.process, pytest.mark.slow, needs_sshd]

LINE = """
import sys
from pathlib import Path
from tui.process.remote import Host
files = [*map(Path, sys.argv[1:])]
print(Host.of_this().scp_line(*files))
print(Host.of_this().player_line(files[0]))
"""


def test_lines_fetch_and_play_any_file_of_their_server(sshd, runs, tmp_path) -> None:
    folder = tmp_path / 'it\'s $HOME; (an [odd] *) \\ "Zoë" & ~'
    folder.mkdir()
    files = [folder / "a b.wav", folder / "‚c‘ #.wav"]
    for file in files:
        file.write_text(file.name)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": runs.environment()["PYTHONPATH"]}
    program = sshd.client([sys.executable, "-c", LINE, *map(str, files)], **environment)
    printed = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
    fetching, playing = printed.stdout.splitlines()
    scp, *words = shlex.split(fetching)
    assert words[:2] == ["-P", str(sshd.port)]
    # By the old protocol and by SFTP.
    for protocol in (["-O"], []):
        here = tmp_path / f"here{len(protocol)}"
        here.mkdir()
        fetch = [scp, *protocol, *sshd.options, *words]
        subprocess.run(fetch, cwd=here, check=True, timeout=60)
        assert sorted(file.name for file in here.iterdir()) == sorted(f.name for f in files)

    programs = tmp_path / "programs"
    programs.mkdir()
    ssh = shlex.join([str(shutil.which("ssh")), *sshd.options])
    for name, does in (("ssh", f'exec {ssh} "$@"'), ("ffplay", 'echo "$@" && exec cat')):
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o700)
    path = f"{programs}:{os.environ['PATH']}"
    heard = subprocess.run(
        ["sh", "-c", playing], env={"PATH": path}, capture_output=True, text=True, timeout=60
    )
    assert heard.stdout == f"-nodisp -autoexit -\n{files[0].name}", heard.stderr


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
