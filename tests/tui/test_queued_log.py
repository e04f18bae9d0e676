"""A log whose disk hangs: nobody waits for it, and nothing is lost that can be kept."""

import logging
import subprocess
import sys
import threading

import pytest

from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from tui.process import queued_log
from tui.process.queued_log import QueuedLog


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
def log(disk):
    """The queue before the hanging disk, as the one handler of the root logger."""
    root, ours = logging.getLogger(), logging.getLogger("engine")
    queued, level = QueuedLog(disk), ours.level
    root.addHandler(queued)
    ours.setLevel(logging.INFO)
    yield queued
    disk.released.set()
    root.removeHandler(queued)
    ours.setLevel(level)
    queued.close()


def lines(disk):
    with open(disk.baseFilename, encoding="utf-8") as file:  # noqa: PTH123 (a name)
        return file.read().splitlines()


def test_no_step_waits_for_a_disk_that_hangs(tmp_path, disk, log):
    publisher = Publisher(Snapshot(Phase.TRAINING, "v", tmp_path, "text2mel", "small", "standard"))
    for number in range(50):
        # This thread would wait for a minute, and the disk's handler then fail.
        publisher.event(f"checkpoint {number} saved", "warning")
    assert disk.begun.wait(60)
    assert lines(disk) == []
    disk.released.set()
    log.flush()
    assert lines(disk) == [f"WARNING checkpoint {number} saved" for number in range(50)]


def test_what_is_spoken_of_is_written_as_it_was(disk, log):
    steps = [1, 2]
    logger = logging.getLogger("engine")
    logger.info("steps %s", steps)
    steps.clear()
    try:
        raise ZeroDivisionError("by nought")
    except ZeroDivisionError:
        logger.exception("%d failed", 5)
    disk.released.set()
    log.flush()
    written = lines(disk)
    assert written[:3] == [
        "INFO steps [1, 2]",
        "ERROR 5 failed",
        "Traceback (most recent call last):",
    ]
    assert written[-1] == "ZeroDivisionError: by nought"


def test_a_log_that_is_held_up_for_long_takes_no_more_memory_and_says_so(disk, log, monkeypatch):
    monkeypatch.setattr(queued_log, "_MAX_WAITING", 3)
    logger = logging.getLogger("engine")
    logger.info("one")
    assert disk.begun.wait(60)
    for word in ("two", "three", "four", "five", "six"):
        logger.info(word)
    disk.released.set()
    log.flush()
    logger.info("seven")
    log.flush()
    told = "WARNING 2 lines are left out here: the disk did not take them in time"
    assert lines(disk) == ["INFO one", "INFO two", "INFO three", "INFO four", told, "INFO seven"]


def test_what_is_said_after_the_end_is_written_at_once(disk, log):
    disk.released.set()
    log.close()
    logging.getLogger("engine").info("ending the process")
    assert lines(disk) == ["INFO ending the process"]
    assert not [one for one in threading.enumerate() if one is log._writer._thread]


def test_where_no_thread_can_begin_the_log_is_written_all_the_same(disk, monkeypatch):
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
from tui.process.log_file import open_log
open_log(Path(sys.argv[1]))
for number in range(2_000):
    logging.getLogger("engine").info("line %d", number)
try:
    raise ZeroDivisionError("the last of it")
except ZeroDivisionError:
    logging.getLogger("engine").exception("failed")
sys.exit(3)
"""


def test_all_that_was_said_is_in_the_log_when_a_process_has_ended(tmp_path):
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
from tui.process import queued_log
from tui.process import signals as watch
from tui.process.headless import Lines
from tui.process.log_file import open_log
queued_log._END_SECONDS, watch._LET_GO_AFTER, watch._END_AFTER = 0.1, 0.1, 0.2
open_log(Path(sys.argv[1]))
[log] = [one for one in logging.getLogger().handlers if isinstance(one, queued_log.QueuedLog)]
log.file.emit = lambda record: threading.Event().wait()
logging.getLogger("engine").info("this hangs for ever")
last = Snapshot(Phase.STOPPED, "v", Path("v"), "ssrn", "small", "standard", interrupted=True)
session = SimpleNamespace(error=None, join=lambda timeout: True, snapshot=lambda: last)
watch.Watch(session, Lines()).start()
sys.exit(5)
"""


def test_a_disk_that_hangs_for_ever_keeps_no_process_from_its_end(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", HANGING, str(tmp_path)], timeout=60, capture_output=True, text=True
    )
    # Ended by its watch, which knows how the run ended.
    assert (done.returncode, done.stderr) == (75, "")
