"""`--notify`: messages arrive at a real server, and what is secret in an address nowhere else."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from tui.cli import app

SECRETS = ("hidden-user", "hidden-word", "hidden-path", "hidden-query")


class Inbox(BaseHTTPRequestHandler):
    """Answers as the first part of the path says: a status, nothing at all, or nonsense."""

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.told.append((self.path, told))
        how = self.path.split("/")[1]
        if how == "silent":
            self.server.over.wait(60)
        elif how == "nonsense":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nno header\r\nContent-Length: 0\r\n\r\n")
            self.close_connection = True
        else:
            self.send_response(int(how))
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def inbox() -> Iterator[ThreadingHTTPServer]:
    """A server on loopback, and what it was told."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Inbox)
    server.told, server.over, server.daemon_threads = [], threading.Event(), True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_a_run_tells_its_stop_and_shows_no_secret(make_voice, inbox, tmp_path, train_here, capfd):
    voice = make_voice()
    user, word, path, query = SECRETS
    server = f"json://{user}:{word}@127.0.0.1:{inbox.server_port}"
    addresses = [f"{server}/{how}/{path}?-to={query}" for how in (200, 500, "nonsense")]
    addresses += [f"{server}/silent/{path}?rto=0.5", f"json://{user}:{word}@127.0.0.1:1/{path}"]
    options = ["--device", "cpu", "--stop-at", "+3", "--mirror", str(tmp_path / "mirror")]
    notify = {"VOICECOACH_NOTIFY": " ".join(addresses)}
    done = train_here("--voice", str(voice.folder), *options, **notify)
    assert done.exit_code == 0, done.output
    of_a_good_one = [told for to, told in inbox.told if to.startswith("/200/")]
    assert [one["title"] for one in of_a_good_one] == ["voicecoach: voice, Text2Mel"]
    assert of_a_good_one[0]["message"].startswith("Reached the stop at step 3.\nstep 3, held-out")
    assert sum(to.startswith("/silent/") for to, _ in inbox.told) == 1
    log = voice.log.read_text()
    for number, why in (
        (2, "it answered with HTTP status 500"),
        (4, "it did not answer in time"),
        (5, "it refuses the connection"),
    ):
        assert log.count(f"notification {number} (JSON) was not sent: {why}") == 1
    assert "unparsed data" in log  # urllib3 names the address there
    files = [one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()]
    shown = (done.output, *capfd.readouterr())
    for written in (*map(str.encode, shown), *files):
        assert not [secret for secret in SECRETS if secret.encode() in written]


@pytest.mark.parametrize(
    "address", ["xoxb-hidden-word", "slack://hidden-word", "json://u:hidden-word@[", "nose://h"]
)
def test_an_address_that_apprise_cannot_read_is_refused(address, tmp_path):
    voice = tmp_path / "voice"
    command = ["train", str(tmp_path), "--voice", str(voice), "--notify", address]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert done.stderr.startswith("voicecoach: apprise cannot read address 1 of --notify")
    assert "hidden-word" not in done.output
    assert not voice.exists()
