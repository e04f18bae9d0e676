"""Auditions: a sample beside the training, whatever the voice has to speak with."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.run.commands import Audition, Finish, PlotAttention, SetSentences
from engine.run.snapshot import Phase
from engine.speech.speaker import NO_SSRN
from engine.voice.samples import read_samples

pytestmark = pytest.mark.slow


@pytest.fixture
def at_stop(training):
    """Start a run beside a screen and wait at its first stop."""
    sessions = []

    def wait(voice, **changes):
        session = training.start(voice, "+1", attended=True, **changes)
        sessions.append(session)
        training.until(session, lambda s: s.phase is Phase.AT_STOP)
        return session

    yield wait
    for session in sessions:
        session.send(Finish())
        training.end(session)


def heard(training, session, count=1):
    return training.until(session, lambda s: len(s.samples) == count and not s.auditioning)


def test_without_an_ssrn_the_mel_alone_is_heard(make_voice, training, at_stop):
    voice = make_voice(text2mel=40, sentences=("Two birds; one wall.",))
    session = at_stop(voice)
    session.send(Audition())
    (sample,) = heard(training, session).samples
    assert sample.path == voice.samples / "text2mel-41_no-ssrn_two-birds-one-wall.wav"
    assert (sample.step, sample.sentence) == (41, "Two birds; one wall.")
    assert NO_SSRN in sample.note
    assert sample.original is None
    info = soundfile.info(sample.path)
    assert (info.samplerate, info.channels) == (22_050, 1)
    assert info.duration == pytest.approx(sample.seconds)
    assert sample.path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_what_is_spoken_for_a_comparison_says_nothing_of_itself(make_voice, training, at_stop):
    voice = make_voice(text2mel=40)
    session = at_stop(voice)
    session.send(Audition("Hello.", 40, for_comparison=True))
    snapshot = heard(training, session)
    (sample,) = snapshot.samples
    assert (sample.step, sample.for_comparison) == (40, True)
    assert not [event.text for event in snapshot.events if "sample" in event.text]
    assert read_samples(voice)[0].for_comparison


def test_with_an_ssrn_both_steps_are_in_the_name(make_voice, training, at_stop):
    voice = make_voice(text2mel=40, ssrn=767)
    newer = shutil.copytree(
        voice.checkpoint_folder("ssrn", 767), voice.checkpoint_folder("ssrn", 900)
    )
    (newer / "weights.safetensors").write_bytes(b"no tensors")
    session = at_stop(voice)
    session.send(SetSentences(("Hello",)))
    session.send(Audition())
    snapshot = heard(training, session)
    assert snapshot.samples[0].path.name == "text2mel-41_ssrn-767_hello.wav"
    assert snapshot.samples[0].note == "ssrn at step 767, because 900 is damaged"
    assert newer.is_dir()
    plot = snapshot.attention[-1]
    assert (plot.sentence, plot.source, plot.step) == ("helloE", "audition", 41)
    assert plot.weights.shape[0] == len("helloE")
    session.send(Audition())
    (again,) = training.until(session, lambda one: one.auditions == 2).samples
    assert (again.path, again.time > snapshot.samples[0].time) == (snapshot.samples[0].path, True)


def test_an_ssrn_is_heard_beside_the_original_recording(make_voice, training, at_stop):
    voice = make_voice(text2mel=None, ssrn=10)
    session = at_stop(voice, network="ssrn")
    session.send(Audition())
    (sample,) = heard(training, session).samples
    assert sample.path.name.startswith("ssrn-11_lj001-")
    assert sample.original.name.startswith("original_lj001-")
    made, original = (soundfile.read(path)[0] for path in (sample.path, sample.original))
    assert 0.5 < len(made) / len(original) < 1.1
    assert np.sqrt(np.mean(original**2)) > 0.02


def test_a_sample_that_fails_does_not_stop_training(make_voice, training, at_stop):
    voice = make_voice(ssrn=767)
    path = voice.newest("ssrn").path
    good = load_checkpoint(path)
    (path / "weights.safetensors").write_bytes(b"nothing")
    session = at_stop(voice)
    session.send(Audition())
    snapshot = training.until(session, lambda s: s.events[-1].text.startswith("no sample"))
    assert "ssrn/checkpoints/step-000000767" in snapshot.events[-1].text
    sick = {name: torch.full_like(tensor, float("nan")) for name, tensor in good.weights.items()}
    save_checkpoint(replace(good, weights=sick, ema={}), path)
    training.until(session, lambda s: not s.auditioning)
    session.send(Audition())
    snapshot = training.until(session, lambda s: "not finite" in s.events[-1].text)
    # A place that cannot be written is no better.
    save_checkpoint(good, path)
    voice.samples.rmdir()
    voice.samples.write_text("a file where a folder should be")
    training.until(session, lambda s: not s.auditioning)
    count = len(snapshot.events)
    session.send(Audition())
    snapshot = training.until(session, lambda s: len(s.events) > count and not s.auditioning)
    assert snapshot.events[-1].text.startswith("no sample")
    assert (snapshot.samples, snapshot.auditions) == ((), 3)
    assert snapshot.phase is Phase.AT_STOP


def test_one_sample_is_made_at_a_time(make_voice, training, at_stop):
    session = at_stop(make_voice(sentences=("la " * 400,)))
    session.send(Audition())
    training.until(session, lambda s: s.auditioning)
    session.send(Audition())
    session.send(PlotAttention())
    snapshot = training.until(session, lambda s: len(s.attention) > 2)
    assert "this sentence is being spoken already" in training.texts(snapshot)


def test_samples_are_listed_again_by_the_next_run(make_voice, training):
    voice = make_voice()
    first = training.start(voice, "+1", attended=True)
    training.until(first, lambda s: s.phase is Phase.AT_STOP)
    first.send(Audition())
    (sample,) = heard(training, first).samples
    first.send(Finish())
    training.end(first)
    again = training.end(training.start(voice, "+1"))
    assert [s.path for s in again.samples] == [sample.path]
    assert again.samples[0].note == sample.note
    sample.path.unlink()
    assert read_samples(voice) == []


def test_an_ssrn_run_also_speaks_any_sentence(make_voice, training, at_stop):
    voice = make_voice(text2mel=30, ssrn=10)
    session = at_stop(voice, network="ssrn")
    session.send(Audition("Hello there."))
    session.send(Audition(session.snapshot().sentence, ssrn_step=10))
    spoken, made = heard(training, session, 2).samples
    assert (spoken.network, spoken.step, spoken.ssrn_step) == ("text2mel", 30, 11)
    assert (made.network, made.step, made.ssrn_step) == ("ssrn", 10, 10)
    assert made.sentence == session.snapshot().sentence
    assert made.original is not None
    assert spoken.original is None


def test_a_held_out_sentence_is_heard_beside_its_recording(
    make_voice, training, at_stop, speech, tmp_path
):
    corpus = Path(shutil.copytree(speech, tmp_path / "corpus"))
    session = at_stop(make_voice(dataset=corpus))
    session.send(Audition())
    (sample,) = heard(training, session).samples
    assert sample.original.name.startswith("original_lj001-")
    # Training goes on without the recordings, and so do samples.
    sample.original.unlink()
    shutil.rmtree(corpus / "wavs")
    session.send(Audition())
    assert heard(training, session, 2).samples[1].original is None
