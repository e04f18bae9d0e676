"""The README of an export suffices to build its networks: here, in NumPy alone."""

import json
import tomllib

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from engine.jobs.export import export_voice
from engine.speech.speaker import open_speaker
from engine.voice.folder import Voice

TEXT = "two birds sat."


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Reader:
    """The networks as the README describes them; activations are (time, channels)."""

    def __init__(self, folder, network):
        [checkpoint] = (folder / network / "checkpoints").iterdir()
        self.tensors = load_file(checkpoint / "weights.safetensors")
        self.spec = json.loads((checkpoint / "state.json").read_text())["spec"]
        self.causal = False

    def get(self, *names):
        return self.tensors[".".join(names)]

    def normalised(self, x, gain, shift):
        x = x - x.mean(axis=1, keepdims=True)
        x = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + self.spec["epsilon"])
        return x * gain + shift

    def convolved(self, layer, x, dilation):
        weight = self.get(layer, "convolution.weight")
        reach = (weight.shape[1] - 1) * dilation
        before = reach if self.causal else reach // 2
        padded = np.pad(x, ((before, reach - before), (0, 0)))
        taps = (
            padded[tap * dilation : tap * dilation + len(x)] @ weight[:, tap].T
            for tap in range(weight.shape[1])
        )
        return sum(taps) + self.get(layer, "convolution.bias")

    def plain(self, layer, x, relu=False):
        x = self.convolved(layer, x, 1)
        x = self.normalised(x, self.get(layer, "norm.weight"), self.get(layer, "norm.bias"))
        return np.maximum(x, 0) if relu else x

    def highway(self, layer, x, dilation):
        halves = np.split(self.convolved(layer, x, dilation), 2, axis=1)
        norms = self.get(layer, "norm_weight"), self.get(layer, "norm_bias")
        gate, candidate = (self.normalised(*row) for row in zip(halves, *norms, strict=True))
        return x + sigmoid(gate) * (candidate - x)

    def upsampled(self, layer, x):
        weight, bias = self.get(layer, "weight"), self.get(layer, "bias")
        before = np.pad(x, ((1, 0), (0, 0)))[:-1]
        out = np.empty((2 * len(x), x.shape[1]))
        out[::2] = x @ weight[:, 0].T + before @ weight[:, 2].T + bias
        out[1::2] = x @ weight[:, 1].T + bias
        return self.normalised(out, self.get(layer, "norm.weight"), self.get(layer, "norm.bias"))

    def stack(self, name, x, plan):
        """Layers in a row: c and r for convolutions without and with ReLU, numbers for highways,
        u for upsampling."""
        for index, kind in enumerate(plan):
            layer = f"{name}layers.{index}"
            if kind in "cr":
                x = self.plain(layer, x, relu=kind == "r")
            elif kind == "u":
                x = self.upsampled(layer, x)
            else:
                x = self.highway(layer, x, int(kind))
        return x

    def text2mel(self, ids, mel):
        text = self.get("text_encoder.embedding.weight")[ids]
        # Highways of kernel 1 have no dilation to speak of.
        plan = ["r", "c", *"139", "27", *"139", "27", *"11", *"11"]
        key, value = np.split(self.stack("text_encoder.", text, plan), 2, axis=1)
        self.causal = True
        late = np.pad(mel, ((1, 0), (0, 0)))[:-1]
        plan = ["r", "r", "c", *"139", "27", *"139", "27", *"33"]
        query = self.stack("audio_encoder.", late, plan)
        scores = np.exp(query @ key.T / np.sqrt(self.spec["hidden"]))
        attention = scores / scores.sum(axis=1, keepdims=True)
        joined = np.concatenate((attention @ value, query), axis=1)
        plan = ["c", *"139", "27", *"11", *"rrr", "c"]
        return sigmoid(self.stack("audio_decoder.", joined, plan))

    def ssrn(self, mel):
        return sigmoid(self.stack("", mel, "c13u13u13c11crrc"))


@pytest.fixture
def exported(make_voice, tmp_path):
    voice = make_voice(text2mel=5, ssrn=3)
    return export_voice(voice.folder, tmp_path / "out").folder


def test_text2mel_can_be_built_from_the_readme(exported, small_audio):
    speaker = open_speaker(Voice.open(exported))
    symbols = tomllib.loads((exported / "voice.toml").read_text())["symbols"]
    ids = [symbols.index(character) for character in TEXT] + [1]
    mel = np.random.default_rng(1).random((40, small_audio.n_mels), np.float32)
    with torch.inference_mode():
        expected = speaker.text2mel(torch.tensor([ids]), torch.from_numpy(mel)[None]).mel[0]
    found = Reader(exported, "text2mel").text2mel(ids, mel)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_ssrn_can_be_built_from_the_readme(exported, small_audio):
    mel = np.random.default_rng(2).random((12, small_audio.n_mels), np.float32)
    with torch.inference_mode():
        ssrn = open_speaker(Voice.open(exported), exact=True).ssrn
        expected = ssrn(torch.from_numpy(mel)[None]).magnitude[0]
    np.testing.assert_allclose(Reader(exported, "ssrn").ssrn(mel), expected, atol=1e-4)
