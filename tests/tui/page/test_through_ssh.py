"""The page in a browser on "the laptop", which reaches the host through ssh alone."""

import hashlib
import os
import re
import shlex
import signal
import stat

import httpx
import pytest
from sshd import needs_sshd
from waiting import wait_until

from tui.page.client import find_page

pytestmark = [pytest.mark.process, pytest.mark.slow, needs_sshd]

# What a browser must never take for anything but text.
SENTENCE = "Two <b>birds</b> & <img src=x onerror=alert(1)> sat."


@pytest.fixture
def page(run, listen, state):
    """A page that shows the run."""
    page = listen(XDG_STATE_HOME=state)
    wait_until(lambda: any(voice["running"] for voice in page.state()), "the run on the page")
    return page


@pytest.fixture
def laptop(chromium, page, sshd):
    """The page as a browser has it that comes through a forwarded port."""
    with sshd.forward(page.port) as port, chromium.new_context() as context:
        tab = context.new_page()
        tab.set_default_timeout(30_000)
        tab.errors, tab.asked = [], []
        tab.on("pageerror", lambda error: tab.errors.append(str(error)))
        tab.on("dialog", lambda dialog: tab.errors.append(dialog.message))
        tab.on("request", lambda request: tab.asked.append(request.url))
        tab.goto(page.address.replace(str(page.port), str(port)))
        yield tab
        assert tab.errors == []
        own = f"http://127.0.0.1:{port}/"
        assert [url for url in tab.asked if not url.startswith((own, "data:", "blob:"))] == []


def test_what_is_heard_on_the_laptop_was_made_here(run, page, laptop) -> None:
    assert page.token not in laptop.url
    laptop.click("#sound")
    laptop.fill("#text", SENTENCE)
    laptop.click("#ask")
    row = laptop.locator("#rows button[data-sha256]").first
    row.wait_for()
    file = row.get_attribute("data-key")
    made = (run.voice.samples / file).read_bytes()
    assert row.get_attribute("data-sha256") == hashlib.sha256(made[44:]).hexdigest()
    assert len(made) > 1000
    # The sentence is text wherever it stands.
    assert SENTENCE in laptop.locator("#sentence").inner_text()
    assert laptop.locator("img[src=x]").count() == 0
    # It is kept by its file's name, through the forward too.
    with laptop.expect_download() as download:
        laptop.click("#download")
    assert download.value.path().read_bytes() == made
    # Somebody has heard it.
    wait_until(
        lambda: [s["heard"] for s in page.state()[0]["samples"] if s["file"] == file] == [True],
        "the sample to be marked",
    )


def test_the_page_loses_its_run_and_its_server_and_finds_them_again(
    run, page, laptop, listen, state
) -> None:
    line = laptop.locator("#line")
    wait_until(lambda: run.voice.newest("text2mel").step > 0, "a checkpoint")
    run.process.send_signal(signal.SIGKILL)
    run.process.wait()
    alarm = laptop.locator("#alarm")
    alarm.filter(has_text="was killed").wait_for()
    assert "training" not in line.inner_text()
    run.start()
    line.filter(has_text="training").wait_for()
    assert alarm.is_hidden()

    page.process.send_signal(signal.SIGKILL)
    page.process.wait()
    trouble = laptop.locator("#trouble")
    laptop.get_by_text("No connection to the page's server").wait_for()
    # Started again, it has another token, which this browser does not know.
    again = listen("--port", str(page.port), XDG_STATE_HOME=state)
    laptop.get_by_text("This browser is not signed in").wait_for()
    forwarded = laptop.url.split("/#")[0].rstrip("/")
    laptop.goto(f"{forwarded}/?token={page.token}")
    assert "token" in laptop.inner_text("body")
    laptop.goto(f"{forwarded}/?token={again.token}")
    line.wait_for()
    assert trouble.is_hidden()


def test_the_key_l_shows_the_way_from_the_laptop(runs, sshd) -> None:
    whole = runs.environment()
    environment = {name: whole[name] for name in ("PATH", "PYTHONPATH", "XDG_STATE_HOME")}
    screen = runs.start(sshd.client(runs.counting_command(), **environment))
    screen.wait_for_screen()
    screen.type("l")
    try:
        screen.wait_for("?token=")
        screen.wait_for("closes")
        [address] = set(re.findall(r"http://127\.0\.0\.1:\d+/\?token=[0-9a-f]{32}", screen.text))
        assert "\x1b]8;" in screen.output.decode()
        [line] = set(re.findall(r"ssh -N -L [\w.: -]+@127\.0\.0\.1", screen.text))
        port = find_page().port
        way, there = f"{port}:127.0.0.1:{port}", ["-p", str(sshd.port), sshd.address]
        assert shlex.split(line) == ["ssh", "-N", "-L", way, *there]
        screen.type("lqs")
        assert screen.wait() == 0
        # It has outlived the screen and the run.
        with sshd.forward(port) as here:
            answer = httpx.get(address.replace(str(port), str(here)))
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
        # Its token is written down once, for its owner.
        token = address.partition("=")[2].encode()
        files = [path for path in runs.folder.rglob("*") if path.is_file()]
        [file] = [path for path in files if token in path.read_bytes()]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    finally:
        if (left := find_page()) is not None:
            os.kill(left.process.pid, signal.SIGTERM)
            wait_until(lambda: find_page() is None, "the page to end")
