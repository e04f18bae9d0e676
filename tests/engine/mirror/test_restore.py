"""A voice that is fetched from its mirror: whole, exact, and nothing else."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.errors import EngineError, InputError
from engine.machine.lock import acquire_lock
from engine.mirror.confirmed import CONFIRMATION
from engine.mirror.index import read_index
from engine.mirror.layout import MANIFEST, MARKER, FileInfo, encoded
from engine.mirror.restore import FetchOptions
from engine.mirror.restore import restore_from_mirror as restore
from engine.mirror.store import MirrorError, open_store
from engine.run.options import TrainOptions
from engine.voice.folder import RESTORING, Voice


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def fetching(memory, heard) -> FetchOptions:
    """Every address is the mirror in memory; waits are noted and not made."""
    return FetchOptions(
        report=heard.append,
        wait=lambda seconds: heard.append(f"waited {seconds:.1f}"),
        open=lambda address: memory,
    )


@pytest.fixture
def alice(make, memory, send) -> SimpleNamespace:
    """A voice at step 200 whose mirror has all of it, and then is gone from this machine."""
    voice = make.voice()
    make.save(voice, 100)
    make.save(voice, 200)
    make.save(voice, 50, "ssrn")
    (voice.folder / "spend.jsonl").write_text('{"start": "a"}\n{"start": "b"}\n')
    run = send(voice, memory)
    run.safe(200)
    run.close()
    return voice


# Made here and never fetched.
OWN = ("lock", CONFIRMATION)


def content(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in OWN]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def order(folder: Path, **more) -> TrainOptions:
    return TrainOptions(folder, mirror="memory://mirror", **more)


def test_a_fresh_machine_gets_the_newest_of_both_networks_bit_for_bit(alice, fetching, heard):
    fresh = alice.folder.with_name("fresh")
    taken = restore(order(fresh), fetching)
    voice = Voice.open(fresh)
    assert voice.settings == alice.settings
    ours, theirs = content(fresh), content(alice.folder)
    assert ours == {name: theirs[name] for name in ours}
    assert {name for name in theirs if name not in ours} == {
        f"text2mel/checkpoints/step-000000100/{name}"
        for name in ("weights.safetensors", "state.json")
    }
    assert taken.mirror == "memory://mirror"
    assert taken.mirror_sequence == 3
    assert "text2mel at step 200 fetched from memory://mirror" in heard
    assert not (fresh / RESTORING).exists()


def test_from_names_a_mirror_that_must_hold_a_voice(alice, make, memory, fetching):
    fresh = alice.folder.with_name("fresh")
    taken = restore(TrainOptions(fresh, restore="memory://mirror"), fetching)
    assert (taken.restore, taken.mirror) == (None, "memory://mirror")
    assert Voice.open(fresh).newest("text2mel").step == 200
    memory._files.rm(memory._root, recursive=True)
    with pytest.raises(InputError, match="no voice with checkpoints at"):
        restore(TrainOptions(fresh.with_name("none"), restore="memory://mirror"), fetching)
    assert not fresh.with_name("none").exists()


def test_recordings_are_where_this_machine_has_them(alice, fetching, tmp_path):
    corpus = tmp_path / "elsewhere"
    (corpus / "wavs").mkdir(parents=True)
    (corpus / "metadata.csv").write_text("a|b")
    fresh = tmp_path / "fresh"
    with pytest.raises(InputError, match="no dataset folder"):
        restore(order(fresh, dataset=tmp_path / "nowhere"), fetching)
    restore(order(fresh, dataset=corpus), fetching)
    assert Voice.open(fresh).dataset == corpus


def test_from_a_voice_is_left_out_once_the_mirror_has_its_own(alice, fetching, heard, tmp_path):
    fresh = tmp_path / "fresh"
    assert restore(order(fresh, source=tmp_path / "base"), fetching).source is None
    assert any("--from" in text and "ignored" in text for text in heard)
    # The other network has not begun: it starts from there.
    shutil.rmtree(fresh / "ssrn")


def test_a_voice_that_is_behind_catches_up_and_keeps_what_it_paid(
    alice, make, memory, send, fetching, heard, tmp_path
):
    behind = Voice.open(Path(shutil.copytree(alice.folder, tmp_path / "behind")))
    (behind.folder / "spend.jsonl").write_text('{"start": "a"}\n{"start": "c"}\n')
    make.save(alice, 300)
    run = send(alice, memory, sequence=3)
    run.safe(300)
    (behind.folder / "voice.toml").write_text(
        "# mine\n" + (behind.folder / "voice.toml").read_text()
    )
    taken = restore(order(behind.folder), fetching)
    assert taken.mirror_sequence == 4
    assert behind.newest("text2mel").step == 300
    assert behind.newest("ssrn").step == 50
    assert (behind.folder / "voice.toml").read_text().startswith("# mine\n")
    ledger = (behind.folder / "spend.jsonl").read_text().splitlines()
    assert ledger == ['{"start": "a"}', '{"start": "b"}', '{"start": "c"}']
    assert behind.history("text2mel").read_bytes() == alice.history("text2mel").read_bytes()
    assert any("step 200 is here: continuing from the mirror" in text for text in heard)


def test_a_voice_that_is_ahead_stays_as_it_is(alice, make, fetching, heard):
    make.save(alice, 300)
    before = content(alice.folder)
    assert restore(order(alice.folder), fetching).mirror_sequence == 3
    assert content(alice.folder) == before
    assert heard == []


@pytest.mark.parametrize("theirs", [None, "f" * 32])
def test_another_voice_is_refused_whatever_its_step(alice, make, fetching, theirs):
    other = make.voice("other", id=theirs)
    make.save(other, 100)
    before = content(other.folder)
    with pytest.raises(InputError, match=r"holds .* alice, last written by process"):
        restore(order(other.folder), fetching)
    assert content(other.folder) == before


def test_a_voice_that_lost_its_settings_gets_them_from_its_mirror(alice, fetching):
    path, ledger = alice.folder / "voice.toml", alice.folder / "spend.jsonl"
    with ledger.open("a") as file:
        file.write('{"start": "c"}\n')
    (alice.folder / "spend.open").touch()
    path.write_bytes(b"")
    with pytest.raises(InputError, match="fetches it once the damaged file is removed"):
        restore(order(alice.folder), fetching)
    path.unlink()
    before = content(alice.folder)
    restore(order(alice.folder), fetching)
    assert Voice.open(alice.folder).settings == alice.settings
    after = content(alice.folder)
    after.pop("voice.toml")
    assert after == before


def test_a_folder_in_which_a_run_has_just_begun_is_told(alice, fetching, tmp_path):
    folder = tmp_path / "new"
    lock = acquire_lock(folder)
    (folder / "voice.toml.123.part").touch()
    with pytest.raises(InputError, match=f"is being trained by process {os.getpid()} since"):
        restore(order(folder), fetching)
    lock.release()


def test_somebody_elses_files_are_not_mixed_with_a_voice(alice, fetching, tmp_path):
    folder = tmp_path / "taxes"
    folder.mkdir()
    (folder / "2026.pdf").write_text("mine")
    with pytest.raises(InputError, match="is not empty and is not a voice folder"):
        restore(order(folder), fetching)
    assert content(folder) == {"2026.pdf": b"mine"}


def test_a_damaged_checkpoint_gives_way_to_the_one_before(alice, memory, fetching, heard, tmp_path):
    newest = read_index(memory).checkpoints["text2mel"][0].key
    memory._files._files.pipe_file(f"{memory._root}/{newest}/weights.safetensors", b"x" * 1250)
    fresh = tmp_path / "fresh"
    restore(order(fresh), fetching)
    assert Voice.open(fresh).newest("text2mel").step == 100
    assert any("is damaged" in text and "using the one before" in text for text in heard)


def test_a_checkpoint_lacking_a_file_does_not_count(alice, memory, fetching, tmp_path):
    newest = read_index(memory).checkpoints["text2mel"][0].key
    memory._files._files.rm(f"{memory._root}/{newest}/state.json")
    restore(order(tmp_path / "one"), fetching)
    assert Voice.open(tmp_path / "one").newest("text2mel").step == 100
    memory._files._files.rm(f"{memory._root}/{newest}/{MANIFEST}")
    restore(order(tmp_path / "two"), fetching)
    assert Voice.open(tmp_path / "two").newest("text2mel").step == 100


def test_a_fetch_that_was_cut_off_goes_on_where_it_was(alice, memory, fetching, tmp_path, heard):
    fresh = tmp_path / "fresh"
    opened = []

    def cut_off(what, path):
        if what == "open" and path.endswith("weights.safetensors"):
            opened.append(path)
            if len(opened) == 2:
                raise ConnectionResetError("the line is dead")

    memory._files.before = cut_off
    restore(order(fresh), fetching)
    assert Voice.open(fresh).newest("text2mel").step == 200
    # The first network's weights were there already and are not fetched again.
    assert len(opened) == 3
    assert sum(text.startswith("waited") for text in heard) == 1


def test_with_nothing_here_the_mirror_is_waited_for_and_then_given_up(
    memory, fetching, heard, tmp_path
):
    def refuse(what, path):
        raise ConnectionError("Could not connect")

    memory._files.before = refuse
    with pytest.raises(EngineError, match="try again when the mirror can be reached"):
        restore(order(tmp_path / "fresh"), fetching)
    waits = [float(text.split()[1]) for text in heard if text.startswith("waited")]
    assert len(waits) == 7
    assert 30 < sum(waits) <= 127
    assert not (tmp_path / "fresh").exists()


def test_with_a_voice_here_training_goes_on_without_the_mirror(alice, memory, fetching, heard):
    def refuse(what, path):
        raise ConnectionError("Could not connect")

    memory._files.before = refuse
    taken = restore(order(alice.folder), fetching)
    assert (taken.mirror, taken.mirror_sequence) == ("memory://mirror", None)
    assert any("out of reach, training continues without it" in text for text in heard)
    assert not any(text.startswith("waited") for text in heard)


def test_a_mirror_that_refuses_is_told_at_once(alice, memory, fetching, tmp_path):
    def refuse(what, path):
        raise PermissionError("Access Denied")

    memory._files.before = refuse
    for folder in (alice.folder, tmp_path / "fresh"):
        with pytest.raises(MirrorError, match="Access Denied"):
            restore(order(folder), fetching)


def test_an_empty_mirror_is_tried_before_hours_are_trained(make, memory, fetching, tmp_path):
    written = []
    memory._files.before = lambda what, path: written.append((what, path.rpartition("/")[2][:5]))
    assert restore(order(tmp_path / "new"), fetching).mirror_sequence == 0
    assert written[-2:] == [("pipe", "probe"), ("cat", "probe")]
    assert memory.names("") == []

    def read_only(what, path):
        if what == "pipe":
            raise PermissionError("Access Denied")

    memory._files.before = read_only
    with pytest.raises(MirrorError, match="cannot write probe-"):
        restore(order(tmp_path / "new"), fetching)


@pytest.fixture
def later(alice, memory, send) -> SimpleNamespace:
    """The mirror of alice after some more was paid and no checkpoint was made."""
    with (alice.folder / "spend.jsonl").open("a") as file:
        file.write('{"start": "c"}\n')
    send(alice, memory, sequence=3).uploader.finish(30)
    assert read_index(memory).latest is not None
    return alice


def test_what_was_paid_after_the_last_checkpoint_is_known_on_a_fresh_machine(
    later, fetching, tmp_path
):
    restore(order(tmp_path / "fresh"), fetching)
    ours = (tmp_path / "fresh" / "spend.jsonl").read_bytes()
    assert ours == (later.folder / "spend.jsonl").read_bytes()
    assert ours.endswith(b'{"start": "c"}\n')


def test_what_another_machine_paid_comes_here_without_a_later_step(later, fetching, heard):
    (later.folder / "spend.jsonl").write_text('{"start": "a"}\n{"start": "mine"}\n')
    restore(order(later.folder), fetching)
    lines = (later.folder / "spend.jsonl").read_text().splitlines()
    assert lines == [f'{{"start": "{what}"}}' for what in ("a", "b", "c", "mine")]
    before = content(later.folder)
    restore(order(later.folder), fetching)
    assert content(later.folder) == before


@pytest.mark.parametrize("what", ["latest.json", "its ledger", "a ledger without end"])
def test_a_damaged_ledger_gives_way_to_that_of_the_last_checkpoint(
    later, memory, fetching, heard, tmp_path, what
):
    latest = read_index(memory).latest
    files, root = memory._files._files, memory._root
    if what == "latest.json":
        files.pipe_file(f"{root}/latest.json", encoded(latest)[:-20])
    elif what == "its ledger":
        files.pipe_file(f"{root}/voice/{latest.names['spend.jsonl']}", b"x" * 48)
    else:
        marks = {**latest.voice_files, "spend.jsonl": FileInfo(2**39, "0" * 64)}
        files.pipe_file(f"{root}/latest.json", encoded(replace(latest, voice_files=marks)))
    restore(order(tmp_path / "fresh"), fetching)
    assert (tmp_path / "fresh" / "spend.jsonl").read_text() == '{"start": "a"}\n{"start": "b"}\n'
    assert (what == "latest.json") or any("spend.jsonl" in text for text in heard)


def test_damaged_settings_give_way_to_those_of_the_checkpoint_before(
    alice, memory, fetching, heard, tmp_path
):
    newest = max(read_index(memory).all, key=lambda manifest: manifest.sequence)
    memory._files._files.pipe_file(f"{memory._root}/{newest.key}/voice.toml", b"oops")
    restore(order(tmp_path / "fresh"), fetching)
    assert Voice.open(tmp_path / "fresh").settings == alice.settings
    assert any("voice.toml is not what was written" in text for text in heard)
    for manifest in read_index(memory).all:
        memory._files._files.pipe_file(f"{memory._root}/{manifest.key}/voice.toml", b"oops")
    with pytest.raises(InputError, match=r"has no intact voice\.toml"):
        restore(order(tmp_path / "other"), fetching)


# What a stranger may have put into a mirror.


@pytest.fixture
def strange(alice, address, send, make):
    """A mirror in a folder that a stranger could change, and where its voice is fetched."""
    target = open_store(address)
    send(alice, target).safe(200)
    newest = read_index(target).checkpoints["text2mel"][0]
    mirror = Path(address)
    return SimpleNamespace(
        folder=mirror, newest=mirror / newest.key, manifest=newest, voice=alice.folder.parent / "in"
    )


def fetch(strange, **more) -> list[str]:
    heard: list[str] = []
    restore(
        TrainOptions(strange.voice, mirror=str(strange.folder), **more), FetchOptions(heard.append)
    )
    return heard


def test_links_out_of_a_mirror_are_not_followed(strange, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes((strange.newest / "weights.safetensors").read_bytes())
    (strange.newest / "weights.safetensors").unlink()
    (strange.newest / "weights.safetensors").symlink_to(secret)
    with pytest.raises(MirrorError, match="a link that leads out of the mirror"):
        fetch(strange)


def test_a_pipe_in_a_mirror_is_not_waited_for(strange):
    (strange.newest / "weights.safetensors").unlink()
    os.mkfifo(strange.newest / "weights.safetensors")
    with pytest.raises(MirrorError, match="not a plain file"):
        fetch(strange)


def test_a_file_without_end_is_read_no_further_than_its_size(strange):
    with (strange.newest / "weights.safetensors").open("ab") as file:
        file.truncate(10**12)
    assert any("is damaged" in text for text in fetch(strange))
    assert Voice.open(strange.voice).newest("text2mel").step == 100


def test_more_than_the_disk_has_room_for_is_not_begun(strange):
    huge = replace(
        strange.manifest,
        sequence=99,
        files={**strange.manifest.files, "optimizer.safetensors": FileInfo(2**40, "0" * 64)},
    )
    folder = strange.folder / huge.key
    shutil.copytree(strange.newest, folder)
    (folder / MANIFEST).write_bytes(encoded(huge))
    with pytest.raises(EngineError, match=r"fetching text2mel needs .* free"):
        fetch(strange)


def test_nothing_else_that_lies_in_a_mirror_comes_along(strange):
    (strange.newest / "evil.py").write_text("import os")
    (strange.folder / "text2mel" / "step-000000999.pwned").mkdir()
    (strange.folder / "text2mel" / "..x").mkdir()
    fetch(strange)
    names = {path.name for path in strange.voice.rglob("*") if path.is_file()}
    assert names == {
        "voice.toml",
        *OWN,
        "history.jsonl",
        "weights.safetensors",
        "state.json",
        "spend.jsonl",
    }


def test_the_mirror_that_a_fetched_voice_goes_on_to_is_the_one_that_was_named(
    strange, make, send, address
):
    # Its voice.toml says memory://mirror: a stranger's could say a place of their own.
    fetch(strange)
    assert Voice.open(strange.voice).settings.mirror == address


BROKEN = pytest.mark.parametrize("text", ["[" * 10**5, "", "\x00"], ids=["deep", "empty", "zero"])


@BROKEN
def test_a_marker_that_is_none_is_refused_and_not_written_over(tmp_path, text):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / MARKER).write_text(text)
    with pytest.raises(InputError, match=r"mirror\.json .* is not a mirror's"):
        restore(TrainOptions(tmp_path / "in", mirror=str(mirror)), FetchOptions())
    assert (mirror / MARKER).read_text() == text


@BROKEN
def test_sound_checkpoints_of_one_voice_say_whose_they_are_where_the_marker_is_damaged(
    strange, text
):
    (strange.folder / MARKER).write_text(text)
    fetch(strange)
    assert Voice.open(strange.voice).newest("text2mel").step == 200


def test_a_mirror_of_a_later_format_is_refused(strange):
    (strange.folder / MARKER).write_text('{"format": 2}')
    with pytest.raises(InputError, match=r"mirror\.json .* its format is 2, not 1"):
        fetch(strange)


def test_a_mirror_in_its_own_voice_is_refused(alice):
    for place in (alice.folder, alice.folder / "copy", alice.folder.parent):
        with pytest.raises(InputError, match="inside one another"):
            restore(TrainOptions(alice.folder, mirror=str(place)), FetchOptions())


def test_a_disk_that_is_not_mounted_is_not_made(alice, tmp_path):
    with pytest.raises(InputError, match="mount"):
        restore(TrainOptions(alice.folder, mirror=str(tmp_path / "nas" / "alice")), FetchOptions())
    assert not (tmp_path / "nas").exists()
