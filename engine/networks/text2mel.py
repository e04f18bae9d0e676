"""Text2Mel: from characters to a coarse mel spectrogram (paper section 3.1 to 3.3)."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.networks.layers import Convolution, ConvolutionLayer, HighwayLayer, output_layer
from engine.networks.specs import Text2MelSpec


class Text2MelOutput(NamedTuple):
    """What Text2Mel says of a batch."""

    logits: Tensor
    """Before the sigmoid, `(B, T, n_mels)`."""
    mel: Tensor
    """The coarse mel in the unit interval, `(B, T, n_mels)`."""
    attention: Tensor
    """Weights over the text for every frame, `(B, N, T)`."""


class _Stack(nn.Module):
    """Layers in a row, built with one setting of normalisation and dropout."""

    def __init__(self, spec: Text2MelSpec, *, causal: bool) -> None:
        super().__init__()
        self._settings = {"epsilon": spec.epsilon, "dropout": spec.dropout}
        self._causal = causal
        self.layers = nn.ModuleList()

    def convolution(self, inputs: int, outputs: int, *, relu: bool = False) -> None:
        """Add a convolution of one frame."""
        self.layers.append(
            ConvolutionLayer(Convolution(inputs, outputs), relu=relu, **self._settings)
        )

    def highways(self, width: int, kernel: int, dilations: Iterable[int]) -> None:
        """Add a highway convolution for each dilation."""
        for dilation in dilations:
            convolution = Convolution(width, 2 * width, kernel, dilation, causal=self._causal)
            self.layers.append(HighwayLayer(convolution, **self._settings))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Apply all layers to `x` `(B, T, C)`; no place sees those where `mask` `(B, T, 1)` is 0.

        What comes out there means nothing.
        """
        for layer in self.layers:
            assert isinstance(layer, ConvolutionLayer | HighwayLayer)
            if mask is not None and layer.convolution.reach:
                x = x * mask
            x = layer(x)
        return x


class TextEncoder(_Stack):
    """Characters `(B, N)` to keys and values, each `(B, N, d)`."""

    def __init__(self, spec: Text2MelSpec) -> None:
        super().__init__(spec, causal=False)
        self.mask_text = spec.mask_text
        self.embedding = nn.Embedding(spec.vocabulary_size, spec.embedding)
        nn.init.normal_(self.embedding.weight, std=0.5)
        wide = 2 * spec.hidden
        self.convolution(spec.embedding, wide, relu=True)
        self.convolution(wide, wide)
        self.highways(wide, 3, (1, 3, 9, 27) * 2)
        self.highways(wide, 3, (1, 1))
        self.highways(wide, 1, (1, 1))

    def encode(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys K and values V of symbol numbers `text` `(B, N)`; 0 is padding."""
        present = (text != 0).unsqueeze(-1)
        # The stored row 0 of imported weights is not zero, but padding always reads as zero.
        x = F.embedding(text, self.embedding.weight) * present
        wide = self(x, present.to(x.dtype) if self.mask_text else None)  # (B, N, 2d)
        key, value = wide.chunk(2, dim=-1)
        return key, value


class AudioEncoder(_Stack):
    """The mel so far `(B, T, n_mels)` to queries `(B, T, d)`; causal."""

    def __init__(self, spec: Text2MelSpec) -> None:
        super().__init__(spec, causal=True)
        d = spec.hidden
        self.convolution(spec.n_mels, d, relu=True)
        self.convolution(d, d, relu=True)
        self.convolution(d, d)
        self.highways(d, 3, (1, 3, 9, 27) * 2)
        self.highways(d, 3, (3, 3))


class AudioDecoder(_Stack):
    """Context and queries `(B, T, 2d)` to mel logits `(B, T, n_mels)`; causal."""

    def __init__(self, spec: Text2MelSpec) -> None:
        super().__init__(spec, causal=True)
        d = spec.hidden
        self.convolution(2 * d, d)
        self.highways(d, 3, (1, 3, 9, 27))
        self.highways(d, 3, (1, 1))
        for _ in range(3):
            self.convolution(d, d, relu=True)
        self.layers.append(
            output_layer(d, spec.n_mels, epsilon=spec.epsilon, dropout=spec.logit_dropout)
        )


class Text2Mel(nn.Module):
    """The network that speaks: text in, coarse mel out, frame after frame."""

    def __init__(self, spec: Text2MelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.text_encoder = TextEncoder(spec)
        self.audio_encoder = AudioEncoder(spec)
        self.audio_decoder = AudioDecoder(spec)

    def forward(self, text: Tensor, mel: Tensor) -> Text2MelOutput:
        """Predict every frame from the true frames before it (teacher forcing).

        Args:
            text: symbol numbers, 0 for padding, `(B, N)`.
            mel: the true coarse mel, `(B, T, n_mels)`.
        """
        mel = mel.to(self.text_encoder.embedding.weight.dtype)
        before = F.pad(mel, (0, 0, 1, 0))[:, :-1]  # one frame later, a zero frame first
        key, value = self.text_encoder.encode(text)
        query = self.audio_encoder(before)
        text_mask = text != 0 if self.spec.mask_text else None
        joined, attention = attend(query, key, value, text_mask)
        logits = self.audio_decoder(joined).float()
        return Text2MelOutput(logits, torch.sigmoid(logits), attention)


def attend(
    query: Tensor, key: Tensor, value: Tensor, text_mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Look up the text for every frame (paper section 3.1).

    Args:
        query: from the audio encoder, `(B, T, d)`.
        key: from the text encoder, `(B, N, d)`.
        value: from the text encoder, `(B, N, d)`.
        text_mask: True where there is text, `(B, N)`; nothing is masked without it.

    Returns:
        R, context first, `(B, T, 2d)`, and the attention A `(B, N, T)`, each frame's weights
        summing to 1 over the text.
    """
    scores = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5  # (B, T, N)
    if text_mask is not None:
        scores = scores.masked_fill(~text_mask[:, None, :], float("-inf"))
    weights = torch.softmax(scores.float(), dim=-1)
    context = weights.to(value.dtype) @ value  # (B, T, d)
    return torch.cat((context, query), dim=-1), weights.transpose(1, 2)


def guide(
    text_lengths: Tensor, frame_lengths: Tensor, n: int, t: int, width: float = 0.2
) -> Tensor:
    """Return the penalty W for attention away from the diagonal (paper section 4.2).

    W = 1 − exp(−(n/N − t/T)² / (2·width²)), with N and T of each utterance.

    Args:
        text_lengths: N of each utterance, `(B,)`.
        frame_lengths: T of each utterance in coarse frames, `(B,)`.
        n: text positions of the matrix.
        t: frames of the matrix.
        width: standard deviation of the diagonal band, the paper's g.

    Returns:
        `(B, n, t)`, zero on the diagonal and towards 1 away from it.
    """
    device = text_lengths.device
    rows = torch.arange(n, device=device)[None, :, None] / text_lengths[:, None, None]
    columns = torch.arange(t, device=device)[None, None, :] / frame_lengths[:, None, None]
    return 1.0 - torch.exp(-((rows - columns) ** 2) / (2.0 * width * width))
