from collections.abc import Iterator

import pytest
from fake_metadata import FakeMetadata


@pytest.fixture
def fake() -> Iterator[FakeMetadata]:
    with FakeMetadata() as serving:
        yield serving
