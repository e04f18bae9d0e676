import logging
from collections.abc import Iterator

import pytest


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
