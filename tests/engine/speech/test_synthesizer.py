from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from paths import DEMO_VOICE

from engine.data.clips import Limits
from engine.errors import Cancelled, EngineError, InputError
from engine.evaluation.teacher_forcing import measure_attention
from engine.networks.specs import Text2MelSpec
from engine.networks.text2mel import Text2Mel, attend
from engine.speech import synthesizer
from engine.speech.bbc_synthesis import speak_as_bbc
from engine.speech.speaker import open_speaker
from engine.speech.synthesizer import speak_sentence, speak_sentences, windowed_attention
from engine.voice.folder import Voice

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
    text2mel, unmasked_text2mel, vocabulary, mask_text, monkeypatch
):
    monkeypatch.setattr(synthesizer, "has_bf16", lambda _: False)
    network = text2mel if mask_text else unmasked_text2mel
    spoken = speak_sentence(network, vocabulary, Limits(max_coarse_frames=90), SENTENCE)
    symbols = vocabulary.encode(SENTENCE)
    padding = [] if mask_text else [0] * (180 - len(symbols))
    mel, free = recompute(network, symbols + padding, spoken)
    np.testing.assert_allclose(spoken.mel, mel, atol=1e-5)

    seen = np.where(spoken.attention > 0, free, 0)
    forced = spoken.attention.max(axis=0) == 1
    np.testing.assert_allclose(spoken.attention[:, ~forced], seen[:, ~forced], atol=1e-5)
    assert len(spoken.mel) > 5


def test_attention_covers_the_text_and_sums_to_one(text2mel, vocabulary):
    spoken = speak_sentence(text2mel, vocabulary, Limits(), "  Déjà vu! ")
    assert spoken.text == "deja vu"
    assert spoken.attention.shape == (len("deja vu") + 1, len(spoken.mel))
    assert spoken.mel.dtype == spoken.attention.dtype == np.float32
    np.testing.assert_allclose(spoken.attention.sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("bf16", [True, False])
def test_sentences_together_are_those_spoken_alone(vocabulary, bf16, monkeypatch):
    """To the bit in bf16, at widths whose rows lie in memory alike; a sample is then the same."""
    text2mel = Text2Mel(Text2MelSpec(len(vocabulary), embedding=16, hidden=32))
    monkeypatch.setattr(synthesizer, "has_bf16", lambda _: bf16)
    limits = Limits(max_coarse_frames=30)
    texts = [SENTENCE[: 3 + i % 9] for i in range(11)]
    frames, together = [], []
    for mel, spoken in speak_sentences(text2mel, vocabulary, limits, texts):
        frames.append(mel)
        if spoken is not None:
            np.testing.assert_array_equal(np.concatenate(frames), spoken.mel)
            frames, together = [], [*together, spoken]
    for text, one in zip(texts, together, strict=True):
        alone = speak_sentence(text2mel, vocabulary, limits, text)
        assert one.text == alone.text
        np.testing.assert_allclose(one.mel, alone.mel, rtol=0, atol=0 if bf16 else 1e-3)


def test_weights_that_change_are_spoken_with(text2mel, vocabulary):
    limits = Limits(max_coarse_frames=5)
    before = speak_sentence(text2mel, vocabulary, limits, SENTENCE).mel
    with torch.no_grad():
        text2mel.audio_decoder.layers[-1].norm.bias += 1
    assert np.abs(speak_sentence(text2mel, vocabulary, limits, SENTENCE).mel - before).max() > 0.05


@pytest.mark.slow
def test_a_trained_voice_says_a_sentence_in_full():
    speaker = open_speaker(Voice.open(DEMO_VOICE))
    sentence = "my neighbour keeps three hens."
    limits = speaker.settings.limits
    spoken = speak_sentence(speaker.text2mel, speaker.vocabulary, limits, sentence)
    assert spoken.finished
    # It reads on from the first letters to the last, at a pace of speech, until it is quiet.
    places = spoken.attention.argmax(axis=0)
    assert places[0] < 3
    assert places[-1] >= len(sentence) - 1
    assert 1 < len(places) / len(sentence) < 4
    assert spoken.mel[-1].max() < spoken.mel.max() - 0.3
    assert measure_attention(spoken.attention)[0] > 0.5


def test_a_sentence_that_finds_no_end_is_cut_and_says_so(text2mel, vocabulary):
    text2mel.train()  # dropout would change what is said
    spoken, again = (
        speak_sentence(text2mel, vocabulary, Limits(max_coarse_frames=7), SENTENCE)
        for _ in range(2)
    )
    assert not spoken.finished
    assert spoken.mel.shape == (7, 80)
    assert spoken.attention.shape == (len(SENTENCE) + 1, 7)
    np.testing.assert_array_equal(spoken.mel, again.mel)


@pytest.mark.parametrize(
    ("speak", "asked"), [(speak_sentences, [SENTENCE]), (speak_as_bbc, SENTENCE)]
)
def test_it_stops_when_asked(text2mel, vocabulary, speak, asked):
    answers = iter([False, False, True])
    with pytest.raises(Cancelled):
        list(speak(text2mel, vocabulary, Limits(), asked, cancelled=lambda: next(answers)))
    assert not list(answers)


@pytest.mark.parametrize("speak", [speak_sentence, speak_as_bbc])
@pytest.mark.parametrize(
    ("sentence", "why"), [("§ 42", "nothing to speak.*abcdefghijklm"), ("a" * 10, "at most 9")]
)
def test_what_cannot_be_read_is_refused(text2mel, vocabulary, speak, sentence, why):
    limits = Limits(10, 3)
    assert speak(text2mel, vocabulary, limits, "a" * 9).text == "a" * 9
    with pytest.raises(InputError, match=why):
        speak(text2mel, vocabulary, limits, sentence)


@pytest.mark.parametrize("speak", [speak_sentence, speak_as_bbc])
def test_weights_that_are_not_finite_are_named(text2mel, vocabulary, speak):
    with torch.no_grad():
        text2mel.audio_decoder.layers[-1].convolution.bias[3] = float("nan")
    with pytest.raises(EngineError, match=r"Text2Mel yields.*earlier checkpoint"):
        speak(text2mel, vocabulary, Limits(max_coarse_frames=5), SENTENCE)


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("peak", "previous", "expected"),
    [(3, 5, 6), (4, 5, 4), (8, 5, 8), (9, 5, 6), (0, 9, 9)],
)
def test_attention_outside_the_window_is_forced_to_the_next(peak, previous, expected):
    scores = torch.zeros(10)
    scores[peak] = 9
    weights, attended = windowed_attention(scores, previous)
    assert attended == expected
    free = torch.softmax(scores, dim=0)
    torch.testing.assert_close(weights, free if peak == expected else torch.eye(10)[expected])
