"""`--mirror` and `--from URL` before a run: what is fetched, and what is refused."""

import os
import shutil
from pathlib import Path

import pytest

from engine.errors import EngineError, InputError
from engine.machine.lock import acquire_lock
from engine.mirror.address import MARKER
from engine.mirror.fetch import FetchOptions
from engine.mirror.restore import restore_from_mirror
from engine.mirror.store import MirrorError
from engine.run.options import TrainOptions
from engine.voice.folder import RESTORING, Voice


def test_a_fresh_machine_gets_the_newest_of_both_networks(alice, fetch, reports, content):
    fresh = alice.folder.with_name("fresh")
    taken = fetch(fresh)
    voice = Voice.open(fresh)
    assert voice.settings == alice.settings
    ours, theirs = content(fresh), content(alice.folder)
    assert ours == {name: theirs[name] for name in ours}
    assert {name for name in theirs if name not in ours} == {
        f"text2mel/checkpoints/step-000000100/{name}"
        for name in ("weights.safetensors", "state.json")
    }
    assert (taken.mirror, taken.mirror_sequence) == ("memory://mirror", 3)
    assert "text2mel at step 200 fetched from memory://mirror" in reports
    assert not (fresh / RESTORING).exists()


def test_from_names_a_mirror_that_must_hold_a_voice(alice, memory, fetch, tmp_path):
    taken = fetch(tmp_path / "fresh", restore="memory://mirror")
    # Somebody else's, perhaps: only --mirror lets the run write there.
    assert (taken.restore, taken.mirror) == (None, None)
    voice = Voice.open(tmp_path / "fresh")
    assert (voice.newest("text2mel").step, voice.settings.mirror) == (200, None)
    given = {"restore": "memory://mirror", "mirror": "memory://mirror"}
    assert fetch(tmp_path / "fresh", **given).mirror == "memory://mirror"
    memory._files.rm(memory._root, recursive=True)
    with pytest.raises(InputError, match="no voice with checkpoints at"):
        fetch(tmp_path / "none", restore="memory://mirror")
    assert not (tmp_path / "none").exists()


def test_recordings_are_where_this_machine_has_them(alice, fetch, tmp_path):
    corpus = tmp_path / "elsewhere"
    (corpus / "wavs").mkdir(parents=True)
    (corpus / "metadata.csv").write_text("a|b")
    with pytest.raises(InputError, match="no corpus folder"):
        fetch(tmp_path / "fresh", dataset=tmp_path / "nowhere")
    fetch(tmp_path / "fresh", dataset=corpus)
    assert Voice.open(tmp_path / "fresh").dataset == corpus


def test_from_is_ignored_once_the_mirror_has_its_own_steps(alice, fetch, reports, tmp_path):
    assert fetch(tmp_path / "fresh", source=tmp_path / "base").source is None
    assert any("--from" in text and "ignored" in text for text in reports)


def test_a_voice_behind_catches_up_and_keeps_its_spend(alice, make, send, fetch, reports, tmp_path):
    behind = Voice.open(Path(shutil.copytree(alice.folder, tmp_path / "behind")))
    (behind.folder / "spend.jsonl").write_text('{"start": "a"}\n{"start": "c"}\n')
    (behind.folder / "comparisons.jsonl").write_text("ours\n")
    (alice.folder / "comparisons.jsonl").write_text("theirs\n")
    make.save(alice, 300)
    send(alice, sequence=3).safe(300)
    settings = behind.folder / "voice.toml"
    settings.write_text("# mine\n" + settings.read_text())
    assert fetch(behind.folder).mirror_sequence == 4
    assert (behind.newest("text2mel").step, behind.newest("ssrn").step) == (300, 50)
    assert settings.read_text().startswith("# mine\n")
    spend = (behind.folder / "spend.jsonl").read_text().splitlines()
    assert spend == ['{"start": "a"}', '{"start": "b"}', '{"start": "c"}']
    assert (behind.folder / "comparisons.jsonl").read_text() == "theirs\nours\n"
    assert behind.history("text2mel").read_bytes() == alice.history("text2mel").read_bytes()
    assert any("at step 300 (here: 200); continuing from the mirror" in text for text in reports)


def test_a_voice_ahead_stays_as_it_is(alice, make, fetch, reports, content):
    make.save(alice, 300)
    before = content(alice.folder)
    assert fetch(alice.folder).mirror_sequence == 3
    assert content(alice.folder) == before
    assert reports == []


@pytest.mark.parametrize("theirs", [None, "f" * 32])
def test_another_voice_is_refused(alice, make, fetch, content, theirs):
    other = make.voice("other", [100], id=theirs)
    before = content(other.folder)
    with pytest.raises(InputError, match=r"holds .* alice, last written by process"):
        fetch(other.folder)
    assert content(other.folder) == before


