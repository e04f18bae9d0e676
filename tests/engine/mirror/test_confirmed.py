"""A mirror that a voice.toml names counts only where a person has named it for that folder."""

import pwd
import shutil
import stat
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.machine.state_folder import state_folder
from engine.mirror.confirmed import CONFIRMATION, confirm, is_confirmed, mirror_to_use
from engine.mirror.index import read_index
from engine.mirror.restore import FetchOptions, restore_from_mirror
from engine.mirror.store import open_store
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
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


def train(training, voice: Voice, stop: str, fetching=None, **more):
    """Train as the command does: restore from the mirror, then start a run."""
    options = restore_from_mirror(TrainOptions(voice.folder, **more), fetching or FetchOptions())
    session = training.start(
        voice, stop, mirror=options.mirror, mirror_sequence=options.mirror_sequence
    )
    return training.end(session)


@pytest.mark.slow
def test_an_unconfirmed_mirror_gets_nothing_and_is_reported(voice, training, address):
    last = train(training, voice, "2", FetchOptions(open=forbidden))
    assert (last.phase, last.step) == (Phase.STOPPED, 2)
    assert list(Path(address).parent.iterdir()) == []
    assert (last.mirror.unnamed, last.mirror.address) == (True, address)
    assert "nothing is copied" in last.mirror.trouble
    [event] = [event for event in last.events if "mirror" in event.text]
    # Before the corpus is read, which may take an hour.
    assert event is last.events[0]
    assert event.severity == "warning"
    assert event.text == (
        f"voice.toml names the mirror {address}, which was never given on this machine: nothing "
        f"is copied; if it is yours, give --mirror {address}"
    )


@pytest.mark.slow
def test_named_once_it_is_used_without_the_option(voice, training, address):
    last = train(training, voice, "2", mirror=address)
    assert (last.mirror.safe_step, last.mirror.unnamed) == (2, False)
    last = train(training, voice, "4")
    assert (last.mirror.safe_step, last.mirror.unnamed) == (4, False)
    index = read_index(open_store(address))
    assert index.newest_step("text2mel") == 4
    assert not any(CONFIRMATION in manifest.voice_files for manifest in index.all)


@pytest.mark.slow
@pytest.mark.parametrize("option", ["mirror", "restore"])
def test_a_restored_voice_needs_no_option_again(voice, training, address, speech, tmp_path, option):
    train(training, voice, "2", mirror=address)
    shutil.rmtree(state_folder())
    fresh = tmp_path / "fresh"
    restore_from_mirror(TrainOptions(fresh, dataset=speech, **{option: address}), FetchOptions())
    last = train(training, Voice.open(fresh), "4")
    assert (last.mirror.safe_step, last.mirror.unnamed) == (4, False)


def test_a_confirmation_is_for_one_address_and_one_folder(voice, copy_voice, tmp_path):
    confirm(voice.folder, BUCKET)
    assert is_confirmed(voice.folder, BUCKET)
    assert is_confirmed(voice.folder, BUCKET + "/")
    assert not is_confirmed(voice.folder, "s3://bucket/bob")
    # The file travels with a copy, and proves nothing there.
    copy = copy_voice(voice, "copy").folder
    assert (copy / CONFIRMATION).exists()
    assert not is_confirmed(copy, BUCKET)
    (tmp_path / "link").symlink_to(voice.folder)
    assert is_confirmed(tmp_path / "link", BUCKET)


def test_a_strangers_confirmation_proves_nothing(voice, state):
    confirm(voice.folder, BUCKET)
    shutil.rmtree(state)
    assert not is_confirmed(voice.folder, BUCKET)
    confirm(voice.folder, BUCKET)
    assert is_confirmed(voice.folder, BUCKET)


@pytest.mark.parametrize("stored", ["s3://user:geheim@bucket/a", "s3:/half", "\x1b[2J", "-", "a b"])
def test_a_line_that_is_no_address_stops_no_run(make_voice, stored):
    voice = make_voice(text2mel=None, mirror=stored)
    options = restore_from_mirror(TrainOptions(voice.folder), FetchOptions(open=forbidden))
    assert options.mirror is None
    publisher = Publisher(Snapshot(Phase.PREPARING, "a", voice.folder, "text2mel", "", ""))
    assert mirror_to_use(options, voice, publisher) is None
    mirror, [event] = publisher.snapshot.mirror, publisher.snapshot.events
    shown = mirror.address + mirror.trouble + event.text
    assert "geheim" not in shown
    assert shown.isprintable()


def test_the_files_are_private_and_hold_no_password(voice):
    confirm(voice.folder, BUCKET)
    for path in (voice.folder / CONFIRMATION, state_folder() / "key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(InputError, match="password"):
        confirm(voice.folder, "s3://user:geheim@bucket/alice")


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"9" * 100_000], ids=len)
def test_a_damaged_confirmation_is_written_again(voice, content):
    confirm(voice.folder, BUCKET)
    (voice.folder / CONFIRMATION).write_bytes(content)
    assert not is_confirmed(voice.folder, BUCKET)
    confirm(voice.folder, BUCKET)
    assert is_confirmed(voice.folder, BUCKET)


@pytest.mark.slow
def test_a_state_folder_open_to_others_is_not_trusted(voice, training, address):
    confirm(voice.folder, address)
    state_folder().chmod(0o777)
    assert not is_confirmed(voice.folder, address)
    # What the command itself names is used all the same.
    last = train(training, voice, "1", mirror=address)
    assert last.mirror.safe_step == 1
    assert any("cannot record" in text for text in training.texts(last))


@pytest.mark.slow
def test_an_account_without_a_home_trains_all_the_same(voice, training, address, monkeypatch):
    def unknown(uid):
        raise KeyError(uid)

    for name in ("XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert not is_confirmed(voice.folder, address)
    last = train(training, voice, "1", mirror=address)
    assert last.mirror.safe_step == 1
    assert any("no home folder" in text for text in training.texts(last))
