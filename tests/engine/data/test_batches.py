"""Batches: functions of seed and step, each clip once an epoch, mel and magnitude in step."""

import threading
from collections import Counter

import numpy as np
import pytest
import torch

from engine.data.batches import BatchSource, Prefetcher
from engine.data.clips import Limits, scan_corpus, usable_clips
from engine.data.features import FeatureStore
from engine.data.frames import Frames
from engine.evaluation.losses import split
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

VOCABULARY = Vocabulary(BBC_SYMBOLS)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def store(tones, small_audio, tmp_path_factory):
    corpus = usable_clips(scan_corpus(tones), VOCABULARY, Limits())
    return FeatureStore.open(
        corpus,
        small_audio,
        Limits(),
        tmp_path_factory.mktemp("features"),
        on_progress=lambda done, total: None,
        cancelled=lambda: False,
    )


def source(store, **changes):
    settings = {"magnitudes": False, "batch_size": 4, "seed": 1} | changes
    clips = settings.pop("clips", range(len(store.clips)))
    texts = {clip: VOCABULARY.indices(store.clips[clip].text) for clip in clips}
    return BatchSource(store, texts, **settings)


def same(one, other):
    """Whether batches are the same on the device, to the bit."""
    one, other = vars(one.to(CPU)), vars(other.to(CPU))
    given = {name: tensor for name, tensor in one.items() if tensor is not None}
    return all(
        torch.equal(tensor, other[name]) and tensor.dtype == other[name].dtype
        for name, tensor in given.items()
    ) and given.keys() == {name for name, tensor in other.items() if tensor is not None}


def names(batch):
    """What tells the clips of a batch: the sounds have lengths of their own."""
    return sorted(batch.text_lengths.tolist())


@pytest.mark.slow
def test_batch_depends_on_seed_and_step_alone(store):
    one, other = source(store), source(store)
    for step in (3, 1, 40, 855_000):
        assert same(one.batch(step), other.batch(step))
    for step in (1, 40):
        assert same(one.batch(step), source(store).batch(step))
    assert [names(one.batch(s)) for s in range(1, 6)] != [
        names(source(store, seed=2).batch(s)) for s in range(1, 6)
    ]
    small = source(store, clips=[3, 5], batch_size=16)
    assert (small.batches_per_epoch, len(small.batch(1).text)) == (1, 2)


@pytest.mark.slow
def test_an_epoch_has_each_clip_at_most_once(store):
    batches = source(store)
    count = batches.batches_per_epoch
    assert count == len(store.clips) // 4
    orders = []
    for epoch in range(3):
        steps = range(1 + epoch * count, 1 + (epoch + 1) * count)
        seen = Counter(length for step in steps for length in names(batches.batch(step)))
        assert set(seen.values()) == {1}
        assert len(seen) == count * 4
        orders.append([names(batches.batch(step)) for step in steps])
    assert orders[0] != orders[1] != orders[2]


def test_clips_of_like_length_share_a_batch(store):
    batches = source(store)
    padded = sum(
        (batch.frame_lengths.max() - batch.frame_lengths).sum().item()
        for batch in (batches.batch(step) for step in range(1, 50))
    )
    rng = np.random.default_rng(0)
    lengths = np.array([store.coarse_frames(i) for i in range(len(store.clips))])
    by_chance = sum(
        (chosen.max() - chosen).sum()
        for chosen in (rng.choice(lengths, 4, replace=False) for _ in range(49))
    )
    assert padded < by_chance / 3


def test_padding_is_zero_and_the_rest_is_the_clip(store):
    clips = [0, 9, 20]
    batch = source(store, magnitudes=True).gather(np.array(clips))
    for row, clip in enumerate(clips):
        text = VOCABULARY.encode(store.clips[clip].text)
        frames = store.coarse_frames(clip)
        assert batch.text[row, : len(text)].tolist() == text
        assert not batch.text[row, len(text) :].any()
        assert batch.text_lengths[row] == len(text)
        assert batch.frame_lengths[row] == frames
        np.testing.assert_array_equal(batch.mel[row, :frames], store.coarse_mel(clip))
        np.testing.assert_array_equal(batch.magnitude[row, : 4 * frames], store.magnitude(clip))
        assert not batch.mel[row, frames:].any()
        assert not batch.magnitude[row, 4 * frames :].any()


@pytest.mark.parametrize(
    "settings",
    [{}, {"tempo": 0.2}, {"magnitudes": True}, {"magnitudes": True, "crop_frames": 8}],
)
def test_batches_gathered_on_the_device_are_the_same(store, monkeypatch, settings):
    # As after clips were left out: their features stay in the file.
    fewer = store.without([store.clips[2].clip_id])
    host, device = source(fewer, **settings), source(fewer, **settings)
    device.keep_on(CPU)
    assert device.resident is None
    monkeypatch.setattr("engine.data.batches.spare_memory", lambda device: 2**30)
    monkeypatch.setattr("engine.data.resident._PIECE", 2**14)
    device.keep_on(CPU)
    for step in (1, 2, 40):
        places = device.batch(step)
        assert places.mel.dtype == torch.int64
        assert places.magnitude is None
        assert same(places, host.batch(step))
        assert places.to(CPU).mel.dtype == torch.float32
    for (_, one), (_, other) in zip(
        split(device.batch(3), 3), split(host.batch(3), 3), strict=True
    ):
        assert same(one, other)

    def refuse(*given, **settings):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("engine.data.batches.ResidentFrames", refuse)
    again = source(fewer, **settings)
    again.keep_on(CPU)
    assert same(again.batch(1), host.batch(1))


