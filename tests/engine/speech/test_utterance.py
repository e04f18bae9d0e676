import numpy as np
import pytest
import torch

from engine.data.clips import Limits
from engine.errors import Cancelled, EngineError, InputError
from engine.speech.speaker import Speaker
from engine.speech.vocoder import VocoderSettings
from engine.voice.settings import VoiceSettings

QUICK = VocoderSettings(rounds=2)
TEXT = "Two birds sat. One sang! Déjà vu?"
RATE = 22_050
PAUSE = round(0.7 * RATE)


@pytest.fixture
def say(text2mel, vocabulary, monkeypatch):
    monkeypatch.setattr("engine.speech.speaker.VocoderSettings", lambda sharpening: QUICK)

    def run(text=TEXT, ssrn=None, limits=None, **options):
        settings = VoiceSettings(limits=limits or Limits(180, 60))
        return Speaker(text2mel, 1, ssrn, None, vocabulary, settings).speak(text, **options)

    return run


def silences(waveform: np.ndarray) -> list[int]:
    """Lengths of the runs of exact silence that are longer than half a second."""
    sounding = np.flatnonzero(waveform)
    gaps = np.diff(sounding) - 1
    return gaps[gaps > 11_025].tolist()


def test_sentences_are_spoken_one_by_one_and_joined_by_silence(say, audio):
    utterance = say()
    assert [part.text for part in utterance.parts] == ["two birds sat.", "one sang", "deja vu?"]
    # The fade at a sentence's end may reach zero a few samples early.
    assert silences(utterance.waveform) == pytest.approx([PAUSE, PAUSE], abs=64)
    assert utterance.sample_rate == RATE
    assert np.abs(utterance.waveform).max() <= 0.95
    assert utterance.waveform.dtype == np.float32
    np.testing.assert_array_equal(utterance.waveform, say().waveform)

    frames = sum(len(part.mel) for part in utterance.parts)
    symbols = sum(len(part.text) + 1 for part in utterance.parts)
    assert utterance.mel.shape == (frames, 80)
    assert utterance.magnitude.shape == (4 * frames, audio.n_bins)
    assert utterance.attention.shape == (symbols, frames)
    np.testing.assert_allclose(utterance.attention.sum(axis=0), 1, atol=1e-5)
    first = utterance.parts[0].attention
    np.testing.assert_array_equal(utterance.attention[: len(first), : first.shape[1]], first)


def test_a_long_sentence_is_spoken_in_parts(say):
    utterance = say("one two three, four five six, seven", limits=Limits(16, 9))
    assert [part.text for part in utterance.parts] == ["one two three,", "four five six,", "seven"]
    assert not utterance.finished


def test_ssrn_makes_the_magnitude_where_there_is_one(say, ssrn):
    with_ssrn, without = say("Hello.", ssrn), say("Hello.")
    assert with_ssrn.ssrn
    assert not without.ssrn
    np.testing.assert_array_equal(with_ssrn.mel, without.mel)
    assert with_ssrn.magnitude.shape == without.magnitude.shape
    with torch.inference_mode():
        expected = ssrn(torch.from_numpy(with_ssrn.mel)[None]).magnitude[0]
    np.testing.assert_allclose(with_ssrn.magnitude, expected, atol=4e-6)


def test_it_gives_up_when_asked(say):
    answers = iter([False] * 30 + [True])
    with pytest.raises(Cancelled):
        say(cancelled=lambda: next(answers))
    assert not list(answers)


@pytest.mark.parametrize("text", ["", "  ", "…!?", "[42]", "日本"])
def test_text_with_nothing_to_speak_is_refused(say, text):
    with pytest.raises(InputError, match=r"nothing to speak.*abcdefghijklmnopqrstuvwxyz"):
        say(text)


def test_an_ssrn_whose_weights_are_not_finite_is_named(say, ssrn):
    with torch.no_grad():
        ssrn.layers[0].convolution.bias[0] = float("inf")
    with pytest.raises(EngineError, match="SSRN"):
        say("Hello.", ssrn)
