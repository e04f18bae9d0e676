"""The cache of a corpus: made once, reused, rebuilt when it must be, never half there."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from paths import SPEECH

from engine.data.audio import AudioSpec, load_recording
from engine.data.clips import Corpus, Limits, scan_corpus, usable_clips
from engine.data.features import FeatureStore
from engine.data.spectrograms import analyse
from engine.errors import Cancelled, EngineError, InputError
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

BBC = Vocabulary(BBC_SYMBOLS)
AUDIO = AudioSpec()


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Real speech that a test may change."""
    return Path(shutil.copytree(SPEECH, tmp_path / "dataset"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    voice = tmp_path / "voice"
    voice.mkdir()
    return voice / "features"


class Progress:
    """Collects progress, and asks to cancel when so much is done."""

    def __init__(self, cancel_at: int | None = None) -> None:
        self.calls: list[tuple[int, int]] = []
        self.cancel_at = cancel_at

    def __call__(self, done: int, total: int) -> None:
        self.calls.append((done, total))

    def cancelled(self) -> bool:
        return self.cancel_at is not None and self.calls[-1][0] >= self.cancel_at

    @property
    def analysed(self) -> bool:
        """Whether clips were worked through one by one, not found in the cache."""
        return [done for done, _ in self.calls] == list(range(self.calls[-1][1] + 1))


def corpus_in(dataset: Path, limits: Limits | None = None) -> Corpus:
    return usable_clips(scan_corpus(dataset), BBC, limits or Limits())


def opened(
    dataset: Path,
    folder: Path,
    progress: Progress | None = None,
    limits: Limits | None = None,
    audio: AudioSpec = AUDIO,
    **more: Any,
) -> FeatureStore:
    progress = progress or Progress()
    return FeatureStore.open(
        corpus_in(dataset, limits),
        audio,
        limits or Limits(),
        folder,
        on_progress=progress,
        cancelled=progress.cancelled,
        **more,
    )


def was_analysed(dataset: Path, folder: Path) -> bool:
    progress = Progress()
    opened(dataset, folder, progress)
    return progress.analysed


def test_store_holds_each_clips_features(dataset: Path, folder: Path) -> None:
    store = opened(dataset, folder)
    assert [clip.line for clip in store.clips] == [1, 2, 3]
    assert store.rejected == ()
    assert store.audio == AUDIO
    for i, clip in enumerate(store.clips):
        mel, magnitude = analyse(load_recording(clip.path, 22_050), AUDIO)
        assert store.coarse_frames(i) == len(mel) // 4
        assert store.coarse_mel(i).dtype == store.magnitude(i).dtype == np.float16
        np.testing.assert_array_equal(store.mel(i), mel.astype(np.float16))
        np.testing.assert_array_equal(store.coarse_mel(i), store.mel(i)[::4])
        np.testing.assert_array_equal(store.magnitude(i), magnitude.astype(np.float16))
        with pytest.raises(ValueError, match="read-only"):
            store.magnitude(i)[0, 0] = 1


def test_each_recording_is_opened_once_and_then_not_at_all(
    dataset: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens: list[str] = []
    path_open = Path.open

    def count(path: Path, *mode: Any, **more: Any) -> Any:
        if path.is_relative_to(dataset):
            opens.append(path.stem)
        return path_open(path, *mode, **more)

    monkeypatch.setattr(Path, "open", count)
    for expected in (["LJ001-0002", "LJ001-0008", "LJ001-0013"], []):
        opens.clear()
        progress = Progress()
        opened(dataset, folder, progress)
        assert sorted(name for name in opens if name != "metadata") == expected
        assert progress.analysed == bool(expected)
        assert progress.calls[-1] == (3, 3)


def test_unchanged_recordings_are_not_read_again(dataset: Path, folder: Path) -> None:
    opened(dataset, folder)
    clip = dataset / "wavs" / "LJ001-0008.flac"
    before = clip.stat()
    # Same size and time, another content: only reading the file could tell.
    content = bytearray(clip.read_bytes())
    content[-100] ^= 0xFF
    clip.write_bytes(content)
    os.utime(clip, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not was_analysed(dataset, folder)
    (folder / "recordings.json").unlink()
    assert was_analysed(dataset, folder)


def test_moved_or_touched_corpus_keeps_the_cache(
    dataset: Path, folder: Path, tmp_path: Path
) -> None:
    opened(dataset, folder)
    os.utime(dataset / "wavs" / "LJ001-0008.flac", (1, 1))
    assert not was_analysed(dataset, folder)
    moved = dataset.rename(tmp_path / "moved")
    store = opened(moved, folder)
    assert not was_analysed(moved, folder)
    assert store.clips[0].path.parent == moved / "wavs"


def test_another_transcript_keeps_the_cache(dataset: Path, folder: Path) -> None:
    opened(dataset, folder)
    metadata = dataset / "metadata.csv"
    metadata.write_text("\n" + metadata.read_text().replace("never", "ever"))
    store = opened(dataset, folder)
    assert not was_analysed(dataset, folder)
    assert store.clips[1].text == "has ever been surpassed."
    assert store.clips[1].line == 3


def test_another_recording_replaces_the_cache(dataset: Path, folder: Path) -> None:
    first = opened(dataset, folder)
    shutil.copy(dataset / "wavs" / "LJ001-0002.flac", dataset / "wavs" / "LJ001-0008.flac")
    progress = Progress()
    second = opened(dataset, folder, progress)
    assert progress.analysed
    assert second.key != first.key
    np.testing.assert_array_equal(second.magnitude(1), second.magnitude(0))
    assert {path.stem for path in folder.glob("*.features")} == {second.key}
    assert not (folder / f"{first.key}.json").exists()


def test_another_spec_limit_or_order_makes_another_cache(dataset: Path, folder: Path) -> None:
    spec = AudioSpec(reduction=2, n_mels=40)
    metadata = dataset / "metadata.csv"
    keys = {
        opened(dataset, folder).key,
        opened(dataset, folder, limits=Limits(max_coarse_frames=200)).key,
        opened(dataset, folder, audio=spec).key,
    }
    store = opened(dataset, folder, audio=spec)
    assert store.coarse_mel(0).shape == (store.coarse_frames(0), 40)
    assert store.magnitude(0).shape == (store.coarse_frames(0) * 2, 1_025)
    metadata.write_text("\n".join(reversed(metadata.read_text().splitlines())))
    keys.add(opened(dataset, folder).key)
    assert len(keys) == 4


def test_file_does_not_depend_on_the_order_of_threads(
    dataset: Path, folder: Path, tmp_path: Path
) -> None:
    lines = []
    rng = np.random.default_rng(3)
    for i in range(24):
        noise = 0.1 * rng.standard_normal(rng.integers(1_000, 40_000))
        soundfile.write(dataset / "wavs" / f"n{i}.wav", noise, 22_050)
        lines.append(f"n{i}|noise")
    (dataset / "metadata.csv").write_text("\n".join(lines))
    stores = [opened(dataset, place) for place in (folder, tmp_path / "other")]
    assert [clip.clip_id for clip in stores[0].clips] == [f"n{i}" for i in range(24)]
    files = [next(place.glob("*.features")).read_bytes() for place in (folder, tmp_path / "other")]
    assert files[0] == files[1]


@pytest.mark.parametrize("done", [0, 2])
def test_cancelling_leaves_nothing_half_made(dataset: Path, folder: Path, done: int) -> None:
    with pytest.raises(Cancelled):
        opened(dataset, folder, Progress(cancel_at=done))
    assert {path.name for path in folder.iterdir()} <= {"recordings.json"}
    assert was_analysed(dataset, folder)


def damage_index(index: Path, features: Path) -> None:
    content = json.loads(index.read_text())
    content["entries"][0]["frames"] += 4
    content["entries"][1]["frames"] -= 4
    index.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "damage",
    [
        damage_index,
        lambda index, features: os.truncate(features, features.stat().st_size - 2),
        lambda index, features: features.unlink(),
        lambda index, features: index.write_bytes(b'["not", "an", "index"]'),
    ],
    ids=["index", "cut", "lost", "no index"],
)
def test_damaged_cache_is_computed_again(dataset: Path, folder: Path, damage) -> None:
    store = opened(dataset, folder)
    good = (folder / f"{store.key}.features").read_bytes()
    damage(folder / f"{store.key}.json", folder / f"{store.key}.features")
    assert was_analysed(dataset, folder)
    assert not was_analysed(dataset, folder)
    assert (folder / f"{store.key}.features").read_bytes() == good


def test_clips_that_fail_in_analysis_are_rejected(dataset: Path, folder: Path) -> None:
    wavs = dataset / "wavs"
    soundfile.write(wavs / "silent.wav", np.zeros(22_050), 22_050)
    content = (wavs / "LJ001-0008.flac").read_bytes()
    (wavs / "cut.flac").write_bytes(content[: len(content) // 2])
    rate = 22_050
    tone = 0.3 * np.sin(2 * np.pi * 300 * np.arange(11 * rate) / rate)
    soundfile.write(wavs / "long.wav", tone, rate)
    soundfile.write(wavs / "endless.wav", np.tile(tone, 6), rate)
    quiet = np.zeros(rate)
    soundfile.write(wavs / "padded.wav", np.concatenate([quiet, tone[: 9 * rate], quiet]), rate)
    with (dataset / "metadata.csv").open("a") as file:
        file.write("\n\nsilent|text\ncut|text\nlong|text\nendless|text\npadded|text\n")
    for _ in range(2):  # from analysis, then from the cache
        store = opened(dataset, folder)
        assert [clip.line for clip in store.clips] == [1, 2, 3, 10]
        assert [(bad.line, bad.clip_id) for bad in store.rejected] == [
            (6, "silent"), (7, "cut"), (8, "long"), (9, "endless")
        ]  # fmt: skip
        silent, cut, long, endless = (bad.reason for bad in store.rejected)
        assert silent == "is silent"
        assert "cut.flac cannot be read" in cut
        assert long == "is 11.0 s long; the limit is 10.5 s"
        assert endless == "is 66.0 s long; the limit is 10.5 s"


def test_nothing_usable_is_an_error(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "wavs").mkdir()
    soundfile.write(tmp_path / "wavs" / "a.wav", np.zeros(22_050), 22_050)
    (tmp_path / "metadata.csv").write_text("a|text")
    for _ in range(2):
        with pytest.raises(InputError, match="none of its 1 recordings can be used; a is silent"):
            opened(tmp_path, folder)


def test_unwritable_folder_is_named(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EngineError, match="cannot be written to"):
        opened(dataset, tmp_path / "file" / "features")


def test_leftovers_of_killed_processes_are_removed(dataset: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    pid = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(pid, 0)
    (folder / f"abc.features.{pid}.part").write_bytes(b"half")
    (folder / f"abc.features.{os.getppid()}.part").write_bytes(b"still being written")
    (folder / "notes.part").write_text("not ours")
    opened(dataset, folder)
    assert {path.name for path in folder.glob("*.part")} == {
        f"abc.features.{os.getppid()}.part",
        "notes.part",
    }


@pytest.mark.parametrize("what", ["mel", "magnitude"])
def test_changed_number_is_detected(dataset: Path, folder: Path, what: str) -> None:
    sound = opened(dataset, folder)
    path = folder / f"{sound.key}.features"
    content = bytearray(path.read_bytes())
    place = 20_000 if what == "magnitude" else len(content) - 500
    content[place] ^= 1
    path.write_bytes(content)
    reports: list[str] = []
    # Text2Mel reads mels alone.
    opened(dataset, folder, magnitudes=False, on_damage=reports.append)
    assert len(reports) == (what == "mel")
    store = opened(dataset, folder, on_damage=reports.append)
    assert len(reports) == 1
    assert f"{path} is damaged" in reports[0]
    content[place] ^= 1
    assert path.read_bytes() == content
    assert len(store.clips) == 3
    opened(dataset, folder, on_damage=reports.append)
    assert len(reports) == 1


@pytest.mark.parametrize("place", [20_000, -20_000])
def test_features_of_many_hours_are_verified_once(dataset, folder, monkeypatch, place) -> None:
    monkeypatch.setattr("engine.data.features._MANY_BYTES", 0)
    path = folder / f"{opened(dataset, folder).key}.features"
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    before = path.stat().st_mtime_ns
    path.write_bytes(content)
    os.utime(path, ns=(before, before))
    assert not was_analysed(dataset, folder)
    os.utime(path, ns=(before, before + 1))
    # Text2Mel reads no magnitudes, and does not take them for verified.
    reports: list[str] = []
    opened(dataset, folder, magnitudes=False, on_damage=reports.append)
    in_magnitudes = place > 0
    assert len(reports) == (not in_magnitudes)
    assert was_analysed(dataset, folder) == in_magnitudes
    assert not was_analysed(dataset, folder)


def test_verification_can_be_cancelled(dataset: Path, folder: Path) -> None:
    opened(dataset, folder)
    asked: list[bool] = []

    def cancelled() -> bool:
        asked.append(True)
        # The recordings are hashed first, which asks once for each, and once after them.
        return len(asked) > 4

    with pytest.raises(Cancelled, match="not completed"):
        FeatureStore.open(
            corpus_in(dataset), AUDIO, Limits(), folder, on_progress=Progress(), cancelled=cancelled
        )


def test_damaged_hashes_do_not_make_another_corpus(dataset: Path, folder: Path) -> None:
    before = opened(dataset, folder)
    record = folder / "recordings.json"
    good = record.read_bytes()
    for place in (0.2, 0.5, 0.9):
        content = bytearray(good)
        content[int(place * len(content))] ^= 1
        record.write_bytes(content)
        after = opened(dataset, folder)
        assert (after.key, after.content.key) == (before.key, before.content.key)
        assert record.read_bytes() == good


def test_old_features_that_cannot_be_removed_are_named(dataset, folder, monkeypatch):
    opened(dataset, folder)
    [old] = folder.glob("*.features")
    unlink, told = Path.unlink, []

    def refuse(path, **more):
        if path == old:
            raise PermissionError(1, "Operation not permitted")
        unlink(path, **more)

    monkeypatch.setattr(Path, "unlink", refuse)
    store = opened(dataset, folder, audio=AudioSpec(trim_db=40), on_damage=told.append)
    assert len(store.clips) == 3
    [sentence] = told
    assert f"{old} (Operation not permitted)" in sentence
