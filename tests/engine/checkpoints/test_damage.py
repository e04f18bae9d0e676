"""A checkpoint of which any byte has changed: named, set aside, and the one before is used."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.state import (
    DamagedCheckpointError,
    damaged_checkpoints,
    is_intact,
    sealed,
)
from engine.errors import InputError
from engine.jobs.info import describe
from engine.run.stop import AlreadyThereError

KEEP_FIXTURES = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


pytestmark = pytest.mark.slow


def flip(path, place, bits):
    """Change some bits of one byte of a file."""
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= bits
    path.write_bytes(content)


places = st.floats(0, 1, exclude_max=True)
bits = st.integers(1, 255)


@pytest.fixture
def trained(make_voice, training):
    """A voice of two checkpoints with all that a checkpoint can have."""
    voice = make_voice(text2mel=3, base_step=3)
    training.end(training.start(voice, "5"))
    return voice


def test_no_byte_of_a_checkpoint_changes_unnoticed(trained):
    folder = trained.newest("text2mel").path
    files = sorted(path.name for path in folder.iterdir())
    assert files == [
        "average.safetensors",
        "optimizer.safetensors",
        "state.json",
        "weights.safetensors",
    ]

    @KEEP_FIXTURES
    @given(st.sampled_from(files), places, bits)
    def check(name, place, bits):
        original = (folder / name).read_bytes()
        flip(folder / name, place, bits)
        try:
            with pytest.raises(DamagedCheckpointError) as caught:
                load_checkpoint(folder)
            assert str(folder) in str(caught.value)
            assert "step-000000003" in str(caught.value)
        finally:
            (folder / name).write_bytes(original)

    check()
    load_checkpoint(folder)


def test_the_one_before_is_used_and_the_damaged_one_kept(trained, training):
    folder = trained.newest("text2mel").path
    flip(folder / "optimizer.safetensors", 0.5, 4)
    session = training.start(trained, "6")
    snapshot = training.end(session)
    assert (snapshot.failure, snapshot.first_step, snapshot.step) == ("", 3, 6)
    [told] = [text for text in training.texts(snapshot) if "is damaged" in text]
    assert "optimizer.safetensors is not as it was written" in told
    assert "kept as step-000000005-damaged" in told
    assert "using step 3" in told
    [warning] = snapshot.warnings
    assert warning.text == ("Checkpoint 5 of text2mel is damaged: set aside, using step 3.")
    # The steps are made again because of it, and this is what is said.
    assert (snapshot.lost.since, snapshot.lost.until, snapshot.lost.damaged) == (3, 5, 5)
    assert any("because checkpoint 5 was damaged" in text for text in training.texts(snapshot))
    kept = folder.with_name("step-000000005-damaged")
    assert sorted(path.name for path in kept.iterdir())[-1] == "weights.safetensors"
    assert [entry.path for entry in damaged_checkpoints(folder.parent)] == [kept]
    assert snapshot.preset == "own size (e = 16, d = 16)"
    assert describe(trained.folder)["preset"] == "own size"
    said = describe(trained.folder)["networks"]["text2mel"]
    assert (said["checkpoints"], said["damaged"]) == ([3, 6], ["step-000000005-damaged"])


def test_a_stop_behind_all_that_is_good_is_refused(trained, training):
    flip(trained.newest("text2mel").path / "average.safetensors", 0.5, 4)
    with pytest.raises(AlreadyThereError, match="already at step 3"):
        training.start(trained, "3")
    with pytest.raises(InputError, match="cannot stop at step 2: already at step 3"):
        training.start(trained, "2")


def test_checksums_of_other_files_are_not_intact(trained):
    folder = trained.newest("text2mel").path
    assert is_intact(folder)
    (folder / "optimizer.safetensors").unlink()
    assert is_intact(folder)
    state = json.loads((folder / "state.json").read_text())
    state["sha256"]["../../../voice.toml"] = "0" * 64
    (folder / "state.json").write_text(sealed(state))
    assert not is_intact(folder)


def test_where_nothing_is_good_nothing_begins_anew(trained, training):
    for entry in trained.checkpoints("text2mel"):
        flip(entry.path / "weights.safetensors", 0.9, 1)
    session = training.start(trained, "6")
    snapshot = training.end(session)
    assert isinstance(session.error, InputError)
    assert "No checkpoint of text2mel" in snapshot.failure
    assert "step-000000005 is damaged" in snapshot.failure
    assert [entry.step for entry in trained.checkpoints("text2mel")] == [3, 5]
