"""The log of a voice: nothing secret in it, nobody waits for it, nothing lost that can be kept."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from tui.process import logs
from tui.process.logs import (
    DiscreetFormatter,
    QueuedLog,
    flush_log,
    open_log,
    without_secrets,
)

SOURCE = Path(__file__)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzzz"


@pytest.fixture
def log(tmp_path, _logging_as_before):
    """The log of a voice."""
    return open_log(tmp_path)


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        ("s3://alice:hunter2hunter@bucket/voice is gone", "hunter2"),
        ("https://alice:a/b:c@host/voice", "a/b:c"),
        ("GET /x?X-Amz-Signature=0123456789abcdef&list-type=2", "0123456789abcdef"),
        ("https://h/x?a=1&X-Amz-Security-Token=FwoGZXIvYXdzE&b=2", "FwoGZXIvYXdzE"),
        ("https://h/blob?sv=2022&sig=a%2Bb%3D&se=1", "a%2Bb"),
        ("using AKIAIOSFODNN7EXAMPLE now", "IOSFODNN7"),
        ("the key AIzaSyA0123456789abcdefghijklmnopqrstuv", "SyA0123456789"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345 expired", "0123456789abc"),
        ("github_pat_11ABCDEFG0123456789_abcdefghij", "11ABCDEFG"),
        ("aws_secret_access_key = " + SECRET, SECRET),
        ("{'SecretAccessKey': '" + SECRET + "', 'Code': 'Success'}", SECRET),
        ('{"Token": "IQoJb3JpZ2lu a b", "n": 1}', "IQoJ"),
        ("b'Authorization': b'AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=fe5f'", "fe5f"),
        ("Authorization: Bearer abc.def\nHost: here", "abc.def"),
        ("password=correct-horse", "correct-horse"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAA\n-----END RSA PRIVATE KEY-----", "MIIEow"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP", "dBjftJeZ4CVP"),
        ("died with environ({'SHELL': '/bin/sh', 'PATH': '/opt/hidden/bin'})", "/opt/hidden/bin"),
    ],
)
def test_a_credential_in_a_text_is_hidden(said, secret):
    assert secret in said
    hidden = without_secrets(said, {})
    assert secret not in hidden
    assert "…" in hidden


@pytest.mark.parametrize(
    "said",
    [
        "checkpoint 5 saved",
        "s3://bucket/alice: step 871,000 is safe in the mirror",
        "counting from [nought] at 14:02; see https://host:8080/path?step=5&voice=alice",
        "key not pressed; tokens of text: 5",
        "vocabulary 'PE abc' has no symbol for @ in user@host",
        'File "/x/keys.py", line 5, in press\n    raise KeyError(name)',
    ],
)
def test_other_texts_stay_as_they_are(said):
    assert without_secrets(said, {"HOME": "/root", "SOME_KEY": "1"}) == said


@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "PGPASSWORD", "my_api_key", "CLIENT_SECRET"]
)
def test_secrets_of_the_environment_are_hidden_in_every_form(name):
    environment = {name: "pass/word+1 'x\\", "LANG": "C.UTF-8"}
    for form in (
        "pass/word+1 'x\\",
        "pass%2Fword%2B1%20%27x%5C",
        "pass%2Fword%2B1+%27x%5C",
        repr("pass/word+1 'x\\"),
    ):
        assert "word" not in without_secrets(f"cannot log in with {form}!", environment)
    assert without_secrets("C.UTF-8", environment) == "C.UTF-8"


def test_no_record_of_any_library_has_a_secret(log, monkeypatch):
    monkeypatch.setenv("SOMEBODYS_TOKEN", "tok-5e1f-planted")
    library = logging.getLogger("botocore.auth")
    library.warning("signing with %s for %s", "tok-5e1f-planted", "s3://u:planted-pass@b/k")
    try:
        try:
            raise ValueError("tok-5e1f-planted was refused")
        except ValueError as error:
            raise OSError("GET https://b/k?X-Amz-Signature=planted-sig failed") from error
    except OSError:
        library.exception("no %s", "luck", stack_info=True)
    library.warning({"Authorization": "AWS4 planted-header"})
    flush_log()
    # The lines of this file are in the traceback, secrets and all.
    ours = [line for line in SOURCE.read_text().splitlines() if "planted" in line]
    written = log.read_text()
    told = [line for line in written.splitlines() if line.strip() not in map(str.strip, ours)]
    assert not [line for line in told if "planted" in line]
    assert "Traceback" in written
    assert "was refused" in written


def test_control_characters_are_escaped(log):
    logging.getLogger("engine").warning("\x1b]0;title\x07 \x9b31m \u202eevil\r over")
    flush_log()
    written = log.read_text()
    assert "\\x1b]0;title\\x07 \\x9b31m \\u202eevil\\r over" in written
    assert written.endswith("\n")
    # Formatted alone: pytest keeps what is logged, and cannot pass on half a character.
    record = logging.LogRecord("a", logging.INFO, "b", 1, "name \udcff", None, None)
    assert DiscreetFormatter("%(message)s").format(record) == "name \\udcff"


def test_hiding_takes_linear_time():
    """A pattern that is tried anew at every letter would take very long for each of these."""
    for piece in ("a", "key", "?", "://", "'\\", "token='", "environ({", "?sig", "eyJaaaaaaaa"):
        text = piece * (50_000 // len(piece))
        assert len(without_secrets(text, {})) <= len(text)


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder"])
def test_only_a_plain_file_is_logged_into(tmp_path, kind):
    target, path = tmp_path / "bashrc", tmp_path / "voicecoach.log"
    if kind == "link":
        target.write_text("alias ls=ls\n")
    if "link" in kind:
        path.symlink_to(target)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    before = target.read_text() if target.exists() else None
    with pytest.raises(EngineError, match=r"voicecoach\.log cannot be written"):
        open_log(tmp_path)
    assert (target.read_text() if target.exists() else None) == before


FULL = """
import logging, resource, sys
from pathlib import Path
from tui.process.logs import open_log
log = open_log(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
for number in range(2_000):
    logging.getLogger("engine").warning("line %d", number)
print("unharmed")
"""


@pytest.mark.process
@pytest.mark.slow
def test_a_disk_that_takes_no_more_harms_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "unharmed\n", "")
    assert (tmp_path / "voicecoach.log").stat().st_size <= 5_000


@pytest.mark.parametrize("stuck", [False, True], ids=["rotates", "cannot rotate"])
def test_old_logs_are_private_and_lose_no_record(tmp_path, monkeypatch, request, stuck):
    monkeypatch.setattr("tui.process.logs._MAX_BYTES", 2000)
    before = os.umask(0o022)

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    if stuck:
        monkeypatch.setattr(os, "rename", refuse)
    try:
        log = request.getfixturevalue("log")
        for number in range(200):
            logging.getLogger("engine").info("record %d of them", number)
        flush_log()
    finally:
        os.umask(before)
    files = sorted(tmp_path.iterdir())
    assert len(files) == (1 if stuck else 4)
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert "record 199" in log.read_text()
    assert not stuck or log.read_text().count("of them") == 200


def test_a_full_log_of_a_moved_voice_rotates_no_other(log, tmp_path, monkeypatch):
    monkeypatch.setattr("tui.process.logs._MAX_BYTES", 1_000)
    mine = tmp_path / "alice"
    mine.mkdir()
    open_log(mine)
    moved = mine.rename(tmp_path / "moved")
    mine.mkdir()
    (mine / "voicecoach.log").write_text("of another run")
    for _ in range(9):
        logging.getLogger("engine").info("a line of two hundred letters %s", "x" * 200)
    flush_log()
    assert [path.name for path in mine.iterdir()] == ["voicecoach.log"]
    assert (mine / "voicecoach.log").read_text() == "of another run"
    assert (moved / "voicecoach.log").read_text().count("two hundred letters") == 9
    # Its own place is free again, and so is its name.
    (mine / "voicecoach.log").unlink()
    mine.rmdir()
    moved.rename(mine)
    logging.getLogger("engine").info("the first of another file")
    flush_log()
    assert len((mine / "voicecoach.log").read_text().splitlines()) == 1


class HangingDisk(logging.FileHandler):
    """A log file that takes nothing until it is let go."""

    def __init__(self, path):
        super().__init__(path, encoding="utf-8")
        self.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        self.begun, self.released = threading.Event(), threading.Event()

    def emit(self, record):
        self.begun.set()
        assert self.released.wait(60)
        super().emit(record)


@pytest.fixture
def disk(tmp_path):
    return HangingDisk(tmp_path / "log")


@pytest.fixture
def queued(disk):
    """The queue before the hanging disk, as the one handler of the root logger."""
    root, ours = logging.getLogger(), logging.getLogger("engine")
    made, level = QueuedLog(disk), ours.level
    root.addHandler(made)
    ours.setLevel(logging.INFO)
    yield made
    disk.released.set()
    root.removeHandler(made)
    ours.setLevel(level)
    made.close()


def lines(disk):
    with open(disk.baseFilename, encoding="utf-8") as file:  # noqa: PTH123 (a name)
        return file.read().splitlines()


def test_no_step_waits_for_a_disk_that_hangs(tmp_path, disk, queued):
    publisher = Publisher(Snapshot(Phase.TRAINING, "v", tmp_path, "text2mel", "small", "standard"))
    for number in range(50):
        # This thread would wait for a minute, and the disk's handler then fail.
        publisher.event(f"checkpoint {number} saved", "warning")
    assert disk.begun.wait(60)
    assert lines(disk) == []
    disk.released.set()
    queued.drain()
    assert lines(disk) == [f"WARNING checkpoint {number} saved" for number in range(50)]


def test_records_are_formatted_when_they_are_logged(disk, queued):
    steps = [1, 2]
    logger = logging.getLogger("engine")
    logger.info("steps %s", steps)
    steps.clear()
    try:
        raise ZeroDivisionError("by nought")
    except ZeroDivisionError:
        logger.exception("%d failed", 5)
    disk.released.set()
    queued.drain()
    written = lines(disk)
    assert written[:3] == [
        "INFO steps [1, 2]",
        "ERROR 5 failed",
        "Traceback (most recent call last):",
    ]
    assert written[-1] == "ZeroDivisionError: by nought"


def test_records_beyond_the_queue_are_counted_and_dropped(disk, queued, monkeypatch):
    monkeypatch.setattr(logs, "_MAX_WAITING", 3)
    logger = logging.getLogger("engine")
    logger.info("one")
    assert disk.begun.wait(60)
    for word in ("two", "three", "four", "five", "six"):
        logger.info(word)
    disk.released.set()
    queued.drain()
    logger.info("seven")
    queued.drain()
    told = "WARNING 2 lines are missing here: the disk was too slow"
    assert lines(disk) == ["INFO one", "INFO two", "INFO three", "INFO four", told, "INFO seven"]


def test_a_log_without_a_thread_is_written_at_once(disk, monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    disk.released.set()
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", refuse)
        queued = QueuedLog(disk)
    queued.handle(logging.LogRecord("engine", logging.INFO, "f", 1, "said", None, None))
    assert lines(disk) == ["INFO said"]
    queued.close()


CRASH = """
import logging, sys
from pathlib import Path
from tui.process.logs import open_log
open_log(Path(sys.argv[1]))
for number in range(2_000):
    logging.getLogger("engine").info("line %d", number)
try:
    raise ZeroDivisionError("the last of it")
except ZeroDivisionError:
    logging.getLogger("engine").exception("failed")
sys.exit(3)
"""


@pytest.mark.process
@pytest.mark.slow
def test_all_records_are_written_when_a_process_ends(tmp_path):
    done = subprocess.run([sys.executable, "-c", CRASH, str(tmp_path)], timeout=60)
    assert done.returncode == 3
    written = (tmp_path / "voicecoach.log").read_text().splitlines()
    assert [line.split()[-1] for line in written[:2_000]] == [str(n) for n in range(2_000)]
    assert written[2_000].endswith("engine: failed")
    assert written[-1] == "ZeroDivisionError: the last of it"


HANGING = """
import logging, sys, threading
from pathlib import Path
from types import SimpleNamespace
from engine.run.snapshot import Phase, Snapshot
from tui.process import logs
from tui.process import signals as watch
from tui.process.headless import Lines
from tui.process.logs import open_log
logs._END_SECONDS, watch._LET_GO_AFTER, watch._END_AFTER = 0.1, 0.1, 0.2
open_log(Path(sys.argv[1]))
[log] = [one for one in logging.getLogger().handlers if isinstance(one, logs.QueuedLog)]
log.file.emit = lambda record: threading.Event().wait()
logging.getLogger("engine").info("this hangs for ever")
last = Snapshot(Phase.STOPPED, "v", Path("v"), "ssrn", "small", "standard", interrupted=True)
session = SimpleNamespace(error=None, join=lambda timeout: True, snapshot=lambda: last)
watch.SignalWatch(session, Lines()).start()
sys.exit(5)
"""


@pytest.mark.process
@pytest.mark.slow
def test_a_hanging_disk_keeps_no_process_from_its_end(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", HANGING, str(tmp_path)], timeout=60, capture_output=True, text=True
    )
    # Ended by its watch, which knows how the run ended.
    assert (done.returncode, done.stderr) == (75, "")
