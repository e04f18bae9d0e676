"""Imported networks speak as the original code does."""

import numpy as np
import pytest
import torch

from engine.checkpoints.checkpoint import inference_network, load_checkpoint
from engine.networks.text2mel import Text2Mel
from engine.speech.bbc_synthesis import synthesise_bbc


@pytest.fixture(scope="module")
def text2mel(reference_voice) -> Text2Mel:
    return inference_network(load_checkpoint(reference_voice.newest("text2mel").path))


@pytest.fixture(scope="module")
def ssrn(reference_voice):
    return inference_network(load_checkpoint(reference_voice.newest("ssrn").path))


@pytest.fixture(scope="module")
def texts(reference):
    return torch.from_numpy(reference("synthesis").L.astype(np.int64))


def test_the_texts_are_read_alike(reference, reference_voice):
    theirs = reference("synthesis")
    assert str(theirs.vocab) == reference_voice.settings.symbols
    for text, row in zip(theirs.texts, theirs.L, strict=True):
        ours = reference_voice.vocabulary.encode(str(text))
        assert ours + [0] * (180 - len(ours)) == row.tolist()


@pytest.mark.slow
@torch.inference_mode()
def test_free_running_speech_is_the_originals(reference, text2mel, ssrn, texts):
    theirs = reference("synthesis")
    key, value = text2mel.text_encoder.encode(texts)
    np.testing.assert_allclose(key, theirs.K, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value, theirs.V, rtol=1e-4, atol=1e-5)
    mel, attention = synthesise_bbc(text2mel, texts)
    np.testing.assert_allclose(mel, theirs.Y, rtol=1e-4, atol=1e-5)
    attended = attention.argmax(dim=1).T  # (T, B)
    np.testing.assert_array_equal(attended, theirs.prev_max_attentions[1:])
    sharp = ssrn(mel).magnitude[:, ::8]
    np.testing.assert_allclose(sharp, theirs.Z, rtol=1e-4, atol=1e-5)
