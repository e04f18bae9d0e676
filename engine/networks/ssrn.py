"""SSRN: from the coarse mel to the full magnitude spectrogram (paper section 3.4)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from engine.networks.layers import (
    Convolution,
    ConvolutionLayer,
    HighwayLayer,
    Upsampling,
    output_layer,
)
from engine.networks.specs import SSRNSpec


class SSRNOutput(NamedTuple):
    """What SSRN says of a batch."""

    logits: Tensor
    """Before the sigmoid, `(B, 4T, n_bins)`."""
    magnitude: Tensor
    """The normalised magnitude in the unit interval, `(B, 4T, n_bins)`."""


class SSRN(nn.Module):
    """The network that sharpens: four frames and all bins for every coarse mel frame."""

    def __init__(self, spec: SSRNSpec) -> None:
        super().__init__()
        self.spec = spec
        settings = {"epsilon": spec.epsilon, "dropout": spec.dropout}
        c = spec.hidden

        def convolution(inputs: int, outputs: int, *, relu: bool = False) -> nn.Module:
            return ConvolutionLayer(Convolution(inputs, outputs), relu=relu, **settings)

        def highway(width: int, dilation: int) -> nn.Module:
            return HighwayLayer(Convolution(width, 2 * width, 3, dilation), **settings)

        self.layers = nn.ModuleList(
            (
                convolution(spec.n_mels, c),
                highway(c, 1),
                highway(c, 3),
                Upsampling(c, **settings),
                highway(c, 1),
                highway(c, 3),
                Upsampling(c, **settings),
                highway(c, 1),
                highway(c, 3),
                convolution(c, 2 * c),
                highway(2 * c, 1),
                highway(2 * c, 1),
                convolution(2 * c, spec.n_bins),
                convolution(spec.n_bins, spec.n_bins, relu=True),
                convolution(spec.n_bins, spec.n_bins, relu=True),
                output_layer(
                    spec.n_bins, spec.n_bins, epsilon=spec.epsilon, dropout=spec.logit_dropout
                ),
            )
        )

    def forward(self, mel: Tensor) -> SSRNOutput:
        """Sharpen a coarse mel `(B, T, n_mels)`."""
        x = mel.to(next(self.parameters()).dtype)
        for layer in self.layers:
            x = layer(x)
        logits = x.float()
        return SSRNOutput(logits, torch.sigmoid(logits))
