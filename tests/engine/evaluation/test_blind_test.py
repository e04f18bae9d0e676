"""Blind tests of checkpoints: what is heard, and that nothing gives away which is which."""

import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from paths import SPEECH

from engine.errors import InputError
from engine.evaluation.blind_test import BlindTest, Round
from engine.run.commands import Audition
from engine.run.sample import KeptCheckpoint, Sample
from engine.run.snapshot import Phase, Snapshot
from engine.speech.growing import write_wav
from engine.voice.comparisons import read_comparisons
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings

HELD_OUT = ("LJ001-0008", "LJ001-0002")
RATE = 22_050


@pytest.fixture
def voice(tmp_path):
    settings = VoiceSettings(SPEECH, held_out=HELD_OUT)
    voice = Voice.create(tmp_path / "voice", settings)
    voice.make_samples()
    return voice


class Run:
    """A run that speaks what it is asked for when it is told to."""

    def __init__(self, voice, steps=(10, 20), ssrn=(7,), network="text2mel"):
        self.voice = voice
        kept = [KeptCheckpoint("text2mel", step) for step in steps]
        kept += [KeptCheckpoint("ssrn", step) for step in ssrn]
        self.snapshot = Snapshot(
            Phase.PAUSED, "voice", voice.folder, network, "small", "standard",
            checkpoints=tuple(kept), sentences=("Two birds.", "One flew."),
        )  # fmt: skip
        self.asked: list[Audition] = []

    def send(self, audition):
        self.asked.append(audition)
        self.snapshot = replace(self.snapshot, auditioning=True)

    def speak(self, *, fails=False, **changes):
        """Speak all that was asked for; steps differ in pitch, loudness and length."""
        for asked in self.asked:
            step = asked.step or asked.ssrn_step
            samples = () if fails else (self.sample(step, asked.sentence, **changes),)
            self.snapshot = replace(
                self.snapshot,
                samples=(*self.snapshot.samples, *samples),
                auditions=self.snapshot.auditions + 1,
            )
        self.asked, self.snapshot = [], replace(self.snapshot, auditioning=False)

    def sample(self, step, sentence, ssrn_step=7, made=None):
        network = self.snapshot.network
        number = len(list(self.voice.samples.iterdir()))
        path = self.voice.samples / f"{network}-{step}_{number}.wav"
        sound = 0.02 * step * np.sin(np.arange(step * 1_000) * step / 300)
        write_wav(path, sound.astype(np.float32), RATE)
        when = time.time() if made is None else made
        return Sample(step, sentence, path, 1.0, "", ssrn_step=ssrn_step, time=when)


def follow_until(heard, snapshot):
    """Follow a run until the sounds are there, at most ten times."""
    for _ in range(10):
        if heard.follow(snapshot()):
            return


def test_missing_samples_are_spoken_and_the_next_trial_meanwhile(voice):
    run = Run(voice)
    test = BlindTest(run.snapshot)
    heard = Round(test, run.send)
    first = heard.trial
    assert not heard.follow(run.snapshot)
    assert not heard.follow(run.snapshot)  # asked for once
    assert {(one.step, one.sentence, one.for_comparison) for one in run.asked} == {
        (10, first.sentence, True),
        (20, first.sentence, True),
    }
    run.speak()
    assert heard.follow(run.snapshot)
    assert len(heard.sounds[0]) == len(heard.sounds[1])
    assert heard.sounds[0] != heard.sounds[1]
    assert {one.sentence for one in run.asked}.isdisjoint({first.sentence})
    run.speak()
    heard.answer("a")
    assert heard.trial.sentence != first.sentence
    assert heard.sounds is None
    assert heard.follow(run.snapshot)
    [kept] = read_comparisons(voice)
    assert (kept.a, kept.b, kept.answer, kept.ssrn_step) == (first.a, first.b, "a", 7)
    assert {int(name.split("-")[1].split("_")[0]) for name in kept.files} == {10, 20}


def test_held_out_texts_are_compared_with_too_each_as_often(voice):
    run = Run(voice)
    heard = Round(BlindTest(run.snapshot), run.send)
    orders = Counter()
    for _ in range(24):
        heard.follow(run.snapshot)
        run.speak()
        assert heard.follow(run.snapshot)
        orders[heard.trial.a] += 1
        heard.answer("same")
    sentences = Counter(one.sentence for one in read_comparisons(voice))
    assert set(sentences) > {"Two birds.", "One flew.", "has never been surpassed."}
    assert set(sentences.values()) == {6}
    # By chance; one in a million tests would find less.
    assert min(orders[10], orders[20]) >= 1
    assert "you cannot tell 10 and 20 apart in 24 answers" in BlindTest(run.snapshot).standing.words