@pytest.mark.slow
def test_crops_match_in_mel_and_magnitude(store):
    batches = source(store, magnitudes=True, crop_frames=8)
    starts = set()
    for step in range(1, 12):
        batch = batches.batch(step)
        assert batch.mel.shape[1] <= 8
        assert batch.magnitude.shape[1] == 4 * batch.mel.shape[1]
        for row in range(4):
            length = int(batch.frame_lengths[row])
            mel = batch.mel[row, :length].numpy().astype(np.float16)
            places = [
                (clip, at)
                for clip in range(len(store.clips))
                for at in range(4 * (store.coarse_frames(clip) - length) + 1)
                if np.array_equal(store.mel(clip)[at : at + 4 * length : 4], mel)
            ]
            assert places
            assert any(
                np.array_equal(
                    store.magnitude(clip)[at : at + 4 * length],
                    batch.magnitude[row, : 4 * length],
                )
                for clip, at in places
            )
            starts.update(places)
    assert len({at % 4 for _, at in starts}) == 4
    assert len({at for _, at in starts}) > 10
    again = source(store, magnitudes=True, crop_frames=8)
    assert same(again.batch(7), batches.batch(7))


def test_batches_come_faster_and_slower(small_audio, tmp_path):
    ends = np.array([0, 60, 140, 240, 360, 364])
    noise = np.random.default_rng(1).random(364 * (small_audio.n_bins + small_audio.n_mels))
    noise.astype(np.float16).tofile(tmp_path / "noise.features")
    spans = np.stack([ends[:-1], ends[1:]], axis=1)
    frames = Frames(tmp_path / "noise.features", small_audio, 364, spans)

    def batch_source():
        texts = {clip: [2] * (1 + clip) for clip in range(5)}
        return BatchSource(frames, texts, magnitudes=False, batch_size=5, tempo=0.2, seed=1)

    batches, clip, paces, firsts = batch_source(), 3, [], set()
    longest = batches.longest().frame_lengths.max()
    assert longest == np.ceil((120 - 3) / (4 * 0.8))
    for step in range(1, 200):
        batch = batches.batch(step)
        assert batch.frame_lengths.max() <= longest  # the memory was tried for that
        assert batch.frame_lengths.min() == 1  # the shortest clip is a single frame
        row = batch.text_lengths.tolist().index(1 + clip)
        mel = batch.mel[row, : batch.frame_lengths[row]].numpy()
        found = [int(np.flatnonzero((frames.mel(clip) == one).all(axis=1))[0]) for one in mel]
        gaps = np.diff(found)
        assert gaps.max() - gaps.min() <= 1
        assert 120 - 2 * 4 <= found[-1] <= 120 - 4
        paces.append(gaps.mean() / 4)
        firsts.add(found[0])
    # The longest clip, too, is as often slower as it is faster.
    assert 0.79 < min(paces) < 0.82
    assert 1.18 < max(paces) < 1.21
    assert abs(np.mean(paces) - 1) < 0.03
    assert firsts == {0, 1, 2, 3}
    assert same(batches.batch(3), batch_source().batch(3))
    # What is evaluated is as it was spoken.
    whole = batches.gather(np.array([clip]))
    np.testing.assert_array_equal(whole.mel[0], frames.coarse_mel(clip))


def test_restart_at_another_step_and_salt(store):
    salted = source(store)
    salted.reseed(5)
    with Prefetcher(source(store), CPU) as ahead:
        plain = source(store)
        for first, salt, expected in ((3, 0, plain), (40, 5, salted), (1, 0, plain)):
            for step in range(first, first + 7):
                assert same(ahead.next(step, salt), expected.batch(step))


def test_unpinned_memory_is_logged_once(store, monkeypatch, caplog):
    def refuse(tensor):
        raise RuntimeError("no memory may be pinned here")

    monkeypatch.setattr(torch.Tensor, "pin_memory", refuse)
    caplog.set_level("INFO")
    batches = source(store)
    with Prefetcher(batches, torch.device("cuda")) as ahead:
        for step in range(1, 6):
            assert same(ahead.next(step), source(store).batch(step))
    assert caplog.text.count("no memory may be pinned here") == 1


def test_failing_batch_raises_in_its_turn(store):
    batches = source(store)
    make = batches.batch

    def fail_at_three(step):
        if step == 3:
            raise OSError("the disk is gone")
        return make(step)

    batches.batch = fail_at_three
    with Prefetcher(batches, CPU) as ahead:
        ahead.next(1)
        ahead.next(2)
        with pytest.raises(OSError, match="the disk is gone"):
            ahead.next(3)


@pytest.mark.parametrize("taken", [0, 7])
def test_closing_ends_the_thread(store, taken):
    with Prefetcher(source(store), CPU) as ahead:
        for step in range(1, taken + 1):
            ahead.next(step)
    assert "batches" not in {thread.name for thread in threading.enumerate()}
