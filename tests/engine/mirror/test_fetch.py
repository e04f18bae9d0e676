"""What is fetched from a mirror that is damaged, or that a stranger has prepared."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.errors import EngineError, InputError
from engine.mirror.fetch import FetchOptions
from engine.mirror.layout import MANIFEST, encoded, read_index
from engine.mirror.restore import restore_from_mirror
from engine.mirror.store import FileInfo, MirrorError, open_store
from engine.run.options import TrainOptions
from engine.voice.folder import Voice


@pytest.mark.parametrize("what", ["changed", "without state.json", "without a manifest"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    alice, memory, fetch, reports, tmp_path, what
):
    newest = read_index(memory).checkpoints["text2mel"][0].key
    if what == "changed":
        memory.write(f"{newest}/weights.safetensors", b"x" * 1250)
    else:
        memory.remove(f"{newest}/{'state.json' if 'state' in what else MANIFEST}")
    fetch(tmp_path / "fresh")
    assert Voice.open(tmp_path / "fresh").newest("text2mel").step == 100
    told = any("is damaged" in text and "using the one before" in text for text in reports)
    assert told == (what != "without a manifest")


def test_a_fetch_that_was_cut_off_continues(alice, memory, fetch, tmp_path, reports):
    opened = []

    def cut_off(what, path):
        if what == "open" and path.endswith("weights.safetensors"):
            opened.append(path)
            if len(opened) == 2:
                raise ConnectionResetError("the line is dead")

    memory._files.before = cut_off
    fetch(tmp_path / "fresh")
    assert Voice.open(tmp_path / "fresh").newest("text2mel").step == 200
    # The first network's weights were there already and are not fetched again.
    assert len(opened) == 3
    assert sum(text.startswith("waited") for text in reports) == 1


@pytest.fixture
def later(alice, make, memory, send) -> Voice:
    """Alice after some more was paid and no checkpoint was made, of which the mirror has all."""
    make.pay(alice, "c")
    assert send(alice, sequence=3).uploader.finish(30)
    assert read_index(memory).latest is not None
    return alice


def test_the_spend_of_both_machines_is_kept(later, make, fetch, content, tmp_path):
    fetch(tmp_path / "fresh")
    spend = later.folder / "spend.jsonl"
    assert (tmp_path / "fresh" / "spend.jsonl").read_bytes() == spend.read_bytes()
    spend.unlink()
    make.pay(later, "a", "mine")
    fetch(later.folder)
    lines = spend.read_text().splitlines()
    assert lines == [f'{{"start": "{what}"}}' for what in ("a", "b", "c", "mine")]
    before = content(later.folder)
    fetch(later.folder)
    assert content(later.folder) == before


@pytest.mark.parametrize("what", ["latest.json", "its spend", "a spend without end"])
def test_a_damaged_spend_gives_way_to_the_last_checkpoints(
    later, memory, fetch, reports, tmp_path, what
):
    latest = read_index(memory).latest
    if what == "latest.json":
        memory.write("latest.json", encoded(latest)[:-20])
    elif what == "its spend":
        memory.write(f"voice/{latest.names['spend.jsonl']}", b"x" * 48)
    else:
        marks = {**latest.voice_files, "spend.jsonl": FileInfo(2**39, "0" * 64)}
        memory.write("latest.json", encoded(replace(latest, voice_files=marks)))
    fetch(tmp_path / "fresh")
    assert (tmp_path / "fresh" / "spend.jsonl").read_text() == '{"start": "a"}\n{"start": "b"}\n'
    assert (what == "latest.json") or any("spend.jsonl" in text for text in reports)


def test_damaged_settings_give_way_to_earlier_ones(alice, memory, fetch, reports, tmp_path):
    last_sent, *others = read_index(memory).all
    memory.write(f"{last_sent.key}/voice.toml", b"oops")
    fetch(tmp_path / "fresh")
    assert Voice.open(tmp_path / "fresh").settings == alice.settings
    assert any("voice.toml is not what was written" in text for text in reports)
    for manifest in others:
        memory.write(f"{manifest.key}/voice.toml", b"oops")
    with pytest.raises(InputError, match=r"has no intact voice\.toml"):
        fetch(tmp_path / "other")


# What a stranger may have put into a mirror.


@pytest.fixture
def strange(make, address, send) -> SimpleNamespace:
    """A mirror in a folder that a stranger could change, and where its voice is fetched."""
    voice = make.voice(steps=[100, 200])
    make.pay(voice, "a")
    store = open_store(address)
    send(voice, store).safe(200).close()
    newest = read_index(store).checkpoints["text2mel"][0]
    folder, into = Path(address), voice.folder.with_name("in")
    weights = folder / newest.key / "weights.safetensors"

    def fetch() -> list[str]:
        reports: list[str] = []
        restore_from_mirror(TrainOptions(into, mirror=address), FetchOptions(reports.append))
        return reports

    return SimpleNamespace(folder=folder, manifest=newest, weights=weights, voice=into, fetch=fetch)


def test_links_out_of_a_mirror_are_not_followed(strange, tmp_path):
    secret = strange.weights.rename(tmp_path / "secret")
    strange.weights.symlink_to(secret)
    with pytest.raises(MirrorError, match="a link that leads out of the mirror"):
        strange.fetch()


def test_a_pipe_in_a_mirror_is_not_waited_for(strange):
    strange.weights.unlink()
    os.mkfifo(strange.weights)
    with pytest.raises(MirrorError, match="not a plain file"):
        strange.fetch()


def test_a_file_is_read_no_further_than_its_size(strange):
    os.truncate(strange.weights, 10**12)
    assert any("is damaged" in text for text in strange.fetch())
    assert Voice.open(strange.voice).newest("text2mel").step == 100


def test_a_fetch_larger_than_the_disk_is_not_begun(strange):
    files = {**strange.manifest.files, "optimizer.safetensors": FileInfo(2**40, "0" * 64)}
    huge = replace(strange.manifest, sequence=99, files=files)
    shutil.copytree(strange.weights.parent, strange.folder / huge.key)
    (strange.folder / huge.key / MANIFEST).write_bytes(encoded(huge))
    with pytest.raises(EngineError, match=r"fetching text2mel needs .* free"):
        strange.fetch()


def test_nothing_else_in_a_mirror_is_fetched(strange, address):
    strange.weights.with_name("evil.py").write_text("import os")
    (strange.folder / "text2mel" / "step-000000999.pwned").mkdir()
    (strange.folder / "text2mel" / "..x").mkdir()
    strange.fetch()
    names = {path.name for path in strange.voice.rglob("*") if path.is_file()}
    assert names == {"voice.toml", "lock", "history.jsonl", "spend.jsonl",
                     "weights.safetensors", "state.json"}  # fmt: skip
    # Its voice.toml says memory://mirror: a stranger's could say a place of their own.
    assert Voice.open(strange.voice).settings.mirror == address


def test_the_best_stays_in_the_mirror_and_is_fetched_with_the_newest(
    make, memory, send, fetch, steps, tmp_path
):
    voice = make.voice(steps=[100], keep_newest=2, keep_every=10_000)
    run = send(voice).safe(100)
    for step, loss in ((200, 0.1), (300, 0.5), (400, 0.5), (500, 0.5)):
        with voice.history("text2mel").open("a") as file:
            file.write(f'{{"step":{step},"loss":1.0,"held_out":{loss}}}\n')
        make.save(voice, step)
        run.safe(step)
    run.uploader.finish(30)
    assert steps() == [200, 400, 500]
    fetch(tmp_path / "fresh")
    fresh = Voice.open(tmp_path / "fresh")
    assert [one.step for one in fresh.checkpoints("text2mel")] == [200, 500]
