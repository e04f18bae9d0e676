"""What other pages, other users and forged requests get from the page: a sentence at most."""

import contextlib
import http.client
import json
import os
import socket

import pytest
from page_process import PageProcess
from waiting import wait_until

pytestmark = [pytest.mark.process, pytest.mark.slow]

SECRET = "nobody else's business"
SENTENCE = "[b]Two birds[/b] <script>alert(1)</script>"


@pytest.fixture(scope="module")
def voice(make_voice_at, tmp_path_factory):
    """A voice with a sample, and beside it what belongs to the person alone."""
    voice = make_voice_at(tmp_path_factory.mktemp("voices") / "alice", text2mel=5)
    (voice.folder.parent / "secret.wav").write_text(SECRET)
    voice.samples.mkdir()
    lines = []
    for name in ("good", "link", "pipe", "gone"):
        line = {"step": 5, "sentence": SENTENCE, "file": f"{name}.wav", "seconds": 1.0}
        lines.append(json.dumps({**line, "note": "", "original": None}))
        (voice.samples / f"{name}.wav").write_bytes(b"RIFF")
    (voice.samples / "samples.jsonl").write_text("\n".join(lines))
    (voice.samples / "unlisted.wav").write_text(SECRET)
    return voice


@pytest.fixture(scope="module")
def page(voice, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    page = PageProcess(folder, str(voice.folder), XDG_STATE_HOME=str(folder))
    wait_until(lambda: "samples" in page.state()[0], "the voice's samples")
    # Links that come once the voice is known.
    for name, make in (("link", os.symlink), ("pipe", lambda _, path: os.mkfifo(path))):
        path = voice.samples / f"{name}.wav"
        path.unlink()
        make(voice.folder.parent / "secret.wav", path)
    (voice.samples / "gone.wav").unlink()
    yield page
    assert page.end() == 0
    # Nothing that was tried was a surprise.
    assert "Traceback" not in page.errors.read_text()


@pytest.fixture(scope="module")
def voice_id(page):
    [voice] = page.state()
    assert [sample["file"] for sample in voice["samples"]][:1] == ["good.wav"]
    assert voice["samples"][0]["sentence"] == SENTENCE
    return voice["id"]


def refused(answer, *codes):
    """Check that an answer is a sentence and nothing else."""
    assert answer.status in codes, (answer.status, answer.body)
    if answer.body == b"Invalid HTTP request received.":  # it came to no route
        return ""
    assert SECRET.encode() not in answer.body
    assert answer.headers["Set-Cookie"] is None
    assert answer.headers["Access-Control-Allow-Origin"] is None
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.json["error"]
    assert told.endswith(".")
    assert len(told) < 300
    return told


def routes(voice_id):
    """All that a page can be asked, with the body that it takes."""
    voice = f"/voices/{voice_id}"
    return [
        ("/", None),
        ("/static/index.html", None),
        ("/events", None),
        (f"{voice}/samples/good.wav", None),
        (f"{voice}/blind", None),
        (f"{voice}/speak", {"sentence": "Go."}),
        (f"{voice}/read", {"text": "Go."}),
        (f"{voice}/heard", {"file": "good.wav"}),
        ("/sound", {"tab": "t", "on": True}),
        ("/play", {"voice": "/", "path": "/etc/hostname", "title": "t"}),
        ("/nowhere", None),
    ]


HOSTS = ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0"]
HOSTS += ["127.0.0.2", "127.1", "2130706433", "[::ffff:127.0.0.1]", "127.0.0.1@evil.example"]
HOSTS += ["evil.example:8765", "localhost:evil.example", "127.0.0.1, evil.example", "127.0.0.1/x"]


def test_a_forged_host_gets_nothing_even_with_the_token(page, voice_id) -> None:
    for host in HOSTS:
        refused(page.ask("/events", host=host), 403)
        # What a rebound name would have: its own Origin, which equals its Host.
        forged = {"host": host, "Origin": f"http://{host}", "Sec_Fetch_Site": "same-origin"}
        refused(page.ask(f"/?token={page.token}", **forged), 403)
        refused(page.ask(f"/voices/{voice_id}/speak", {"sentence": "Go."}, **forged), 403)
    for path, body in routes(voice_id):
        refused(page.ask(path, body, host="evil.example"), 403)


def test_no_host_and_two_hosts_get_nothing(page) -> None:
    good = f"Host: 127.0.0.1:{page.port}\r\n"
    for version, hosts in (("1.0", ""), ("1.1", good + "Host: evil.example\r\n"), ("1.1", "")):
        with socket.create_connection(("127.0.0.1", page.port), timeout=30) as client:
            token = f"Authorization: Bearer {page.token}\r\nConnection: close\r\n"
            client.sendall(f"GET /events HTTP/{version}\r\n{hosts}{token}\r\n".encode())
            assert client.recv(65536).split()[1] in (b"400", b"403")


def test_another_origin_gets_nothing(page, voice_id) -> None:
    own = f"http://127.0.0.1:{page.port}"
    origins = ["null", "http://evil.example", own.replace("http", "https"), f"{own}0", f"{own}/"]
    origins += [f"http://localhost:{page.port}", "http://127.0.0.1", "file://"]
    for path, body in routes(voice_id):
        for origin in origins:
            refused(page.ask(path, body, Origin=origin), 403)
        for site in ("cross-site", "same-site"):
            refused(page.ask(path, body, Sec_Fetch_Site=site), 403)
        refused(page.ask(path, body, method="OPTIONS", Origin="http://evil.example"), 403)


def test_without_the_token_there_is_nothing(page, voice_id) -> None:
    half = page.token[: len(page.token) // 2]
    wrong = [half, page.token + "x", page.token.swapcase(), "", "é", "None"]
    cookie = f"voicecoach-{page.port}"
    for path, body in routes(voice_id):
        told = refused(page.ask(path, body, signed_in=False), 401)
        assert "voicecoach listen" in told
        for token in wrong:
            bearer = {"Authorization": f"Bearer {token}"}
            refused(page.ask(path, body, signed_in=False, **bearer), 401, 400)
            refused(page.ask(path, body, signed_in=False, Cookie=f"{cookie}={token}"), 401, 400)
        for right in (f"Basic {page.token}", page.token):
            refused(page.ask(path, body, signed_in=False, Authorization=right), 401)
        # The token is no cookie, and only the first page takes it in the address.
        refused(page.ask(path, body, signed_in=False, Cookie=f"{cookie}={page.token}"), 401)
        if path != "/":
            refused(page.ask(f"{path}?token={page.token}", body, signed_in=False), 401)
    refused(page.ask("/", signed_in=False, Authorization="Bearer \x00"), 400)
    for token in (half, page.token + "x", "", "%C3%A9", "%00"):
        refused(page.ask(f"/?token={token}", signed_in=False), 401, 403)


def test_the_token_becomes_a_cookie(page) -> None:
    answer = page.ask(f"/?token={page.token}", signed_in=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    cookie, *rules = answer.headers["Set-Cookie"].split("; ")
    assert {rule.lower() for rule in rules} >= {"httponly", "samesite=strict", "path=/"}
    assert page.token not in cookie
    assert len(page.token) >= 22  # 128 bits
    signed_in = page.ask("/sound", {"tab": "t", "on": False}, signed_in=False, Cookie=cookie)
    assert signed_in.status == 200
    other = cookie.replace(f"voicecoach-{page.port}", "voicecoach-1")
    refused(page.ask("/", signed_in=False, Cookie=other), 401)


def test_no_path_leads_out(page, voice_id) -> None:
    ways = ["../../voice.toml", "..%2Fvoice.toml", "%2e%2e/voice.toml", "..%252Fvoice.toml"]
    ways += [
        "%2Fetc%2Fpasswd",
        "..%5Cvoice.toml",
        "good.wav%00",
        ".",
        "..",
        "",
        "%ff",
        "samples.jsonl",
    ]
    ways += ["unlisted.wav", "../../secret.wav", "..%2F..%2Fsecret.wav", "good.wav/..", "CON", "?"]
    ways += ["link.wav", "pipe.wav", "gone.wav", "link.png", "good.png", "x" * 5_000]
    for way in ways:
        for place in (f"/voices/{voice_id}/samples/", "/static/"):
            refused(page.ask(place + way), 404, 400)
        refused(page.ask(f"/voices/{way}/samples/good.wav"), 404, 400)
    for path in ("/static/../server.py", "//etc/passwd", "/../../etc/passwd", "/voices", "/docs"):
        refused(page.ask(path), 404, 405)


BODIES = [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 60_000, b'{"a":' * 10_000, b"9" * 5_000]
BODIES += [json.dumps(body).encode() for body in ({}, {"sentence": 5}, {"text": None}, "text")]
BODIES += [b'{"sentence": "a", "step": %b}' % step for step in (b"1e400", b"-1", b"9" * 30)]
BODIES += [b'{"sentence": "a", "step": "worst"}', b'{"sentence": "\\ud800", "step": true}']
BODIES += [json.dumps({"sentence": "a" * 50_000, "text": "a" * 50_000, "file": "../x"}).encode()]


def test_no_body_is_a_surprise(page, voice_id) -> None:
    for path, body in routes(voice_id):
        if body is not None:
            for content in BODIES:
                answer = page.ask(path, content)
                assert answer.status < 500, (path, content[:40], answer.body)
                if path.endswith(("speak", "heard", "play")):
                    refused(answer, 400, 404, 409, 413)
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "X" * 100):
        refused(page.ask("/", method=method), 405, 400, 404)


def test_a_body_without_end_is_cut_off(page, voice_id) -> None:
    for path, body in routes(voice_id):
        for length in (str(2**40), "9" * 5_000):
            # Closed with what was sent still unread, the connection may be reset before the answer.
            with contextlib.suppress(ConnectionResetError):
                answer = page.ask(path, body or b"", method="POST", Content_Length=length)
                assert answer.status in (400, 413), (path, answer.status)
    assert page.state()
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    client = http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    client.putrequest("POST", f"/voices/{voice_id}/read")
    client.putheader("Authorization", f"Bearer {page.token}")
    client.putheader("Transfer-Encoding", "chunked")
    client.endheaders()
    with pytest.raises(OSError, match=r"reset|pipe|closed"):  # noqa: PT012
        for _ in range(10_000):
            client.send(chunk)
    client.close()


def test_those_who_only_connect_keep_nobody_out(page) -> None:
    """Half a request each, as many as one user may well open."""
    idle = [socket.create_connection(("127.0.0.1", page.port), timeout=30) for _ in range(100)]
    for at, client in enumerate(idle):
        client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "[: at + 1])
    assert page.state()
    for client in idle:
        client.close()