@pytest.mark.parametrize(
    ("ways", "fits"),
    [
        ([{"ssrn_step": 7}, {"ssrn_step": 7}], True),
        ([{"ssrn_step": 7}, {"ssrn_step": 5}], False),
        # With an SSRN that is not the newest: only where the newest could not speak just now.
        ([{"ssrn_step": 5}, {"ssrn_step": 5}], True),
        ([{"ssrn_step": 5, "made": 9.0}, {"ssrn_step": 5, "made": 9.0}], False),
        ([{"ssrn_step": 7, "made": 9.0}, {"ssrn_step": 7, "made": 9.0}], True),
        ([{"ssrn_step": None, "made": 0.0}, {"ssrn_step": None, "made": 0.0}], False),
        ([{"ssrn_step": 7, "made": 0.0}, {"ssrn_step": 7}], False),
    ],
)
def test_only_samples_that_were_made_alike_are_compared(voice, ways, fits):
    run = Run(voice)
    test = BlindTest(run.snapshot)
    trial = test.draw()
    samples = [
        run.sample(step, trial.sentence, **way)
        for step, way in zip((trial.a, trial.b), ways, strict=True)
    ]
    found = test.samples(trial, replace(run.snapshot, samples=tuple(reversed(samples))))
    assert found == (tuple(samples) if fits else None)


def test_a_sentence_that_cannot_be_spoken_gives_way(voice, monkeypatch):
    run = Run(voice)
    test = BlindTest(run.snapshot)
    heard = Round(test, run.send)
    monkeypatch.setattr("engine.evaluation.blind_test._PATIENCE", 0.0)
    given_up = []

    def speak():
        given_up.append(heard.trial.sentence)
        run.speak(fails=True)
        return run.snapshot

    with pytest.raises(InputError, match="could not speak what is to be compared; see the log"):
        follow_until(heard, speak)
    assert len(set(given_up)) == 4


def test_what_is_no_longer_on_disk_is_compared_by_what_it_spoke(voice):
    run = Run(voice)
    old = [run.sample(step, "One flew.", ssrn_step=5, made=9.0) for step in (20, 30)]
    run.snapshot = replace(run.snapshot, samples=tuple(old))
    heard = Round(BlindTest(run.snapshot, [20, 30]), run.send)
    follow_until(heard, lambda: run.snapshot)
    assert not run.asked
    assert heard.trial.sentence == "One flew."
    heard.answer("same")
    gone = replace(run.snapshot, samples=())
    with pytest.raises(InputError, match="Checkpoint 30 is no longer on disk, and no sentence"):
        follow_until(heard, lambda: gone)


def test_a_checkpoint_that_is_pruned_leaves_the_tournament(voice):
    run = Run(voice, steps=(10, 20, 30))
    heard = Round(BlindTest(run.snapshot), run.send)
    gone = heard.trial.a
    kept = tuple(one for one in run.snapshot.checkpoints if one.step != gone)
    run.snapshot = replace(run.snapshot, checkpoints=kept)

    def spoken():
        run.speak()
        return run.snapshot

    follow_until(heard, spoken)
    assert gone not in heard.test.steps
    assert len(heard.test.steps) == 2
    assert len(heard.test.sentences) == 4
    # A file that was removed meanwhile costs its sentence alone.
    run.speak()
    heard.answer("a")
    for path in voice.samples.glob("*.wav"):
        path.unlink()
    assert not heard.follow(run.snapshot)
    assert len(heard.test.sentences) == 3


def test_a_tournament_takes_the_checkpoints_that_are_there(voice):
    test = BlindTest(Run(voice, steps=range(0, 300, 10)).snapshot)
    assert len(test.steps) == 8
    assert 290 in test.steps
    assert {test.draw().a for _ in range(60)} <= {*test.steps}
    assert len({frozenset((one.a, one.b)) for one in (test.draw() for _ in range(60))}) > 5
    assert BlindTest(Run(voice).snapshot, steps=[40, 20, 40]).steps == (20, 40)


def test_ssrn_is_compared_by_held_out_recordings(voice):
    run = Run(voice, ssrn=(7, 9), network="ssrn")
    heard = Round(BlindTest(run.snapshot), run.send)
    heard.follow(run.snapshot)
    assert {(one.step, one.ssrn_step) for one in run.asked} == {(None, 7), (None, 9)}
    run.speak()
    assert heard.follow(run.snapshot)
    heard.answer("b")
    assert read_comparisons(voice)[0].ssrn_step is None


def test_there_must_be_two_checkpoints_and_a_sentence(voice, tmp_path):
    with pytest.raises(InputError, match="no two checkpoints to compare yet"):
        BlindTest(Run(voice, steps=(10,)).snapshot)
    silent = Voice.create(tmp_path / "silent", VoiceSettings(tmp_path / "gone"))
    with pytest.raises(InputError, match="no sentence to compare with"):
        BlindTest(replace(Run(voice).snapshot, voice_folder=silent.folder, sentences=()))
