"""What is fetched from a mirror that is damaged, or that a stranger has prepared."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.errors import EngineError, InputError
from engine.mirror.address import MARKER
from engine.mirror.layout import MANIFEST, encoded, read_index
from engine.mirror.restore import FetchOptions
from engine.mirror.restore import restore_from_mirror as restore
from engine.mirror.store import FileInfo, MirrorError, open_store
from engine.run.options import TrainOptions
from engine.voice.folder import Voice


def content(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def options(folder: Path, **more) -> TrainOptions:
    return TrainOptions(folder, mirror="memory://mirror", **more)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    alice, memory, fetching, reports, tmp_path
):
    newest = read_index(memory).checkpoints["text2mel"][0].key
    memory._files._files.pipe_file(f"{memory._root}/{newest}/weights.safetensors", b"x" * 1250)
    fresh = tmp_path / "fresh"
    restore(options(fresh), fetching)
    assert Voice.open(fresh).newest("text2mel").step == 100
    assert any("is damaged" in text and "using the one before" in text for text in reports)


def test_a_checkpoint_lacking_a_file_does_not_count(alice, memory, fetching, tmp_path):
    newest = read_index(memory).checkpoints["text2mel"][0].key
    memory._files._files.rm(f"{memory._root}/{newest}/state.json")
    restore(options(tmp_path / "one"), fetching)
    assert Voice.open(tmp_path / "one").newest("text2mel").step == 100
    memory._files._files.rm(f"{memory._root}/{newest}/{MANIFEST}")
    restore(options(tmp_path / "two"), fetching)
    assert Voice.open(tmp_path / "two").newest("text2mel").step == 100


def test_a_fetch_that_was_cut_off_continues(alice, memory, fetching, tmp_path, reports):
    fresh = tmp_path / "fresh"
    opened = []

    def cut_off(what, path):
        if what == "open" and path.endswith("weights.safetensors"):
            opened.append(path)
            if len(opened) == 2:
                raise ConnectionResetError("the line is dead")

    memory._files.before = cut_off
    restore(options(fresh), fetching)
    assert Voice.open(fresh).newest("text2mel").step == 200
    # The first network's weights were there already and are not fetched again.
    assert len(opened) == 3
    assert sum(text.startswith("waited") for text in reports) == 1


@pytest.fixture
def later(alice, memory, send) -> SimpleNamespace:
    """The mirror of alice after some more was paid and no checkpoint was made."""
    with (alice.folder / "spend.jsonl").open("a") as file:
        file.write('{"start": "c"}\n')
    send(alice, memory, sequence=3).uploader.finish(30)
    assert read_index(memory).latest is not None
    return alice


def test_the_spend_after_the_last_checkpoint_is_fetched(later, fetching, tmp_path):
    restore(options(tmp_path / "fresh"), fetching)
    ours = (tmp_path / "fresh" / "spend.jsonl").read_bytes()
    assert ours == (later.folder / "spend.jsonl").read_bytes()
    assert ours.endswith(b'{"start": "c"}\n')


def test_spend_of_another_machine_is_merged(later, fetching, reports):
    (later.folder / "spend.jsonl").write_text('{"start": "a"}\n{"start": "mine"}\n')
    restore(options(later.folder), fetching)
    lines = (later.folder / "spend.jsonl").read_text().splitlines()
    assert lines == [f'{{"start": "{what}"}}' for what in ("a", "b", "c", "mine")]
    before = content(later.folder)
    restore(options(later.folder), fetching)
    assert content(later.folder) == before


@pytest.mark.parametrize("what", ["latest.json", "its spend", "a spend without end"])
def test_a_damaged_spend_gives_way_to_the_last_checkpoints(
    later, memory, fetching, reports, tmp_path, what
):
    latest = read_index(memory).latest
    files, root = memory._files._files, memory._root
    if what == "latest.json":
        files.pipe_file(f"{root}/latest.json", encoded(latest)[:-20])
    elif what == "its spend":
        files.pipe_file(f"{root}/voice/{latest.names['spend.jsonl']}", b"x" * 48)
    else:
        marks = {**latest.voice_files, "spend.jsonl": FileInfo(2**39, "0" * 64)}
        files.pipe_file(f"{root}/latest.json", encoded(replace(latest, voice_files=marks)))
    restore(options(tmp_path / "fresh"), fetching)
    assert (tmp_path / "fresh" / "spend.jsonl").read_text() == '{"start": "a"}\n{"start": "b"}\n'
    assert (what == "latest.json") or any("spend.jsonl" in text for text in reports)


def test_damaged_settings_give_way_to_earlier_ones(alice, memory, fetching, reports, tmp_path):
    newest = max(read_index(memory).all, key=lambda manifest: manifest.sequence)
    memory._files._files.pipe_file(f"{memory._root}/{newest.key}/voice.toml", b"oops")
    restore(options(tmp_path / "fresh"), fetching)
    assert Voice.open(tmp_path / "fresh").settings == alice.settings
    assert any("voice.toml is not what was written" in text for text in reports)
    for manifest in read_index(memory).all:
        memory._files._files.pipe_file(f"{memory._root}/{manifest.key}/voice.toml", b"oops")
    with pytest.raises(InputError, match=r"has no intact voice\.toml"):
        restore(options(tmp_path / "other"), fetching)


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
    reports: list[str] = []
    restore(
        TrainOptions(strange.voice, mirror=str(strange.folder), **more),
        FetchOptions(reports.append),
    )
    return reports


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


def test_a_file_is_read_no_further_than_its_size(strange):
    with (strange.newest / "weights.safetensors").open("ab") as file:
        file.truncate(10**12)
    assert any("is damaged" in text for text in fetch(strange))
    assert Voice.open(strange.voice).newest("text2mel").step == 100


def test_a_fetch_larger_than_the_disk_is_not_begun(strange):
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


def test_nothing_else_in_a_mirror_is_fetched(strange):
    (strange.newest / "evil.py").write_text("import os")
    (strange.folder / "text2mel" / "step-000000999.pwned").mkdir()
    (strange.folder / "text2mel" / "..x").mkdir()
    fetch(strange)
    names = {path.name for path in strange.voice.rglob("*") if path.is_file()}
    assert names == {
        "voice.toml",
        "lock",
        "history.jsonl",
        "weights.safetensors",
        "state.json",
        "spend.jsonl",
    }


def test_a_fetched_voice_keeps_the_mirror_that_was_named(strange, make, send, address):
    # Its voice.toml says memory://mirror: a stranger's could say a place of their own.
    fetch(strange)
    assert Voice.open(strange.voice).settings.mirror == address


@pytest.mark.parametrize("text", ["[" * 10**5, "", "\x00"], ids=["deep", "empty", "zero"])
def test_an_invalid_marker_is_refused_and_not_overwritten(tmp_path, text):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / MARKER).write_text(text)
    with pytest.raises(InputError, match=r"mirror\.json .* is not a mirror's"):
        restore(TrainOptions(tmp_path / "in", mirror=str(mirror)), FetchOptions())
    assert (mirror / MARKER).read_text() == text


def test_a_mirror_of_a_later_format_is_refused(strange):
    (strange.folder / MARKER).write_text('{"format": 2}')
    with pytest.raises(InputError, match=r"mirror\.json .* its format is 2, not 1"):
        fetch(strange)
