"""One page for a user of a host: its port, its file, its end, and who else can reach it."""

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from page_process import WITHIN
from programs import clean_environment
from sshd import unused_port
from waiting import wait_until

from tui.page.voices import voice_id

pytestmark = [pytest.mark.process, pytest.mark.slow]


def listen_again(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tui", "listen", *words]
    environment = clean_environment()
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=WITHIN, check=False
    )


def state_files() -> list[Path]:
    """What the page has written for others to find it."""
    state = Path(os.environ["XDG_STATE_HOME"]) / "voicecoach"
    return [*state.glob("page/*.json")]


def test_there_is_one_page_and_a_signal_ends_it(listen, make_voice) -> None:
    before = os.umask(0)
    try:
        page = listen()
    finally:
        os.umask(before)
    [file] = state_files()
    assert page.token in file.read_text()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (file.parent, file)]
    assert modes == [0o700, 0o600]
    # Nobody sees the token in the list of processes.
    assert page.token not in Path(f"/proc/{page.process.pid}/cmdline").read_text()
    # It is at 127.0.0.1 alone, whatever other addresses lead to this host.
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.2", page.port)) != 0

    second = listen_again(str(make_voice().folder))
    assert (second.returncode, second.stdout.splitlines()[0]) == (0, page.address)
    wait_until(lambda: len(page.state()) == 1, "the voice that was named")
    assert listen_again("--port", str(page.port)).stdout == second.stdout
    elsewhere = listen_again("--port", str(unused_port()))
    assert (elsewhere.returncode, elsewhere.stdout) == (2, "")
    assert f"already running on port {page.port}; leave out --port" in elsewhere.stderr
    assert f"kill {page.process.pid}" in elsewhere.stderr

    with page.events() as events:
        assert next(events)[0] == "state"
        assert page.end() == 0
    assert state_files() == []
    assert page.errors.read_text() == ""


def test_a_page_that_has_just_begun_to_speak_ends_as_well(listen, make_voice) -> None:
    voice = make_voice().folder
    page = listen(str(voice))
    wait_until(lambda: page.state(), "the voice")
    assert page.ask(f"/voices/{voice_id(voice)}/speak", {"sentence": "Hello."}).status == 202
    # torch is being loaded.
    assert page.end() == 0
    assert page.errors.read_text() == ""


def test_a_killed_page_is_replaced_and_its_token_is_void(listen) -> None:
    first = listen()
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    second = listen("--port", str(first.port))
    assert second.token != first.token
    first.port = second.port
    assert first.ask("/").status == 401
    second.process.send_signal(signal.SIGINT)
    assert second.process.wait(WITHIN) == 0


def test_a_port_that_is_taken_is_told_and_the_default_moves_on(listen, tmp_path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = listen_again("--port", str(port))
    assert told.returncode == 2
    assert told.stdout == ""
    assert str(port) in told.stderr
    assert "--port" in told.stderr
    assert len(told.stderr.splitlines()) == 1
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody else has it
            taken.bind(("127.0.0.1", 8765))
            taken.listen()
        page = listen("--port", "default")
        assert 8765 < page.port < 8865


def test_where_nothing_can_be_written_it_says_so() -> None:
    environment = {"XDG_STATE_HOME": "/proc/nowhere"}
    command = [sys.executable, "-m", "tui", "listen", "--port", str(unused_port())]
    told = subprocess.run(
        command, env=clean_environment(**environment), capture_output=True, text=True, check=False
    )
    assert told.returncode in (1, 2)
    assert len(told.stderr.splitlines()) == 1
    assert "/proc/nowhere" in told.stderr


ASK = r"""
exec 3<>/dev/tcp/127.0.0.1/{}
printf "GET {} HTTP/1.0\r\nHost: localhost\r\n\r\n" >&3
cat <&3
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_of_the_host_gets_nothing(listen, make_voice) -> None:
    page = listen(str(make_voice().folder))
    [file] = state_files()
    process = page.process.pid

    def as_nobody(*words: str) -> subprocess.CompletedProcess[str]:
        nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        done = subprocess.run([*nobody, *words], capture_output=True, text=True, check=False)
        assert page.token not in done.stdout
        return done

    for path in ("/", "/events", "/voices/x/samples/y.wav"):
        assert as_nobody("bash", "-c", ASK.format(page.port, path)).stdout.split()[1] == "401"
    for words in (["cat", str(file)], ["cat", f"/proc/{process}/environ"], ["kill", str(process)]):
        assert as_nobody(*words).returncode != 0
    assert page.state()
