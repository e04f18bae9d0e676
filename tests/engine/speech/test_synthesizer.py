from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.data.clips import Limits
from engine.errors import Cancelled, EngineError, InputError
from engine.evaluation.attention_measures import measure_attention
from engine.networks.text2mel import attend
from engine.speech.synthesizer import Synthesizer, windowed_attention

SENTENCE = "has never been surpassed."


def recompute(network, symbols, spoken):
    """Mel and free attention of the whole sequence at once, every frame with its own window."""
    mel = torch.from_numpy(spoken.mel)[None]
    weights = torch.from_numpy(spoken.attention.T)[None]  # (1, T, N)
    before = torch.nn.functional.pad(mel, (0, 0, 1, 0))[:, :-1]
    with torch.inference_mode():
        key, value = network.text_encoder.encode(torch.tensor([symbols]))
        key, value = key[:, : weights.shape[2]], value[:, : weights.shape[2]]
        query = network.audio_encoder(before)
        context = weights @ value
        logits = network.audio_decoder(torch.cat((context, query), dim=-1))
        return torch.sigmoid(logits)[0].numpy(), attend(query, key, value)[1][0].numpy()


@pytest.mark.parametrize("mask_text", [True, False])
def test_cached_synthesis_equals_a_full_recomputation(
    text2mel, unmasked_text2mel, vocabulary, mask_text
):
    network = text2mel if mask_text else unmasked_text2mel
    spoken = Synthesizer(network, vocabulary, Limits(max_coarse_frames=90)).mel(SENTENCE)
    symbols = vocabulary.encode(SENTENCE)
    padding = [] if mask_text else [0] * (180 - len(symbols))
    mel, free = recompute(network, symbols + padding, spoken)
    np.testing.assert_allclose(spoken.mel, mel, atol=1e-5)

    seen = np.where(spoken.attention > 0, free, 0)
    forced = spoken.attention.max(axis=0) == 1
    np.testing.assert_allclose(spoken.attention[:, ~forced], seen[:, ~forced], atol=1e-5)
    assert len(spoken.mel) > 5


def test_attention_covers_the_text_and_sums_to_one(text2mel, vocabulary):
    spoken = Synthesizer(text2mel, vocabulary).mel("  Déjà vu! ")
    assert spoken.text == "deja vu"
    assert spoken.attention.shape == (len("deja vu") + 1, len(spoken.mel))
    assert spoken.mel.dtype == spoken.attention.dtype == np.float32
    np.testing.assert_allclose(spoken.attention.sum(axis=0), 1, atol=1e-5)


def test_a_sentence_known_by_heart_is_said_in_full(trained_text2mel, vocabulary, features):
    recorded = features[0][::4]
    spoken = Synthesizer(trained_text2mel, vocabulary).mel(SENTENCE)
    assert spoken.finished
    assert len(spoken.mel) == pytest.approx(len(recorded), abs=3)
    frames = min(len(recorded), len(spoken.mel))
    assert np.abs(spoken.mel[:frames] - recorded[:frames]).mean() < 0.1
    # Nothing is left out, and what comes last is the silence after the last sound.
    assert set(spoken.attention.argmax(axis=0)) >= set(range(3, len(SENTENCE) - 3))
    assert spoken.mel[-1].max() < spoken.mel.max() - 0.3
    assert measure_attention(spoken.attention).focus > 0.5


def test_a_sentence_that_finds_no_end_is_cut_and_says_so(text2mel, vocabulary):
    spoken = Synthesizer(text2mel, vocabulary, Limits(max_coarse_frames=7)).mel(SENTENCE)
    assert not spoken.finished
    assert spoken.mel.shape == (7, 80)
    assert spoken.attention.shape == (len(SENTENCE) + 1, 7)


def test_the_same_sentence_is_spoken_the_same_every_time(text2mel, vocabulary):
    synthesizer = Synthesizer(text2mel.train(), vocabulary)
    first, second = synthesizer.mel(SENTENCE), synthesizer.mel(SENTENCE)
    np.testing.assert_array_equal(first.mel, second.mel)


def test_it_stops_when_asked(text2mel, vocabulary):
    answers = iter([False, False, True])
    with pytest.raises(Cancelled):
        Synthesizer(text2mel, vocabulary).mel(SENTENCE, cancelled=lambda: next(answers))
    assert not list(answers)


def test_a_sentence_without_readable_characters_is_refused(text2mel, vocabulary):
    with pytest.raises(InputError, match="abcdefghijklmnopqrstuvwxyz"):
        Synthesizer(text2mel, vocabulary).mel("§ 42")


def test_a_sentence_that_is_too_long_is_refused(text2mel, vocabulary):
    synthesizer = Synthesizer(text2mel, vocabulary, Limits(10, 3))
    assert synthesizer.mel("a" * 9).text == "a" * 9
    with pytest.raises(InputError, match="at most 9"):
        synthesizer.mel("a" * 10)


def test_weights_that_are_not_finite_are_named_as_the_cause(text2mel, vocabulary):
    with torch.no_grad():
        text2mel.audio_decoder.layers[-1].convolution.bias[3] = float("nan")
    with pytest.raises(EngineError, match="earlier checkpoint"):
        Synthesizer(text2mel, vocabulary, Limits(max_coarse_frames=5)).mel(SENTENCE)


@given(st.integers(2, 40), st.integers(0, 2**32))
def test_attention_goes_back_by_one_and_ahead_by_three_at_most(length, seed):
    generator = torch.Generator().manual_seed(seed)
    places = [0]
    for scores in 5 * torch.randn(60, length, generator=generator):
        weights, attended = windowed_attention(scores, places[-1])
        assert weights.argmax() == attended
        assert weights.sum().item() == pytest.approx(1, abs=1e-5)
        places.append(attended)
    assert all(-1 <= b - a <= 3 for a, b in pairwise(places))


@pytest.mark.parametrize("peak", range(10))
def test_attention_outside_the_window_is_forced_to_the_next(peak):
    scores = torch.zeros(10)
    scores[peak] = 9
    weights, attended = windowed_attention(scores, 5)
    if 4 <= peak <= 8:
        assert attended == peak
        torch.testing.assert_close(weights, torch.softmax(scores, dim=0))
    else:
        assert attended == 6
        assert weights.tolist() == [0, 0, 0, 0, 0, 0, 1, 0, 0, 0]


def test_attention_forced_at_the_end_stays_on_the_last_character():
    scores = torch.zeros(10)
    scores[0] = 9
    assert windowed_attention(scores, 9)[1] == 9
