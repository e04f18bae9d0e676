"""What holds for all tests."""

import os
from collections.abc import Iterator

import pytest

# Tests run side by side: with a thread each they keep out of one another's way. It is read when
# torch is imported, in the processes that tests start as well.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def _a_state_folder_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the runs of tests out of the list that `voicecoach ps` shows a person."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before


@pytest.fixture(autouse=True, scope="session")
def _no_cloud() -> Iterator[None]:
    """Ask no cloud anything, on a rented machine neither; the processes of tests are told, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOICECOACH_CLOUD", "none")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield
