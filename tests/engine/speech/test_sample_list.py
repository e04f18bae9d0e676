"""Samples in the snapshot and on disk, as they come, are heard and grow old."""

import json

import pytest

from engine.run.publisher import Publisher
from engine.run.sample import Sample
from engine.run.snapshot import Phase, Snapshot
from engine.speech.sample_list import SampleList
from engine.voice import samples as samples_module
from engine.voice.comparisons import Comparison, append_comparison
from engine.voice.samples import read_samples
from engine.voice.thinning import NEWEST


@pytest.fixture
def voice(make_voice):
    voice = make_voice(text2mel=None)
    voice.make_samples()
    history = voice.history("text2mel")
    history.parent.mkdir(exist_ok=True)
    losses = ((100 * i, 0.5 if i == 3 else 0.7) for i in range(1, 41))
    lines = (json.dumps({"step": step, "loss": 1.0, "held_out": loss}) for step, loss in losses)
    history.write_text("".join(f"{line}\n" for line in lines))
    return voice


def opened(voice):
    first = Snapshot(
        Phase.TRAINING, "voice", voice.folder, "text2mel", "small", "standard", sentences=("One.",)
    )
    publisher = Publisher(first)
    return SampleList(voice, publisher), publisher


def made(voice, step, **fields):
    path = voice.samples / f"text2mel-{step}.wav"
    path.write_bytes(b"RIFF")
    path.with_suffix(".png").write_bytes(b"PNG")
    fields = {"automatic": True, "time": 1.0 + step, **fields}
    return Sample(step, "One.", path, 1.0, "", **fields)


def test_old_samples_go_with_their_attention_and_the_list_stays_short(voice, monkeypatch):
    monkeypatch.setattr(samples_module, "_COMPACT_BYTES", 2_000)
    samples, publisher = opened(voice)
    samples.add(made(voice, 50, automatic=False, ssrn_step=7))
    samples.mark_heard("text2mel-50.wav")
    samples.write_marks()
    for i in range(1, 41):
        samples.add(made(voice, 100 * i))
        if i == 5:
            # Somebody may still be listening.
            samples.mark_heard("text2mel-500.wav")
            samples.write_marks()
        if i == 6:
            files = ("text2mel-600.wav", "text2mel-300.wav")
            answer = Comparison(1.0, "text2mel", 600, 300, "a", "One.", files)
            append_comparison(voice, answer)
    left = publisher.snapshot.samples
    steps = [one.step for one in left]
    assert steps[:5] == [50, 100, 300, 500, 600]
    assert steps[-NEWEST:] == list(range(3_300, 4_001, 100))
    assert len(steps) < 20
    names = {one.path.name for one in left}
    assert {path.name for path in voice.samples.glob("*.wav")} == names
    assert len(list(voice.samples.glob("*.png"))) == len(names)
    assert tuple(read_samples(voice)) == left
    assert [one.step for one in left if one.heard] == [50, 500]
    assert (voice.samples / "samples.jsonl").stat().st_size < 8_000
    _, publisher = opened(voice)
    assert publisher.snapshot.samples == left


def test_a_name_that_is_used_again_is_a_sample_of_its_own(voice):
    samples, _ = opened(voice)
    first, other = made(voice, 100), made(voice, 200)
    samples.add(first)
    samples.add(other)
    first.path.unlink()
    again = made(voice, 100, time=500.0)
    samples.add(again)
    assert read_samples(voice) == [other, again]
