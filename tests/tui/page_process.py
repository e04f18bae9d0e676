"""The listening page as a process of the real command, and browsers that talk to it."""

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from programs import clean_environment
from sshd import unused_port

WITHIN = 30.0
"""Seconds that an answer may take; nothing waits so long unless something is broken."""


@dataclass(frozen=True)
class Answer:
    """What the page answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class PageProcess:
    """`voicecoach listen`, and requests to it, honest or forged."""

    def __init__(self, folder: Path, *words: str, **environment: str) -> None:
        self.errors = folder / "page.err"
        if words == ("--port", "default"):
            words = ()
        elif "--port" not in words:
            words = ("--port", str(unused_port()), *words)
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tui", "listen", *words],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
                env=clean_environment(**environment),
            )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        assert self.address.startswith("http://127.0.0.1:"), self.errors.read_text()
        parts = urlsplit(self.address)
        assert parts.port is not None
        self.port = parts.port
        [self.token] = parse_qs(parts.query)["token"]

    def ask(
        self,
        path: str,
        body: object = None,
        *,
        method: str = "",
        host: str | None = None,
        signed_in: bool = True,
        **headers: str,
    ) -> Answer:
        """Send a request as it is given; an underscore in a header's name is a hyphen.

        Args:
            path: as it stands in the request's first line.
            body: JSON, or bytes; what has one is a POST.
            method: of the request, where it is another.
            host: the Host header, where it is not the page's.
            signed_in: whether the token goes along.
            headers: what else does.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WITHIN)
        with contextlib.closing(connection):
            connection.putrequest(
                method or ("GET" if body is None else "POST"),
                path,
                skip_host=True,
                skip_accept_encoding=True,
            )
            connection.putheader("Host", host or f"127.0.0.1:{self.port}")
            if signed_in:
                connection.putheader("Authorization", f"Bearer {self.token}")
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            content = b"" if body is None else body
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            if body is not None and "Content_Length" not in headers:
                connection.putheader("Content-Length", str(len(content)))
            connection.endheaders(content)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

    @contextlib.contextmanager
    def events(self) -> Iterator[Iterator[tuple[str, Any]]]:
        """What a tab is told: pairs of an event's name and its JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WITHIN)
        with contextlib.closing(connection):
            connection.request("GET", "/events", headers={"Authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            assert answer.status == 200
            yield _events(answer)

    def state(self) -> list[dict[str, Any]]:
        """The voices that the page shows now."""
        with self.events() as events:
            return next(data["voices"] for name, data in events if name == "state")

    def end(self) -> int:
        """Ask it to end; return its exit code."""
        self.process.terminate()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(WITHIN)


def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    name = ""
    for raw in answer:
        field, _, value = raw.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)
