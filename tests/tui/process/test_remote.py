"""How the person's own machine reaches this host, and its clipboard."""

import base64
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.process.remote import Host, copy, ssh_connection


def host(connection: str) -> Host:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TMUX", raising=False)
        patch.setenv("SSH_CONNECTION", connection)
        patch.setattr("socket.gethostname", lambda: "gpu-1")
        patch.setenv("LOGNAME", "zoë")
        return Host.of_this()


@pytest.mark.parametrize(
    ("connection", "scp", "ssh"),
    [
        ("198.51.100.7 51000 203.0.113.5 22", "scp zoë@203.0.113.5:/a.wav .", "zoë@203.0.113.5"),
        (
            "198.51.100.7 51000 203.0.113.5 2222",
            "scp -P 2222 zoë@203.0.113.5:/a.wav .",
            "-p 2222 zoë@203.0.113.5",
        ),
        (
            "2001:db8::7 51000 2001:db8::5 2222",
            "scp -P 2222 zoë@[2001:db8::5]:/a.wav .",
            "-p 2222 zoë@2001:db8::5",
        ),
        ("::1 9 ::ffff:203.0.113.5 22", "scp zoë@203.0.113.5:/a.wav .", "zoë@203.0.113.5"),
        # A zone of this host, a proxy without addresses, nobody by ssh.
        ("fe80::1%eth0 9 fe80::2%eth0 22", "scp zoë@gpu-1:/a.wav .", "zoë@gpu-1"),
        ("UNKNOWN 65535 UNKNOWN 65535", "scp zoë@gpu-1:/a.wav .", "zoë@gpu-1"),
        ("198.51.100.7 51000 203.0.113.5 0", "scp zoë@gpu-1:/a.wav .", "zoë@gpu-1"),
        ("", "scp zoë@gpu-1:/a.wav .", "zoë@gpu-1"),
    ],
)
def test_lines_lead_to_the_server_that_the_person_came_through(connection, scp, ssh):
    there = host(connection)
    assert shlex.split(there.scp_line(Path("/a.wav"))) == scp.split()
    assert shlex.split(there.ssh_line("ls 'a b'")) == ["ssh", "-t", *ssh.split(), "ls 'a b'"]
    line = there.player_line(Path("/a.wav"))
    assert shlex.split(line)[:-5] == ["ssh", *ssh.split(), "cat /a.wav"]
    assert line.endswith(" | ffplay -nodisp -autoexit -")


def test_letters_of_any_script_need_no_escape_in_a_path():
    line = host("").scp_line(Path("/हिन्दी l’été.wav"))
    assert shlex.split(line)[1].endswith(":/हिन्दी\\ l’été.wav")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_any_ssh_connection_gives_a_line(connection):
    assert host(connection).scp_line(Path("/a.wav")).endswith(" .")


def test_in_gnu_screen_the_clipboard_comes_in_short_strings(monkeypatch):
    monkeypatch.setenv("STY", "1.pts-0.host")
    written: list[str] = []
    text = "scp " + "ü" * 700
    assert copy(text, written.append) == "Copied, if the terminal allows it."
    strings = re.findall(r"\x1bP(.*?)\x1b\\", written[0], re.DOTALL)
    assert max(map(len, strings)) <= 200
    assert "".join(f"\x1bP{part}\x1b\\" for part in strings) == written[0]
    sequence = "".join(strings)
    assert base64.b64decode(sequence.removeprefix("\x1b]52;c;").removesuffix("\a")).decode() == text


def test_a_path_that_is_no_utf_8_is_copied_with_its_own_bytes():
    written: list[str] = []
    copy(host("").scp_line(Path(os.fsdecode(b"/\xff.wav"))), written.append)
    assert b":/\xff.wav" in base64.b64decode(written[0][7:-1])


def test_the_console_of_linux_has_no_clipboard(monkeypatch):
    monkeypatch.setenv("TERM", "linux")
    written: list[str] = []
    assert "no clipboard" in copy("text", written.append)
    assert not written


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.skipif(
    not shutil.which("tmux") and "VOICECOACH_REQUIRE_PROGRAMS" not in os.environ,
    reason="tmux is not installed",
)
def test_tmux_knows_the_newest_login_and_takes_a_copy(tmp_path, monkeypatch, runs):
    socket = tmp_path / "tmux"

    def tmux(*words: str) -> str:
        command = ["tmux", "-f", "/dev/null", "-S", str(socket), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    logins = "1.1.1.1 1 203.0.113.5 2222", "1.1.1.1 2 203.0.113.6 22"
    command = f"tmux -f /dev/null -S {socket} new-session -A -s one cat"
    first = runs.start(shlex.split(command), SSH_CONNECTION=logins[0])
    runs.wait_until(lambda: socket.exists() and tmux("list-clients"), "the session")
    monkeypatch.setenv("TMUX", f"{socket},1,0")
    monkeypatch.setenv("SSH_CONNECTION", logins[0])
    assert ssh_connection() == logins[0]
    # Somebody takes the session over from elsewhere.
    second = runs.start(shlex.split(command.replace("-A ", "-A -D ")), SSH_CONNECTION=logins[1])
    runs.wait_until(lambda: ssh_connection() == logins[1], "the other login")

    written: list[str] = []
    text = "scp a@b:/c ."
    assert copy(text, written.append) == "Copied to the tmux buffer and the clipboard."
    assert tmux("show-buffer") == text
    clipboard = base64.b64encode(text.encode())
    runs.wait_until(lambda: clipboard in second.output, "the clipboard of the terminal")
    assert not written
    assert first.wait() == 0
    tmux("kill-server")
    assert second.wait() in (0, 1)
    # Without its server nothing is known of it.
    assert ssh_connection() == logins[0]
    assert copy(text, written.append) == "Copied, if the terminal allows it."
