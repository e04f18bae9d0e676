"""What the tests of training share."""

import pytest
from clocks import FakeClock
from fake_metadata import FakeMetadata


@pytest.fixture
def clock(monkeypatch) -> FakeClock:
    """The clock by which a run is paid for; it stands still unless the test moves it."""
    clock = FakeClock()
    monkeypatch.setattr("engine.training.cost.time", clock)
    return clock


@pytest.fixture
def fake_cloud(monkeypatch, tmp_path):
    """The clouds on loopback, and no right to ask the real AWS anything."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with FakeMetadata() as serving:
        yield serving
