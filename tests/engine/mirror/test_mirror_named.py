"""A mirror that a voice.toml names counts only where a person has named it on this machine."""

import json
import os
import pwd
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.machine.state_folder import state_folder
from engine.mirror.index import look
from engine.mirror.named import is_named, mirror_to_use, remember
from engine.mirror.store import open_target
from engine.mirror.take_up import Manners, take_up
from engine.mirror.uploader import Hearers
from engine.run.options import TrainOptions
from engine.run.snapshot import Phase
from engine.voice.folder import Voice

BUCKET = "s3://bucket/alice"


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch) -> Path:
    """A machine on which nobody has named anything."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def voice(make_voice, address) -> Voice:
    """A voice whose voice.toml names a mirror in a folder."""
    return make_voice(mirror=address, id="ab" * 16)


def forbidden(address: str):
    raise AssertionError(f"{address} was opened")


def train(training, voice: Voice, stop: str, manners=None, **more):
    """Train as the command does: take the mirror up, then start a run."""
    options = take_up(TrainOptions(voice.folder, **more), manners or Manners())
    session = training.start(
        voice, stop, mirror=options.mirror, mirror_sequence=options.mirror_sequence
    )
    return training.end(session)


def test_a_mirror_that_nobody_named_gets_nothing_and_the_person_is_told(voice, training, address):
    last = train(training, voice, "2", Manners(open=forbidden))
    assert (last.phase, last.step) == (Phase.STOPPED, 2)
    assert not Path(address).exists()
    assert list(Path(address).parent.iterdir()) == []
    assert last.mirror.unnamed
    assert last.mirror.address == address
    assert "nothing is copied" in last.mirror.trouble
    [told] = [event for event in last.events if "mirror" in event.text]
    # Before the corpus is read, which may take an hour.
    assert told is last.events[0]
    assert told.severity == "warning"
    assert told.text == (
        f"voice.toml names the mirror {address}, which was never given on this machine: nothing "
        f"is copied; if it is yours, give --mirror {address}"
    )


def test_named_once_it_is_used_without_the_option(voice, training, address):
    last = train(training, voice, "2", mirror=address)
    assert (last.mirror.safe_step, last.mirror.unnamed) == (2, False)
    last = train(training, voice, "4")
    assert (last.mirror.safe_step, last.mirror.unnamed) == (4, False)
    assert look(open_target(address)).newest_step("text2mel") == 4


@pytest.mark.parametrize("option", ["mirror", "restore"])
def test_a_voice_that_was_restored_goes_on_without_the_option(
    voice, training, address, speech, tmp_path, option
):
    train(training, voice, "2", mirror=address)
    shutil.rmtree(state_folder())
    fresh = tmp_path / "fresh"
    take_up(TrainOptions(fresh, dataset=speech, **{option: address}), Manners())
    last = train(training, Voice.open(fresh), "4")
    assert (last.mirror.safe_step, last.mirror.unnamed) == (4, False)


def test_another_voice_with_the_same_line_is_another_matter(voice, tmp_path):
    remember(voice.folder, BUCKET)
    assert is_named(voice.folder, BUCKET)
    assert is_named(voice.folder, BUCKET + "/")
    assert not is_named(voice.folder, "s3://bucket/bob")
    assert not is_named(tmp_path / "other", BUCKET)
    # By whatever way the folder is reached.
    (tmp_path / "link").symlink_to(voice.folder)
    assert is_named(tmp_path / "link", BUCKET)


def test_a_line_that_was_changed_since_names_nothing(voice, training, address):
    remember(voice.folder, BUCKET)
    voice.save(replace(voice.settings, mirror=str(Path(address).parent / "theirs")))
    options = take_up(TrainOptions(voice.folder), Manners(open=forbidden))
    assert options.mirror is None
    assert train(training, voice, "1").mirror.unnamed


@pytest.mark.parametrize("stored", ["s3://user:geheim@bucket/a", "s3:/half", "\x1b[2J", "-", "a b"])
def test_a_line_that_is_no_address_stops_no_run_and_is_told_safely(make_voice, stored):
    voice = make_voice(text2mel=None, mirror=stored)
    options = take_up(TrainOptions(voice.folder), Manners(open=forbidden))
    assert options.mirror is None
    states, events = [], []
    hearers = Hearers(states.append, lambda text, severity: events.append(text))
    assert mirror_to_use(options, voice, hearers) is None
    [state], [event] = states, events
    assert "geheim" not in state.address + state.trouble + event
    assert (state.address + state.trouble + event).isprintable()


def files() -> list[Path]:
    return list((state_folder() / "mirrors").iterdir())


def test_what_is_remembered_is_for_its_owner_alone_and_holds_no_password(voice):
    remember(voice.folder, BUCKET)
    [path] = files()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(InputError, match="password"):
        remember(voice.folder, "s3://user:geheim@bucket/alice")
    assert "geheim" not in path.read_text()


def test_several_are_remembered_but_not_any_number(voice):
    addresses = [f"s3://bucket/{number}" for number in range(40)]
    for address in addresses:
        remember(voice.folder, address)
    known = [is_named(voice.folder, address) for address in addresses]
    assert known == [False] * 20 + [True] * 20
    assert len(files()) == 1


def test_voices_that_are_gone_are_forgotten(voice, copy_voice, tmp_path):
    gone, elsewhere = copy_voice(voice, "gone"), copy_voice(voice, "elsewhere")
    remember(voice.folder, BUCKET)
    remember(gone.folder, BUCKET)
    remember(elsewhere.folder, BUCKET)
    [path] = [path for path in files() if "elsewhere" in path.read_text()]
    path.write_text(json.dumps({**json.loads(path.read_text()), "host": "another"}))
    shutil.rmtree(gone.folder)
    shutil.rmtree(elsewhere.folder)
    # One that is yet to be made is not among them.
    remember(tmp_path / "new", BUCKET)
    kept = {Path(json.loads(path.read_text())["voice_folder"]).name for path in files()}
    # Whether a folder of another host is gone, this one cannot know.
    assert kept == {"voice", "elsewhere", "new"}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff", id="no text"),
        pytest.param(b"{}", id="nothing"),
        pytest.param(b"[" * 60_000, id="nested"),
        pytest.param(b'{"voice_folder": 5}', id="of other types"),
        pytest.param(b"9" * 100_000, id="long"),
    ],
)
def test_what_cannot_be_read_has_named_nothing_and_is_mended_by_the_next(voice, content):
    remember(voice.folder, BUCKET)
    [path] = files()
    path.write_bytes(content)
    assert not is_named(voice.folder, BUCKET)
    remember(voice.folder, BUCKET)
    assert is_named(voice.folder, BUCKET)


def test_a_file_of_another_voice_in_its_place_has_named_nothing(voice, copy_voice):
    other = copy_voice(voice, "other")
    remember(other.folder, BUCKET)
    [path] = files()
    remember(voice.folder, "s3://bucket/own")
    [own] = [file for file in files() if file != path]
    path.replace(own)
    assert not is_named(voice.folder, BUCKET)


def test_a_state_folder_that_others_may_write_to_is_not_believed(voice, training, address):
    remember(voice.folder, address)
    (state_folder() / "mirrors").chmod(0o777)
    assert not is_named(voice.folder, address)
    # What the command itself names is used all the same.
    last = train(training, voice, "1", mirror=address)
    assert last.mirror.safe_step == 1
    assert any("cannot be remembered" in text for text in training.texts(last))


def test_an_account_without_a_home_has_named_nothing_and_trains_all_the_same(
    voice, training, address, monkeypatch
):
    def unknown(uid):
        raise KeyError(uid)

    for name in ("XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert not is_named(voice.folder, address)
    last = train(training, voice, "1", mirror=address)
    assert last.mirror.safe_step == 1
    assert any("no home folder" in text for text in training.texts(last))


def test_names_of_folders_may_hold_any_bytes(tmp_path):
    folder = tmp_path / os.fsdecode(b"voice-\xff")
    folder.mkdir()
    remember(folder, BUCKET)
    assert is_named(folder, BUCKET)
