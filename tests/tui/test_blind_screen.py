"""What `m` and `b` do: two checkpoints heard without knowing which is which."""

import time
import wave
from dataclasses import replace

import numpy as np
import pytest
from fake_session import training
from seeing import opened

from engine.run.commands import Audition
from engine.run.sample import KeptCheckpoint, Sample
from engine.run.snapshot import Phase
from engine.speech.growing import write_wav
from engine.voice.comparisons import read_comparisons
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings

pytestmark = pytest.mark.slow

RATE = 16_000
KEPT = tuple(KeptCheckpoint("text2mel", step) for step in (865_000, 870_000, 871_000))


@pytest.fixture
def voice(tmp_path):
    voice = Voice.create(tmp_path / "voice", VoiceSettings(tmp_path / "corpus"))
    voice.make_samples()
    return voice


def paused(voice, **fields):
    return training(
        phase=Phase.PAUSED, voice_folder=voice.folder, sentences=("Two birds.", "One flew."),
        checkpoints=KEPT, samples=(), **fields,
    )  # fmt: skip


async def speak(run, voice):
    """Speak what was asked for: the later the step, the longer."""
    asked = [one for one in run.sent if isinstance(one, Audition)]
    run.sent.clear()
    samples = []
    for one in asked:
        path = voice.samples / f"text2mel-{one.step}_{len(run.samples) + len(samples)}.wav"
        seconds = 2 if one.step == 871_000 else 1
        write_wav(path, np.sin(np.arange(seconds * RATE) / 9).astype(np.float32) / 3, RATE)
        now = time.time()
        samples.append(Sample(one.step, one.sentence, path, 1.0, "", time=now, for_comparison=True))
    await run.change(samples=(*run.samples, *samples), auditions=len(run.samples) + len(samples))


async def next_pair(run, voice):
    """Wait for the sounds of a pair, speaking what it takes; return which is the longer one."""
    while "is being spoken" in run.text or "play A" not in run.text:
        if run.sent:
            await speak(run, voice)
        await run.look()
    before = len(run.played)
    await run.press("a", "b")
    lengths = []
    for path in run.played[before:]:
        assert "7" not in path.name
        with wave.open(str(path)) as file:
            sound = np.frombuffer(file.readframes(10**6), "<i2")
        lengths.append(int(np.flatnonzero(sound)[-1]))
    assert run.text.count("heard") + run.text.count("playing") == 2
    return "1" if lengths[0] > lengths[1] else "2"


async def test_two_checkpoints_are_compared_until_decided(voice):
    two = replace(paused(voice), checkpoints=(KEPT[0], KEPT[2]))
    async with opened(two, size=(40, 15)) as run:
        await run.press("b")
        for number in range(6):
            better = await next_pair(run, voice)
            told = "no answers yet" if not number else f"{number} answer"
            assert told in run.text
            assert "871" not in str(run.app.screen.query_one(".dialog Static").content)
            assert "esc ends" in run.text
            await run.press(better)
            told = f"{number + 1} answer" if number < 5 else "wins"
            await run.until(lambda told=told: told in run.text)
        assert "871,000 wins: better than 865,000 in 6 of 6 answers" in run.words
        assert "A was 8" in run.words
        await run.press("enter")
        await next_pair(run, voice)
        await run.press("escape")
        assert run.at_home
        assert "comparison: 871,000 wins" in run.notes + run.log
    assert len(read_comparisons(voice)) == 6


async def test_marked_checkpoints_are_compared(voice):
    async with opened(paused(voice)) as run:
        await run.press("m")
        assert "marked: 871,000; mark another" in run.notes + run.log
        await run.press("down", "down", "m")
        assert "marked: 865,000 and 871,000; b compares them" in run.notes + run.log
        await run.press("b")
        await run.until(lambda: len(run.sent) == 2)
        assert {one.step for one in run.sent} == {865_000, 871_000}
        await run.press("escape", "m", "b")
        await run.until(lambda: len(run.sent) == 4)
        await run.until(lambda: run.text.count("marked") == 1)
        assert {one.step for one in run.sent[2:]} <= {one.step for one in KEPT}


async def test_an_answer_counts_once_both_were_heard(voice):
    sample = Sample(865_000, "Two birds.", voice.samples / "a.wav", 1.0, "", time=9.0)
    write_wav(sample.path, np.ones(RATE, np.float32) / 3, RATE)
    other = replace(sample, step=871_000)
    snapshot = replace(paused(voice), samples=(sample, other), sentences=("Two birds.",))
    snapshot = replace(snapshot, checkpoints=(KEPT[0], KEPT[2]))
    async with opened(snapshot, no_sound="no sound card") as run:
        await run.press("b")
        await run.until(lambda: "play A" in run.text and "is being spoken" not in run.text)
        await run.press("1", "a", "2")
        assert "listen to both first" in run.text
        # Where nothing can be played, the line that does is copied.
        await run.press("y")
        await run.until(lambda: run.app.clipboard)
        assert "a.wav" in run.app.clipboard
        assert "871" not in run.app.clipboard
        assert not read_comparisons(voice)
        await run.press("b", "0")
        await run.until(lambda: read_comparisons(voice))


async def test_why_nothing_can_be_compared_is_said(voice):
    one = replace(paused(voice), checkpoints=KEPT[:1])
    async with opened(one) as run:
        await run.press("b")
        assert "there is only one checkpoint to compare" in run.notes + run.log
        assert run.at_home
    (voice.folder / "comparisons.jsonl").mkdir()
    async with opened(paused(voice)) as run:
        await run.press("b")
        await run.until(lambda: "cannot be read" in run.text)
        await run.change(phase=Phase.STOPPING)
        assert run.at_home
