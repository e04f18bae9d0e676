import numpy as np
import pytest
import torch

from engine.data.clips import Limits
from engine.speech.bbc_synthesis import speak_as_bbc, synthesise_bbc

SENTENCES = ("my neighbour keeps three hens.", "where is the bus?")
FRAMES = 24
LENGTH = 48


@pytest.fixture
def texts(vocabulary) -> torch.Tensor:
    rows = [vocabulary.encode(sentence) for sentence in SENTENCES]
    return torch.tensor([row + [0] * (LENGTH - len(row)) for row in rows])


@torch.inference_mode()
def rerun_everything(network, texts):
    """All frames of the whole network for every frame, the unspoken ones zero."""
    mel = torch.zeros(len(texts), FRAMES, network.spec.n_mels, dtype=torch.float64)
    previous = [0] * len(texts)
    for t in range(FRAMES):
        key, value = network.text_encoder.encode(texts)
        before = torch.cat((torch.zeros_like(mel[:, :1]), mel[:, :-1]), dim=1)
        query = network.audio_encoder(before)
        scores = torch.einsum("btd,bnd->btn", query, key) / np.sqrt(network.spec.hidden)
        weights = torch.zeros_like(scores)
        for b, start in enumerate(previous):
            weights[b, :, start : start + 3] = scores[b, :, start : start + 3].softmax(dim=-1)
        context = torch.einsum("btn,bnd->btd", weights, value)
        logits = network.audio_decoder(torch.cat((context, query), dim=-1))
        mel[:, t] = torch.sigmoid(logits[:, t])
        previous = weights[:, t].argmax(dim=-1).tolist()
    return mel


def test_it_equals_the_whole_network_run_for_every_frame(unmasked_text2mel, texts):
    network = unmasked_text2mel.double()
    mel, attention = synthesise_bbc(network, texts, FRAMES)
    assert mel.shape == (2, FRAMES, 80)
    assert attention.shape == (2, LENGTH, FRAMES)
    torch.testing.assert_close(mel, rerun_everything(network, texts), atol=1e-9, rtol=0)


def test_attention_sees_three_characters_from_the_last(unmasked_text2mel, texts):
    _, attention = synthesise_bbc(unmasked_text2mel, texts, FRAMES)
    torch.testing.assert_close(attention.sum(dim=1), torch.ones(2, FRAMES))
    for matrix in attention:
        previous = 0
        for column in matrix.T:
            assert column[previous : previous + 3].sum().item() == pytest.approx(1, abs=1e-5)
            previous = int(column.argmax())


def test_a_text_is_padded_and_always_as_long(unmasked_text2mel, texts, vocabulary):
    limits = Limits(LENGTH, FRAMES)
    spoken = speak_as_bbc(unmasked_text2mel, vocabulary, limits, SENTENCES[1].upper())
    assert spoken.text == SENTENCES[1]
    mel, attention = synthesise_bbc(unmasked_text2mel, texts[1:], FRAMES)
    np.testing.assert_array_equal(spoken.mel, mel[0])
    np.testing.assert_array_equal(spoken.attention, attention[0])
    assert spoken.attention.shape == (LENGTH, FRAMES)


def test_a_network_trained_without_padding_ignores_it(text2mel, texts):
    mel, attention = synthesise_bbc(text2mel, texts, FRAMES)
    assert not attention.transpose(1, 2)[(texts == 0)[:, None].expand(-1, FRAMES, -1)].any()
    torch.testing.assert_close(attention.sum(dim=1), torch.ones(2, FRAMES))
    # Nor does the amount of padding change what it says.
    shorter, _ = synthesise_bbc(text2mel, texts[:, :32], FRAMES)
    torch.testing.assert_close(mel, shorter, atol=1e-5, rtol=0)
