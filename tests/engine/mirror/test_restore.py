"""`--mirror` and `--from URL` before a run: what is fetched, and what is refused."""

import os
import shutil
from pathlib import Path

import pytest

from engine.errors import EngineError, InputError
from engine.machine.lock import acquire_lock
from engine.mirror.address import MARKER
from engine.mirror.restore import FetchOptions
from engine.mirror.restore import restore_from_mirror as restore
from engine.mirror.store import MirrorError
from engine.run.options import TrainOptions
from engine.voice.folder import RESTORING, Voice


def content(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def options(folder: Path, **more) -> TrainOptions:
    return TrainOptions(folder, mirror="memory://mirror", **more)


def test_a_fresh_machine_gets_the_newest_of_both_networks(alice, fetching, reports):
    fresh = alice.folder.with_name("fresh")
    taken = restore(options(fresh), fetching)
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
    assert "text2mel at step 200 fetched from memory://mirror" in reports
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
    with pytest.raises(InputError, match="no corpus folder"):
        restore(options(fresh, dataset=tmp_path / "nowhere"), fetching)
    restore(options(fresh, dataset=corpus), fetching)
    assert Voice.open(fresh).dataset == corpus


def test_from_is_ignored_once_the_mirror_has_its_own_steps(alice, fetching, reports, tmp_path):
    fresh = tmp_path / "fresh"
    assert restore(options(fresh, source=tmp_path / "base"), fetching).source is None
    assert any("--from" in text and "ignored" in text for text in reports)
    # The other network has not begun: it starts from there.
    shutil.rmtree(fresh / "ssrn")


def test_a_voice_behind_catches_up_and_keeps_its_spend(
    alice, make, memory, send, fetching, reports, tmp_path
):
    behind = Voice.open(Path(shutil.copytree(alice.folder, tmp_path / "behind")))
    (behind.folder / "spend.jsonl").write_text('{"start": "a"}\n{"start": "c"}\n')
    make.save(alice, 300)
    run = send(alice, memory, sequence=3)
    run.safe(300)
    (behind.folder / "voice.toml").write_text(
        "# mine\n" + (behind.folder / "voice.toml").read_text()
    )
    taken = restore(options(behind.folder), fetching)
    assert taken.mirror_sequence == 4
    assert behind.newest("text2mel").step == 300
    assert behind.newest("ssrn").step == 50
    assert (behind.folder / "voice.toml").read_text().startswith("# mine\n")
    spend = (behind.folder / "spend.jsonl").read_text().splitlines()
    assert spend == ['{"start": "a"}', '{"start": "b"}', '{"start": "c"}']
    assert behind.history("text2mel").read_bytes() == alice.history("text2mel").read_bytes()
    assert any("step 200 is here: continuing from the mirror" in text for text in reports)


def test_a_voice_ahead_stays_as_it_is(alice, make, fetching, reports):
    make.save(alice, 300)
    before = content(alice.folder)
    assert restore(options(alice.folder), fetching).mirror_sequence == 3
    assert content(alice.folder) == before
    assert reports == []


@pytest.mark.parametrize("theirs", [None, "f" * 32])
def test_another_voice_is_refused(alice, make, fetching, theirs):
    other = make.voice("other", id=theirs)
    make.save(other, 100)
    before = content(other.folder)
    with pytest.raises(InputError, match=r"holds .* alice, last written by process"):
        restore(options(other.folder), fetching)
    assert content(other.folder) == before


def test_lost_settings_are_fetched(alice, fetching):
    path, spend = alice.folder / "voice.toml", alice.folder / "spend.jsonl"
    with spend.open("a") as file:
        file.write('{"start": "c"}\n')
    (alice.folder / "spend.open").touch()
    path.write_bytes(b"")
    with pytest.raises(InputError, match="fetches it once the damaged file is removed"):
        restore(options(alice.folder), fetching)
    path.unlink()
    before = content(alice.folder)
    restore(options(alice.folder), fetching)
    assert Voice.open(alice.folder).settings == alice.settings
    after = content(alice.folder)
    after.pop("voice.toml")
    assert after == before


def test_a_folder_in_which_a_run_just_began_is_refused(alice, fetching, tmp_path):
    folder = tmp_path / "new"
    lock = acquire_lock(folder)
    (folder / "voice.toml.123.part").touch()
    with pytest.raises(InputError, match=f"is being trained by process {os.getpid()} since"):
        restore(options(folder), fetching)
    lock.release()


def test_other_files_are_not_mixed_with_a_voice(alice, fetching, tmp_path):
    folder = tmp_path / "taxes"
    folder.mkdir()
    (folder / "2026.pdf").write_text("mine")
    with pytest.raises(InputError, match="is not empty and is not a voice folder"):
        restore(options(folder), fetching)
    assert content(folder) == {"2026.pdf": b"mine"}


def test_with_nothing_here_the_mirror_is_waited_for(memory, fetching, reports, tmp_path):
    def refuse(what, path):
        raise ConnectionError("Could not connect")

    memory._files.before = refuse
    with pytest.raises(EngineError, match="try again when the mirror can be reached"):
        restore(options(tmp_path / "fresh"), fetching)
    waits = [float(text.split()[1]) for text in reports if text.startswith("waited")]
    assert len(waits) == 7
    assert 30 < sum(waits) <= 127
    assert not (tmp_path / "fresh").exists()


def test_with_a_voice_here_training_continues_without_it(alice, memory, fetching, reports):
    def refuse(what, path):
        raise ConnectionError("Could not connect")

    memory._files.before = refuse
    taken = restore(options(alice.folder), fetching)
    assert (taken.mirror, taken.mirror_sequence) == ("memory://mirror", None)
    assert any("out of reach, training continues without it" in text for text in reports)
    assert not any(text.startswith("waited") for text in reports)


def test_a_refusal_is_reported_at_once(alice, memory, fetching, tmp_path):
    def refuse(what, path):
        raise PermissionError("Access Denied")

    memory._files.before = refuse
    for folder in (alice.folder, tmp_path / "fresh"):
        with pytest.raises(MirrorError, match="Access Denied"):
            restore(options(folder), fetching)


def test_an_empty_mirror_is_tested_before_training(make, memory, fetching, tmp_path):
    written = []
    memory._files.before = lambda what, path: written.append((what, path.rpartition("/")[2][:5]))
    assert restore(options(tmp_path / "new"), fetching).mirror_sequence == 0
    assert written[-2:] == [("pipe", "probe"), ("cat", "probe")]
    assert memory.names("") == []

    def read_only(what, path):
        if what == "pipe":
            raise PermissionError("Access Denied")

    memory._files.before = read_only
    with pytest.raises(MirrorError, match="cannot write probe-"):
        restore(options(tmp_path / "new"), fetching)


def test_a_mirror_in_its_own_voice_is_refused(alice):
    for place in (alice.folder, alice.folder / "copy", alice.folder.parent):
        with pytest.raises(InputError, match="inside one another"):
            restore(TrainOptions(alice.folder, mirror=str(place)), FetchOptions())


def test_a_disk_that_is_not_mounted_is_not_made(alice, tmp_path):
    with pytest.raises(InputError, match="mount"):
        restore(TrainOptions(alice.folder, mirror=str(tmp_path / "nas" / "alice")), FetchOptions())
    assert not (tmp_path / "nas").exists()


BROKEN = ["[" * 10**5, "", "\x00", '{"format": 1, "id"']
BROKEN_NAMES = ["deep", "empty", "zero", "cut"]


@pytest.mark.parametrize("text", [*BROKEN, None], ids=[*BROKEN_NAMES, "gone"])
def test_without_a_marker_checkpoints_say_whose_they_are(alice, memory, fetching, tmp_path, text):
    if text is None:
        memory._files.rm(f"{memory._root}/{MARKER}")
    else:
        memory.write(MARKER, text.encode())
    taken = restore(options(tmp_path / "fresh"), fetching)
    assert taken.mirror_sequence == 3
    voice = Voice.open(tmp_path / "fresh")
    assert (voice.newest("text2mel").step, voice.settings.id) == (200, alice.settings.id)


@pytest.mark.parametrize("text", BROKEN, ids=BROKEN_NAMES)
def test_a_broken_marker_alone_is_refused_and_stays(memory, fetching, tmp_path, text):
    memory.write(MARKER, text.encode())
    with pytest.raises(InputError, match=r"mirror\.json .* is not a mirror's"):
        restore(options(tmp_path / "fresh"), fetching)
    assert memory.read(MARKER, 10**6) == text.encode()


def test_a_mirror_of_a_later_format_is_refused(alice, memory, fetching, tmp_path):
    memory.write(MARKER, b'{"format": 2}')
    with pytest.raises(InputError, match=r"mirror\.json .* its format is 2, not 1"):
        restore(options(tmp_path / "fresh"), fetching)


def test_checkpoints_of_two_voices_are_nobodys(alice, make, memory, send, fetching, tmp_path):
    memory._files.rm(f"{memory._root}/{MARKER}")
    other = make.voice("other", id="f" * 32)
    make.save(other, 100)
    run = send(other, memory)
    run.safe(100)
    run.close()
    memory.write(MARKER, b"")
    with pytest.raises(InputError, match="is not a mirror's"):
        restore(options(tmp_path / "fresh"), fetching)
