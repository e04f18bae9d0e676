"""Who may use the page, asked of the app that is served."""

import pytest
from paths import EARLIER_VOICE
from starlette.testclient import TestClient

from tui.page.security import Guard
from tui.page.server import PageApp
from tui.page.voices import voice_id

TOKEN = "0123456789abcdef" * 2
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def browser():
    page = PageApp()
    page.voices.name(EARLIER_VOICE)
    page.voices.look()
    app = Guard(page.app(), TOKEN, 8765)
    return TestClient(app, base_url="http://127.0.0.1:8765", follow_redirects=False)


def test_token_is_exchanged_for_a_cookie(browser):
    answer = browser.get(f"/?token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("voicecoach-8765=")
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert TOKEN not in cookie
    assert browser.post("/sound", json={"tab": "one", "on": True}).status_code == 200


def test_link_in_another_page_leads_to_the_page_as_well(browser):
    answer = browser.get(f"/?token={TOKEN}", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.headers["refresh"] == "0; url=/"
    assert browser.post("/sound", json={"tab": "one", "on": True}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:8765"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost.:8765"},
        {"Host": "127.0.0.1:8765@evil.example"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_forged_requests_are_refused(browser, headers):
    answer = browser.post("/sound", json={"tab": "a", "on": True}, headers=BEARER | headers)
    assert answer.status_code == 403
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:8765", "LOCALHOST", "[::1]:8765"])
def test_page_answers_to_every_name_of_this_computer(browser, host):
    headers = BEARER | {"Host": host, "Origin": f"http://{host}"}
    assert browser.post("/sound", json={"tab": "a", "on": True}, headers=headers).is_success


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Cookie": f"voicecoach-8765={TOKEN}"},
        {"Cookie": "voicecoach-8765="},
        {"Cookie": "voicecoach-8765=ü".encode()},
    ],
)
@pytest.mark.parametrize("path", ["/", "/static/style.css", "/events", "/voices/x/samples/a.wav"])
def test_without_the_token_nothing_is_told(browser, headers, path):
    answer = browser.get(path, headers=headers)
    assert answer.status_code == 401
    assert "voicecoach listen" in answer.json()["error"]


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


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"[]", 400), (b'{"text": 1}', 400), (b"\xff", 400), (b" " * 70_000, 413)],
)
def test_bodies_that_cannot_be_read_are_refused(browser, body, status):
    answer = browser.post(f"/voices/{voice_id(EARLIER_VOICE)}/read", content=body, headers=BEARER)
    assert answer.status_code == status
    assert answer.json()["error"]
