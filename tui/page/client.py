"""The page's process as others find it: its file, and what they ask of it.

Everything here may wait for another process for a few seconds: screens call it in threads.
"""

import contextlib
import fcntl
import json
import logging
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, unquote_to_bytes

from msgspec import Meta

from engine.attach.registry import ProcessId, require_own, runs_folder
from engine.errors import EngineError, InputError
from engine.files import absolute_path, make_folder, open_private, read_plain, write_whole
from engine.formatting import printable
from engine.serialization import from_json, to_json

_log = logging.getLogger(__name__)

_MAX_BYTES = 4_096
_ANSWER_WITHIN = 3.0
"""Seconds that the page may take to answer."""


@dataclass(frozen=True, slots=True)
class Page:
    """A process that serves the page."""

    port: Annotated[int, Meta(ge=1, le=65_535)]
    token: str
    process: ProcessId

    @property
    def address(self) -> str:
        """What a browser opens."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 (JSON)
        """Send a request and return the answer's JSON.

        Raises:
            InputError: the page refuses; says why.
            EngineError: it does not answer.
        """
        import http.client  # late: no screen waits for it

        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ANSWER_WITHIN)
            with contextlib.closing(connection):
                headers = {"Authorization": f"Bearer {self.token}"}
                content = None if body is None else json.dumps(body)
                connection.request(method, path, content, headers)
                answer = connection.getresponse()
                plain = json.loads(answer.read(_MAX_BYTES) or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            pid = self.process.pid
            raise EngineError(
                f"Process {pid} serves the listening page, but does not answer ({error}); end it "
                f"with `kill -9 {pid}`, then start the page again."
            ) from error
        if answer.status >= 400:
            raise InputError(str(plain.get("error", f"the page answers {answer.status}")))
        return plain


def path_to_text(path: Path) -> str:
    """Write a path for a request to the page: its bytes need not be UTF-8."""
    return quote(os.fsencode(absolute_path(path)))


def path_from_text(text: str) -> Path:
    """Read what `path_to_text` wrote."""
    return Path(os.fsdecode(unquote_to_bytes(text)))


def page_folder() -> Path:
    """Where the page's file and log are; raises as `runs_folder`."""
    return runs_folder().parent / "page"


def _file() -> Path:
    """The file of this host's page; a home folder may be shared by hosts."""
    return page_folder() / f"{socket.gethostname()}.json"


def _made_folder() -> Path:
    """The page's folder, made where there is none; raises `InputError` where it cannot be used."""
    try:
        folder = page_folder()
        make_folder(folder)
        require_own(folder)
    except OSError as error:
        raise InputError(f"The listening page has no place for its file: {error}.") from error
    return folder


def wait_for_turn() -> int:
    """Wait until no other process is starting a page; return a descriptor, to be closed after.

    Raises:
        InputError: this account has no place for the page's file.
    """
    try:
        descriptor = open_private(_made_folder() / "lock", os.O_RDWR)
    except OSError as error:
        raise InputError(f"The listening page cannot be started: {error}.") from error
    # A file system without locks leaves two that start at once with a page each.
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def find_page() -> Page | None:
    """Find the page that this user has on this host; None where none is served.

    Raises:
        InputError: the folder of its file is open to others.
    """
    try:
        path = _file()
        content = read_plain(path, _MAX_BYTES)
        require_own(path.parent)
        page = from_json(content, Page, path)
    except FileNotFoundError:
        return None
    except (OSError, InputError) as error:
        raise InputError(f"The listening page cannot be found: {error}.") from error
    return page if page.process.runs else None


def announce(page: Page) -> Path:
    """Write the file by which others find a page; return its path.

    Raises:
        InputError: this account has no place for it.
        EngineError: it cannot be written.
    """
    path = _made_folder() / _file().name
    write_whole(path, to_json(page))
    return path


def running_page(voice: Path | None = None) -> Page | None:
    """Return the page once it has answered, and have it show a voice; None where there is none.

    Raises:
        InputError: there is no such voice.
        EngineError: the page does not answer.
    """
    page = find_page()
    if page is not None:
        page.ask("POST", "/voices", {} if voice is None else {"folder": path_to_text(voice)})
    return page


def start_page() -> Page:
    """Return the page, and start it first where none is served.

    It outlives this process, and ends by itself when it has been of no use for some minutes.

    Raises:
        InputError: it cannot be started.
        EngineError: it does not answer.
    """
    if (page := running_page()) is not None:
        return page
    # Where this package is, whatever the current folder has.
    home = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH", "")]))
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "tui", "listen", "--detached"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONPATH": path},
        # It is to survive this terminal, and gets none of its signals.
        start_new_session=True,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        # The process that stays has closed its ends once it serves.
        printed, trouble = child.stdout.read(), child.stderr.read()
    page = find_page() if printed else None
    if page is None:
        said = (trouble.strip() or "it ended at once").splitlines()[-1]
        raise InputError(f"The listening page cannot be started: {said}")
    return page


def play(voice: Path, path: Path | None, title: str) -> int:
    """Have the page play a sound of a voice, or nothing; return how many browsers can be heard.

    The one that was used last plays it. 0 where there is no page, or no browser with its sound
    switched on.
    """
    try:
        page = find_page()
        if page is None:
            return 0
        file = "" if path is None else path_to_text(path)
        sound = {"voice": path_to_text(voice), "path": file, "title": printable(title)}
        return int(page.ask("POST", "/play", sound)["listeners"])
    except (InputError, EngineError) as error:
        _log.warning("the listening page did not play %s: %s", path, error)
        return 0
