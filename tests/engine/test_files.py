"""Files that are there whole or not at all, and lines that are added."""

import contextlib
import errno
import os
import resource
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.files import (
    absolute_path,
    append_line,
    make_folder,
    remove,
    remove_all,
    replacing,
    sweep_parts,
    unremoved_message,
    write_whole,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_and_its_folder_are_made(tmp_path):
    write_whole(tmp_path / "a" / "b", b"1")
    write_whole(tmp_path / "a" / "b", b"22")
    assert (tmp_path / "a" / "b").read_bytes() == b"22"
    assert names(tmp_path / "a") == ["b"]


@pytest.fixture
def made_safe(monkeypatch):
    """The folders whose entries were made to survive a power cut, in that order."""
    folders = []
    monkeypatch.setattr("engine.files.fsync", folders.append)
    return folders


def test_each_folder_that_is_made_is_made_safe_in_the_one_above(tmp_path, made_safe):
    (tmp_path / "a").mkdir()
    make_folder(tmp_path / "a" / "b" / "c")
    assert made_safe == [tmp_path / "a", tmp_path / "a" / "b"]
    make_folder(tmp_path / "a" / "b" / "c")
    assert len(made_safe) == 2
    write_whole(tmp_path / "a" / "d" / "e", b"1")
    assert made_safe[2:] == [tmp_path / "a", tmp_path / "a" / "d"]
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "a" / "d" / "e")


def test_a_block_that_fails_leaves_the_old_content(tmp_path):
    write_whole(tmp_path / "f", b"old")

    def fail():
        with replacing(tmp_path / "f") as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (tmp_path / "f").read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "f").write_text("a file")
    for write in (lambda p: write_whole(p, b""), lambda p: append_line(p, "")):
        with pytest.raises(EngineError, match="f/g"):
            write(tmp_path / "f" / "g")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=20),
    st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8"))),
)
def test_lines_follow_whatever_was_there(tmp_path, before, lines):
    path = tmp_path / "lines"
    path.write_bytes(before)
    for line in lines:
        append_line(path, line)
    start = before if not lines or before.endswith(b"\n") or not before else before + b"\n"
    assert path.read_bytes() == start + b"".join(line.encode() + b"\n" for line in lines)


@contextlib.contextmanager
def little_space():
    """Files of at most ten bytes, which fail as on a full disk.

    Inside a test and not around it: pytest's own output may be a file.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_half_a_line_is_none(tmp_path):
    path = tmp_path / "lines"
    with little_space():
        append_line(path, "first")
        with pytest.raises(EngineError):
            append_line(path, "too long")
        assert path.read_text() == "first\n"
        append_line(path, "ok")
    assert path.read_text() == "first\nok\n"


def test_half_a_file_is_none(tmp_path):
    with little_space():
        write_whole(tmp_path / "f", b"old")
        with pytest.raises(EngineError):
            write_whole(tmp_path / "f", b"longer than ten")
    assert (tmp_path / "f").read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


def test_a_line_that_cannot_be_made_safe_is_not_there(tmp_path, monkeypatch):
    path = tmp_path / "lines"
    append_line(path, "first", sync=True)

    def refuse(descriptor):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", refuse)
        with pytest.raises(EngineError, match="quota"):
            append_line(path, "second", sync=True)
    assert path.read_bytes() == b"first\n"
    append_line(path, "second", sync=True)
    assert path.read_bytes() == b"first\nsecond\n"


def test_what_a_killed_process_was_writing_is_swept(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / f"corpus.json.{dead.pid}.part").write_bytes(b"half")
    (tmp_path / f".spend.open.{dead.pid}.part").write_bytes(b"half")
    kept = [f"corpus.json.{os.getppid()}.part", "notes.part", "corpus.json"]
    for name in kept:
        (tmp_path / name).write_bytes(b"whole")
    sweep_parts(tmp_path)
    sweep_parts(tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_one_that_cannot_be_removed_keeps_no_other(tmp_path, monkeypatch):
    for name in "abcde":
        (tmp_path / name).write_bytes(b"")
    unlink = Path.unlink

    def refuse(path, **more):
        if path.name in "abd":
            raise PermissionError(errno.EPERM, "Operation not permitted")
        unlink(path, **more)

    monkeypatch.setattr(Path, "unlink", refuse)
    left = remove_all(sorted(tmp_path.iterdir()))
    assert sorted(left) == [tmp_path / name for name in "abd"]
    assert names(tmp_path) == ["a", "b", "d"]
    said = unremoved_message(left)
    assert f"{tmp_path / 'a'} (Operation not permitted)" in said
    assert unremoved_message({}) == ""


def test_all_but_an_unremovable_file_is_removed(tmp_path, make_unremovable):
    folder = tmp_path / "old"
    (folder / "inside").mkdir(parents=True)
    for name in ("a", "z"):
        (folder / name).write_bytes(b"")
        (folder / "inside" / name).write_bytes(b"")
    make_unremovable(folder / "inside" / "a")
    with pytest.raises(PermissionError):
        remove(folder)
    assert names(folder) == ["inside"]
    assert "a" in names(folder / "inside")


def test_a_path_is_written_whole_and_its_links_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_path(Path("voices/alice")) == tmp_path / "voices" / "alice"
    assert absolute_path(Path("voices/../mirrors/./alice/")) == tmp_path / "mirrors" / "alice"
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "near").symlink_to(tmp_path / "far" / "away")
    assert absolute_path(tmp_path / "near" / "alice") == tmp_path / "near" / "alice"
    # Beside the folder that the link leads to, and not beside the link.
    assert absolute_path(tmp_path / "near" / ".." / "alice") == tmp_path / "near" / ".." / "alice"
