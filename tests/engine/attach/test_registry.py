"""The list of runs: what is in it, who may read it, and what of it is trusted."""

import json
import os
import pwd
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from engine.attach.registry import ProcessId, Registration, known_runs, last_record, runs_folder
from engine.errors import InputError
from engine.files import is_running
from engine.voice.spend import SpendEntry, SpendLog


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def only_file() -> Path:
    [path] = runs_folder().iterdir()
    return path


def change(**fields) -> None:
    said = json.loads(only_file().read_text())
    only_file().write_text(json.dumps({**said, **fields}))


def voices() -> list[str]:
    return [run.voice for run in known_runs()]


def test_a_run_is_listed_until_it_ends(tmp_path):
    assert known_runs() == []
    registration = Registration(tmp_path / "alice", "alice", "ssrn")
    [run] = known_runs()
    assert (run.voice_folder, run.voice) == (tmp_path / "alice", "alice")
    assert (run.network, run.process.pid) == ("ssrn", os.getpid())
    assert run.last_seen >= run.since - 1
    assert stat.S_IMODE(only_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(runs_folder().stat().st_mode) == 0o700
    os.utime(only_file(), (1000, 1000))
    assert known_runs()[0].last_seen == 1000
    registration.touch()
    assert known_runs()[0].last_seen > 1000
    registration.remove()
    registration.remove()
    assert known_runs() == []


@pytest.fixture
def dead():
    process = subprocess.Popen(["true"])
    process.wait()
    return {"pid": process.pid, "started": 5, "boot": ProcessId.of_this().boot}


@pytest.mark.parametrize("difference", [{}, {"started": 1}, {"boot": "another"}])
def test_a_killed_run_stays_until_it_is_taken_up(tmp_path, dead, difference):
    (tmp_path / "voice.toml").touch()
    Registration(tmp_path, "alice", "ssrn", "voicecoach train --voice alice")
    living = json.loads(only_file().read_text())["process"]
    change(process={**living, **difference} if difference else dead)
    [run] = known_runs()
    assert (run.killed, run.resume) == (True, "voicecoach train --voice alice")
    other = Registration(tmp_path, "alice", "text2mel")
    assert sorted((run.network, run.killed) for run in known_runs()) == [
        ("ssrn", True), ("text2mel", False)
    ]  # fmt: skip
    other.remove()
    registration = Registration(tmp_path, "alice", "ssrn")
    assert [run.killed for run in known_runs()] == [False]
    registration.remove()
    assert known_runs() == []


def test_a_killed_run_without_its_voice_is_forgotten(tmp_path, dead):
    (tmp_path / "voice.toml").touch()
    Registration(tmp_path, "alice", "ssrn")
    change(process=dead)
    assert voices() == ["alice"]
    (tmp_path / "voice.toml").unlink()
    assert known_runs() == []
    assert list(runs_folder().iterdir()) == []


def test_the_runs_of_another_host_are_left_to_it(tmp_path, dead):
    Registration(tmp_path, "alice", "ssrn")
    change(process=dead, host="another")
    assert known_runs() == []
    assert only_file().exists()
    os.utime(only_file(), (0, 0))
    assert known_runs() == []
    assert list(runs_folder().iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"{}", b"[" * 60_000, b'{"voice_folder": 5}', b"9" * 100_000]
)
def test_what_is_no_entry_is_ignored(tmp_path, content):
    Registration(tmp_path, "alice", "ssrn")
    (tmp_path / "elsewhere").write_bytes(only_file().read_bytes())
    (runs_folder() / "0.json").write_bytes(content)
    os.mkfifo(runs_folder() / "pipe.json")
    (runs_folder() / "folder.json").mkdir()
    (runs_folder() / "link.json").symlink_to(tmp_path / "elsewhere")
    assert voices() == ["alice"]


def test_a_folder_open_to_others_is_not_trusted(tmp_path):
    Registration(tmp_path, "alice", "ssrn")
    runs_folder().chmod(0o777)
    with pytest.raises(InputError, match="not yours alone"):
        known_runs()
    with pytest.raises(PermissionError):
        Registration(tmp_path, "alice", "ssrn")


def test_an_account_without_a_home_has_no_list(tmp_path, monkeypatch):
    def unknown(uid):
        raise KeyError(uid)

    # As some containers make it: nobody knows it, and HOME is not set.
    for name in ("XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(OSError, match="no home folder"):
        Registration(tmp_path, "alice", "ssrn")
    with pytest.raises(InputError, match=r"no home folder; give it one in HOME\.$"):
        known_runs()


def test_the_name_of_a_process_may_hold_anything(tmp_path):
    # A program called `x) Z 1 (` must not pass for a dead one.
    program = tmp_path / "x) Z 1 ("
    program.symlink_to("/bin/sleep")
    sleeper = subprocess.Popen([str(program), "60"])
    try:
        started = ProcessId(sleeper.pid, 1, ProcessId.of_this().boot)
        assert not started.runs
        assert is_running(sleeper.pid)
    finally:
        sleeper.kill()
        sleeper.wait()
    assert not is_running(sleeper.pid)
    assert ProcessId.of_this().runs


def test_a_file_that_cannot_be_removed_hides_no_run(tmp_path, monkeypatch, dead):
    Registration(tmp_path / "bob", "bob", "ssrn")
    change(process=dead)
    Registration(tmp_path / "alice", "alice", "ssrn")

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        assert voices() == ["alice"]


def test_any_bytes_may_be_a_folders_name(tmp_path):
    Registration(tmp_path / "no \udcff text", "alice", "ssrn")
    assert known_runs()[0].voice_folder == tmp_path / "no \udcff text"


def test_last_seen_reads_the_spend_and_the_checkpoints(tmp_path):
    hour = SpendEntry("2026-01-01T00:00", "2026-01-01T01:00", "text2mel", 0, 700, 3600.0, 1.0)
    assert last_record(tmp_path, "text2mel") == (None, 0.0)
    checkpoint = tmp_path / "text2mel" / "checkpoints" / "step-000000700"
    checkpoint.mkdir(parents=True)
    (checkpoint / "state.json").write_text("{}")
    spend = SpendLog(tmp_path / "spend.jsonl")
    spend.add(hour)
    assert last_record(tmp_path, "text2mel") == (700, 1.0)
    idle = replace(hour, kind="idle", first_step=712, last_step=712)
    spend.write_open((replace(hour, first_step=700, last_step=712), idle), spend.size)
    assert last_record(tmp_path, "text2mel") == (712, 3.0)
    # Another run has added them to the log since.
    spend.add_open_entries()
    assert last_record(tmp_path, "text2mel") == (712, 3.0)
    assert last_record(tmp_path, "ssrn") == (None, 3.0)


def test_last_seen_is_unknown_where_nothing_can_be_read(tmp_path):
    (tmp_path / "spend.jsonl").mkdir()
    (tmp_path / "text2mel").mkdir()
    (tmp_path / "text2mel" / "checkpoints").write_text("no folder")
    assert last_record(tmp_path, "text2mel") == (None, None)
