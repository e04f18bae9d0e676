"""The log that whoever trains without a screen is told to read."""

import logging
import os
import subprocess
import sys
import tempfile

import pytest

from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from tui.process.log_file import flush_log, log_of_this_process, open_log


@pytest.fixture
def _logging_as_it_was():
    names = (None, "engine", "tui")
    before = [logging.getLogger(name).level for name in names]
    handlers, raising = list(logging.getLogger().handlers), logging.raiseExceptions
    yield
    logging.captureWarnings(False)
    logging.raiseExceptions = raising
    for handler in [h for h in logging.getLogger().handlers if h not in handlers]:
        logging.getLogger().removeHandler(handler)
        handler.close()
    for name, level in zip(names, before, strict=True):
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("_logging_as_it_was")
def test_what_the_engine_says_is_in_the_log(tmp_path):
    log = open_log(tmp_path)
    first = Snapshot(Phase.TRAINING, "alice", tmp_path, "text2mel", "small", "standard")
    Publisher(first).event("checkpoint 5 saved")
    flush_log()
    assert "engine.run.publisher: checkpoint 5 saved" in log.read_text()


@pytest.mark.usefixtures("_logging_as_it_was")
def test_empty_logs_of_killed_processes_are_removed_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = tmp_path / f"voicecoach-{ended.pid}-abc.log"
    telling = tmp_path / f"voicecoach-{ended.pid}-def.log"
    living = tmp_path / f"voicecoach-{os.getpid()}-abc.log"
    odd = tmp_path / "voicecoach-..-abc.log"
    for path in (dead, living, odd):
        path.touch()
    telling.write_text("the screen failed")
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    mine = log_of_this_process()
    assert set(tmp_path.iterdir()) == {telling, living, odd, mine}


@pytest.mark.usefixtures("_logging_as_it_was")
@pytest.mark.parametrize("stuck", [False, True], ids=["rotates", "cannot rotate"])
def test_old_logs_are_private_and_lose_no_record(tmp_path, monkeypatch, stuck):
    monkeypatch.setattr("tui.process.log_file._MAX_BYTES", 2000)
    before = os.umask(0o022)

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    if stuck:
        monkeypatch.setattr(os, "rename", refuse)
    try:
        log = open_log(tmp_path)
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


@pytest.mark.usefixtures("_logging_as_it_was")
def test_a_full_log_of_a_moved_voice_rotates_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr("tui.process.log_file._MAX_BYTES", 1_000)
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
