"""Who may use the page, asked of the app; `test_strangers.py` attacks the server itself."""

import os
import shutil

import pytest
from paths import EARLIER_VOICE
from starlette.testclient import TestClient

from tui.page.app import PageApp
from tui.page.client import path_to_text
from tui.page.security import Guard
from tui.page.voices import voice_id

TOKEN = "0123456789abcdef" * 2
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def browser():
    page = PageApp()
    page.voices.name(EARLIER_VOICE)
    page.voices.look()
    app = Guard(page.app(), TOKEN, 8765)
    client = TestClient(app, base_url="http://127.0.0.1:8765", follow_redirects=False)
    client.page = page
    return client


def test_link_in_another_page_leads_to_the_page_as_well(browser):
    answer = browser.get(f"/?token={TOKEN}", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.headers["refresh"] == "0; url=/"
    assert browser.post("/sound", json={"tab": "one", "on": True}).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:8765", "LOCALHOST", "[::1]:8765"])
def test_page_answers_to_every_name_of_this_computer(browser, host):
    headers = BEARER | {"Host": host, "Origin": f"http://{host}"}
    assert browser.post("/sound", json={"tab": "a", "on": True}, headers=headers).is_success


def test_wrong_token_is_refused_in_words(browser):
    answer = browser.get("/?token=wrong&x=<b>", headers={"Accept": "text/html"})
    assert answer.status_code == 403
    assert "token in this address" in answer.text
    assert "<b>" not in answer.text
    assert "set-cookie" not in answer.headers


def test_every_answer_carries_the_policies(browser):
    for path in ("/", f"/?token={TOKEN}", "/nothing"):
        headers = browser.get(path).headers
        assert headers["content-security-policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"


def test_only_a_terminal_may_name_files(browser):
    browser.get(f"/?token={TOKEN}")
    sound = {"voice": "/", "path": "/etc/hostname", "title": "x"}
    assert browser.post("/play", json=sound).status_code == 403
    assert browser.post("/voices", json={"folder": "/"}).status_code == 403
    assert browser.post("/play", json=sound, headers=BEARER).json() == {"listeners": 0}


def test_a_folder_that_is_no_utf8_is_shown_and_named(browser, tmp_path):
    folder = tmp_path / os.fsdecode(b"al\xffce")
    shutil.copytree(EARLIER_VOICE, folder)
    named = browser.post("/voices", json={"folder": path_to_text(folder)}, headers=BEARER)
    assert named.json() == {}
    # And once it is gone, with what is said of that.
    shutil.rmtree(folder)
    voice = browser.page.voices.find(voice_id(folder))
    browser.page.voices.look()
    assert b"There is no voice in" in browser.page.voices.as_json()
    answer = browser.post(f"/voices/{voice.id}/speak", json={"sentence": "Go."}, headers=BEARER)
    assert "al\N{REPLACEMENT CHARACTER}ce" in answer.json()["error"]
