import numpy as np
import pytest
import torch

from engine.speech.original import synthesise_bbc
from engine.speech.synthesizer import Synthesizer

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


def test_it_equals_a_run_of_the_whole_network_for_every_frame(unmasked_text2mel, texts):
    network = unmasked_text2mel.double()
    mel, attention = synthesise_bbc(network, texts, FRAMES)
    assert mel.shape == (2, FRAMES, 80)
    assert attention.shape == (2, LENGTH, FRAMES)
    torch.testing.assert_close(mel, rerun_everything(network, texts), atol=1e-9, rtol=0)


def test_attention_sees_three_characters_from_the_last_attended_on(unmasked_text2mel, texts):
    _, attention = synthesise_bbc(unmasked_text2mel, texts, FRAMES)
    torch.testing.assert_close(attention.sum(dim=1), torch.ones(2, FRAMES))
    for matrix in attention:
        previous = 0
        for column in matrix.T:
            assert column[previous : previous + 3].sum().item() == pytest.approx(1, abs=1e-5)
            previous = int(column.argmax())


def test_only_the_past_is_heard_otherwise_than_in_cached_synthesis(
    unmasked_text2mel, texts, vocabulary
):
    mel, _ = synthesise_bbc(unmasked_text2mel, texts[:1], FRAMES)
    synthesizer = Synthesizer(
        unmasked_text2mel, vocabulary, max_frames=FRAMES, max_characters=LENGTH, window="bbc"
    )
    cached = synthesizer.mel(SENTENCES[0]).mel
    np.testing.assert_allclose(mel[0, 0], cached[0], atol=1e-5)
    assert np.abs(mel[0, : len(cached)].numpy() - cached).max() > 1e-4