def test_lost_settings_are_fetched(alice, make, fetch, content):
    path = alice.folder / "voice.toml"
    make.pay(alice, "c")
    (alice.folder / "spend.open").touch()
    path.write_bytes(b"")
    with pytest.raises(InputError, match="fetches it once the damaged file is removed"):
        fetch(alice.folder)
    path.unlink()
    before = content(alice.folder)
    fetch(alice.folder)
    assert Voice.open(alice.folder).settings == alice.settings
    after = content(alice.folder)
    after.pop("voice.toml")
    assert after == before


def test_a_folder_of_a_run_or_of_other_files_is_refused(alice, fetch, content, tmp_path):
    lock = acquire_lock(tmp_path / "new")
    (tmp_path / "new" / "voice.toml.123.part").touch()
    with pytest.raises(InputError, match=f"is being trained by process {os.getpid()} since"):
        fetch(tmp_path / "new")
    lock.release()
    (tmp_path / "taxes").mkdir()
    (tmp_path / "taxes" / "2026.pdf").write_text("mine")
    with pytest.raises(InputError, match="is not empty and is not a voice folder"):
        fetch(tmp_path / "taxes")
    assert content(tmp_path / "taxes") == {"2026.pdf": b"mine"}


def test_with_nothing_here_the_mirror_is_waited_for(memory, fetch, reports, tmp_path):
    memory._files.refuse()
    with pytest.raises(EngineError, match="try again when the mirror can be reached"):
        fetch(tmp_path / "fresh")
    waits = [float(text.split()[1]) for text in reports if text.startswith("waited")]
    assert len(waits) == 7
    assert 30 < sum(waits) <= 127
    assert not (tmp_path / "fresh").exists()


def test_with_a_voice_here_training_continues_without_it(alice, memory, fetch, reports):
    memory._files.refuse()
    taken = fetch(alice.folder)
    assert (taken.mirror, taken.mirror_sequence) == ("memory://mirror", None)
    assert any("out of reach, training continues without it" in text for text in reports)
    assert not any(text.startswith("waited") for text in reports)


def test_a_refusal_is_reported_at_once(alice, memory, fetch, tmp_path):
    memory._files.refuse(PermissionError("Access Denied"))
    for folder in (alice.folder, tmp_path / "fresh"):
        with pytest.raises(MirrorError, match="Access Denied"):
            fetch(folder)


def test_an_empty_mirror_is_tested_before_training(memory, fetch, tmp_path):
    asked = []
    memory._files.before = lambda what, path: asked.append((what, path.rpartition("/")[2][:5]))
    assert fetch(tmp_path / "new").mirror_sequence == 0
    assert asked[-3:] == [("pipe", "probe"), ("cat", "probe"), ("rm_file", "probe")]
    assert memory.names("") == []
    memory._files.refuse(PermissionError("Access Denied"), "pipe")
    with pytest.raises(MirrorError, match="cannot write probe-"):
        fetch(tmp_path / "new")


def test_a_mirror_in_its_own_voice_or_nowhere_is_refused(alice, tmp_path):
    places = (alice.folder, alice.folder / "copy", alice.folder.parent, tmp_path / "nas" / "alice")
    for place, said in zip(places, (*["inside one another"] * 3, "mount"), strict=True):
        with pytest.raises(InputError, match=said):
            restore_from_mirror(TrainOptions(alice.folder, mirror=str(place)), FetchOptions())
    assert not (tmp_path / "nas").exists()


BROKEN = {"deep": "[" * 10**5, "empty": "", "zero": "\x00", "cut": '{"format": 1, "id"'}


@pytest.mark.parametrize("what", [*BROKEN, "gone"])
def test_without_a_marker_checkpoints_say_whose_they_are(alice, memory, fetch, tmp_path, what):
    if what == "gone":
        memory.remove(MARKER)
    else:
        memory.write(MARKER, BROKEN[what].encode())
    assert fetch(tmp_path / "fresh").mirror_sequence == 3
    voice = Voice.open(tmp_path / "fresh")
    assert (voice.newest("text2mel").step, voice.settings.id) == (200, alice.settings.id)


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_marker_alone_is_refused_and_stays(memory, fetch, tmp_path, what):
    memory.write(MARKER, BROKEN[what].encode())
    with pytest.raises(InputError, match=r"mirror\.json .* is not a mirror's"):
        fetch(tmp_path / "fresh")
    assert memory.read(MARKER, 10**6) == BROKEN[what].encode()


def test_a_mirror_of_a_later_format_is_refused(alice, memory, fetch, tmp_path):
    memory.write(MARKER, b'{"format": 2}')
    with pytest.raises(InputError, match=r"mirror\.json .* its format is 2, not 1"):
        fetch(tmp_path / "fresh")


def test_checkpoints_of_two_voices_are_nobodys(alice, make, memory, send, fetch, tmp_path):
    memory.remove(MARKER)
    send(make.voice("other", [100], id="f" * 32)).safe(100).close()
    memory.write(MARKER, b"")
    with pytest.raises(InputError, match="is not a mirror's"):
        fetch(tmp_path / "fresh")
