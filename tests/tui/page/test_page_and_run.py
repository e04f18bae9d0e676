"""A page beside a real run: it shows the run, loses it, finds it again, and costs it nothing."""

import contextlib
import shutil
import signal
import socket

import pytest
from sshd import needs_sshd
from waiting import wait_until

from engine.attach.registry import runs_folder
from tui.page.voices import Voices

pytestmark = [pytest.mark.process, pytest.mark.slow]


def shown(page):
    """The one voice of the page, as it is now."""
    voices = page.state()
    return voices[0] if voices else {}


def trains_on(run) -> None:
    before = run.step
    wait_until(lambda: (run.step or 0) >= before + 20, "twenty steps")


@pytest.fixture
def page(run, listen, state):
    """A page that shows the run."""
    page = listen(XDG_STATE_HOME=state)
    wait_until(lambda: shown(page).get("running"), "the page to show the run")
    return page


def test_nothing_that_the_page_suffers_holds_up_a_step(run, page) -> None:
    with contextlib.ExitStack() as opened:
        # A hundred tabs that read nothing, as those that a laptop has put to sleep.
        for _ in range(100):
            tab = opened.enter_context(socket.create_connection(("127.0.0.1", page.port)))
            request = (
                f"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {page.token}"
            )
            tab.sendall(f"{request}\r\n\r\n".encode())
        trains_on(run)
        assert shown(page)["running"]
        page.process.send_signal(signal.SIGSTOP)
        trains_on(run)
        page.process.send_signal(signal.SIGCONT)
        step = run.step
        wait_until(lambda: shown(page)["step"] >= step, "the page to catch up")
        page.process.send_signal(signal.SIGKILL)
        trains_on(run)


@needs_sshd
def test_bytes_through_ssh_equal_bytes_made(run, page, sshd) -> None:
    sentence = "Two birds."
    voice = f"/voices/{shown(page)['id']}"
    assert page.ask(f"{voice}/speak", {"sentence": sentence}).status == 202
    with sshd.forward(page.port) as port, page.events() as events:
        page.port = port
        states = (data["voices"][0] for name, data in events if name == "state")
        # As it is being made, or whole where that took no time.
        file = next(
            sample["file"]
            for voice in states
            for sample in [voice["speaking"], *voice["samples"]]
            if sample is not None and sample["sentence"] == sentence
        )
        growing = page.ask(f"{voice}/samples/{file}")
        wait_until(
            lambda: file in [sample["file"] for sample in shown(page)["samples"]], "the sample"
        )
        whole = page.ask(f"{voice}/samples/{file}")
        made = (run.voice.samples / file).read_bytes()
        assert whole.body == made
        # Its header was written before anybody knew how long it would be.
        assert (growing.body[:4], growing.body[44:]) == (b"RIFF", made[44:])
        part = page.ask(f"{voice}/samples/{file}", Range="bytes=44-143")
        assert (part.status, part.body) == (206, made[44:144])
        assert part.headers["Content-Range"] == f"bytes 44-143/{len(made)}"
        refused = page.ask("/events", host=f"evil.example:{port}")
        assert refused.status == 403


def test_a_connection_that_is_lost_is_made_again(run, monkeypatch, state) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", state)
    voices = Voices(lambda: None)
    voice = voices.name(run.voice.folder)
    wait_until(lambda: voices.look() or voice.running, "the run")
    lost = voice._source
    lost._connection.socket.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: not voice.running, "the loss")
    wait_until(lambda: voices.look() or voice.running, "the run again")
    lost, voice._source = voice._source, None
    lost.close()


def test_a_run_that_is_killed_and_started_again_is_shown(run, page) -> None:
    wait_until(lambda: run.voice.newest("text2mel").step > 0, "a checkpoint")
    with page.events() as events:
        states = (data["voices"][0] for name, data in events if name == "state")
        run.process.send_signal(signal.SIGKILL)
        run.process.wait()
        lost = next(voice for voice in states if not voice["running"])
        assert "was killed" in lost["ended"]
        assert f"--voice {run.voice.folder}" in lost["ended"]
        wait_until(lambda: shown(page)["can_speak"] == "", "its checkpoints to speak")
        run.start()
        back = next(voice for voice in states if voice["running"])
        assert (back["id"], back["ended"]) == (lost["id"], "")
        run.process.send_signal(signal.SIGTERM)
        ended = next(voice for voice in states if not voice["running"])
        assert ended["step"] >= back["step"]
        assert "killed" not in ended["ended"]
    assert run.process.wait(60) == 0


def test_a_voice_that_goes_away_is_told(listen, make_voice) -> None:
    voice = make_voice(text2mel=5)
    page, away = listen(str(voice.folder)), voice.folder.with_name("elsewhere")
    wait_until(lambda: shown(page).get("can_speak") == "", "the voice")
    voice.folder.rename(away)
    wait_until(lambda: str(voice.folder) in shown(page)["ended"], "the page to notice")
    for path, body in (("speak", {"sentence": "Go."}), ("read", {"text": "Go."})):
        answer = page.ask(f"/voices/{shown(page)['id']}/{path}", body)
        assert answer.status == 400
        assert str(voice.folder) in answer.json["error"]
    away.rename(voice.folder)
    wait_until(lambda: str(voice.folder) not in shown(page)["ended"], "the voice again")
    shutil.rmtree(voice.folder)
    wait_until(lambda: str(voice.folder) in shown(page)["ended"], "the page to notice")
    assert page.end() == 0
    assert "Traceback" not in page.errors.read_text()


def test_a_list_of_runs_that_cannot_be_trusted_is_told(listen) -> None:
    page = listen()
    runs_folder().mkdir()
    runs_folder().chmod(0o777)
    with page.events() as events:
        next(data for name, data in events if name == "state" and "not yours" in data["trouble"])
        runs_folder().chmod(0o700)
        next(data for name, data in events if name == "state" and not data["trouble"])
