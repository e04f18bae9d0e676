"""The log that whoever trains without a screen is told to read."""

import logging

import pytest

from engine.board import Board
from engine.snapshot import Phase, Snapshot
from tui.log_file import open_log


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
    Board(first).event("checkpoint 5 saved")
    assert "engine.board: checkpoint 5 saved" in log.read_text()
