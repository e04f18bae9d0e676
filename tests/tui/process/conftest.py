import logging
from collections.abc import Callable, Iterator
from unittest.mock import MagicMock

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tui.cli import app
from tui.process.logs import flush_log


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    """Take the logs that a test opens away from logging again."""
    root, raising = logging.getLogger(), logging.raiseExceptions
    before = list(root.handlers)
    levels = {name: logging.getLogger(name).level for name in ("engine", "tui")}
    yield
    logging.captureWarnings(False)
    logging.raiseExceptions = raising
    for handler in [h for h in root.handlers if h not in before]:
        root.removeHandler(handler)
        handler.close()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def train_here(_logging_as_before: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Train in this process, without a screen: the command's words and the environment's."""
    # This process keeps its own ways with signals.
    monkeypatch.setattr("tui.process.headless.SignalWatch", MagicMock())

    def train(*words: str, **environment: str) -> Result:
        done = CliRunner().invoke(app, ["train", *words, "--headless"], env=environment)
        flush_log()
        return done

    return train
