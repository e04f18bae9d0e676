"""Which checkpoints are kept, and what is cleared away."""

import errno
import os
from pathlib import Path

from engine.checkpoints.retention import sweep
from engine.voice.layout import is_checkpoint, list_checkpoints


def make(folder):
    folder.mkdir()
    (folder / "state.json").write_text("{}")


def refuse_to_rename(*_):
    """Be overlayfs, and asked to rename a folder of a lower layer."""
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_a_dead_process_left_is_never_listed_and_swept(tmp_path):
    make(tmp_path / "step-000000005")
    for name in (".step-000000006.4711.tmp", ".step-000000001.removed", "step-000000007", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / ".step-000000006.4711.tmp" / "state.json").write_text("{}")
    assert [entry.step for entry in list_checkpoints(tmp_path)] == [5]
    sweep(tmp_path)
    assert names(tmp_path) == ["notes", "step-000000005", "step-000000007"]


def test_what_cannot_be_put_back_keeps_nothing_else(tmp_path, monkeypatch):
    make(tmp_path / "step-000000005")
    old = (tmp_path / "step-000000005").rename(tmp_path / ".step-000000005.4711.old")
    (tmp_path / ".step-000000006.4711.tmp").mkdir()
    monkeypatch.setattr(Path, "rename", refuse_to_rename)
    left = sweep(tmp_path)
    assert {path: error.errno for path, error in left.items()} == {old: errno.EXDEV}
    assert names(tmp_path) == [old.name]


def test_a_checkpoint_whose_successor_never_came_is_put_back(tmp_path):
    make(tmp_path / "step-000000005")
    (tmp_path / "step-000000005").rename(tmp_path / ".step-000000005.4711.old")
    sweep(tmp_path)
    assert is_checkpoint(tmp_path / "step-000000005")
