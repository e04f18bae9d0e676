"""A metadata service on loopback that speaks as AWS, GCP and Azure do, and badly where told to."""

import json
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TTL = "X-aws-ec2-metadata-token-ttl-seconds"
GOOGLE = {"Metadata-Flavor": "Google"}


def after(seconds: float) -> str:
    """The time in so many seconds, as AWS writes it."""
    return f"{datetime.fromtimestamp(time.time() + seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def http_after(seconds: float) -> str:
    """The time in so many seconds, as Azure writes it."""
    return f"{datetime.fromtimestamp(time.time() + seconds, UTC):%a, %d %b %Y %H:%M:%S GMT}"


class FakeMetadata:
    """What the service says, changed at will while it serves; and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.fault = ""
        """`500`, `garbage`, `huge`, `redirect`, `silent`, or empty."""
        self.token = "token-1"
        self.aws: dict[str, str] = {
            "instance-type": "g5.xlarge",
            "placement/availability-zone": "us-east-1b",
            "placement/region": "us-east-1",
            "instance-life-cycle": "spot",
        }
        self.gcp = {
            "machine-type": "projects/1234/machineTypes/g2-standard-4",
            "zone": "projects/1234/zones/us-central1-a",
            "scheduling/preemptible": "TRUE",
            "preempted": "FALSE",
        }
        self.azure: dict[str, Any] = {
            "name": "trainer_0",
            "vmSize": "Standard_NC4as_T4_v3",
            "location": "eastus",
            "zone": "2",
            "priority": "Spot",
        }
        self.events: list[Any] = []
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> "FakeMetadata":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take_away(self, seconds: float, action: str = "terminate") -> None:
        """Let AWS give notice of an end in so many seconds."""
        said = {"action": action, "time": after(seconds)}
        self.aws["spot/instance-action"] = json.dumps(said)

    def answer(self, method: str, path: str, headers: Any) -> tuple[int, str, dict[str, str]]:
        """The status, the text and the headers of an answer."""
        self.asked.append((method, path))
        match self.fault:
            case "silent":
                self._released.wait(30)
            case "500":
                return 500, "trouble", {}
            case "garbage":
                return 200, "\0{<odd>", GOOGLE
            case "huge":
                return 200, "x" * 600_000, GOOGLE
            case "redirect":
                return 302, "", {"Location": f"{self.url}/elsewhere"}
        if path == "/latest/api/token":
            return (200, self.token, {}) if method == "PUT" and headers.get(TTL) else (400, "", {})
        if path.startswith("/latest/meta-data/"):
            if headers.get("X-aws-ec2-metadata-token") != self.token:
                return 401, "", {}
            return _found(self.aws, path.removeprefix("/latest/meta-data/"), {})
        if path.startswith("/computeMetadata/v1/instance/") and headers.get("Metadata-Flavor"):
            return _found(self.gcp, path.removeprefix("/computeMetadata/v1/instance/"), GOOGLE)
        if headers.get("Metadata") == "true":
            if path == "/metadata/scheduledevents?api-version=2020-07-01":
                return 200, json.dumps({"DocumentIncarnation": 3, "Events": self.events}), {}
            if path.startswith("/metadata/instance/compute?api-version="):
                return 200, json.dumps(self.azure), {}
        return 400, "", {}


def _found(values: dict[str, str], name: str, headers: dict) -> tuple[int, str, dict[str, str]]:
    return (200, values[name], headers) if name in values else (404, "", headers)


def _handler(fake: FakeMetadata) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            status, text, headers = fake.answer(self.command, self.path, self.headers)
            content = text.encode()
            try:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except ConnectionError:
                return  # whoever asked has given up

        do_GET = do_PUT = _serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    return Handler
