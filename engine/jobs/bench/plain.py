"""A straightforward DC-TTS, as the measure of what voicecoach's own way is worth.

Convolutions of the library in single precision, one tensor for each parameter, a wait for the loss
at every step; and for each frame that it speaks, the whole network again.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.data.batches import Batch
from engine.networks.specs import NetworkSpec, SSRNSpec, Text2MelSpec

_GUIDE_WIDTH = 0.2


class _Layer(nn.Module):
    """A convolution, its normalisation over the channels, and dropout; `(B, C, T)`."""

    def __init__(self, inputs: int, outputs: int, *, relu: bool = False, dropout: float) -> None:
        super().__init__()
        self.convolution: nn.Module = nn.Conv1d(inputs, outputs, 1)
        self.norm = nn.LayerNorm(outputs)
        self.relu = relu
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        x = _normalised(self.norm, self.convolution(x))
        return F.dropout(F.relu(x) if self.relu else x, self.dropout, self.training)


class _Highway(nn.Module):
    """A gated convolution."""

    def __init__(
        self, width: int, kernel: int, dilation: int, *, causal: bool, dropout: float
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(width, 2 * width, kernel, dilation=dilation)
        reach = (kernel - 1) * dilation
        self.padding = (reach, 0) if causal else (reach // 2, reach // 2)
        self.gate_norm, self.candidate_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        gate, candidate = self.convolution(F.pad(x, self.padding)).chunk(2, dim=1)
        gate = torch.sigmoid(_normalised(self.gate_norm, gate))
        candidate = _normalised(self.candidate_norm, candidate)
        return F.dropout(gate * candidate + (1 - gate) * x, self.dropout, self.training)


class _Doubling(_Layer):
    """A transposed convolution that doubles the frames."""

    def __init__(self, width: int, *, dropout: float) -> None:
        super().__init__(width, width, dropout=dropout)
        self.convolution = nn.ConvTranspose1d(width, width, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, :, : 2 * x.shape[2]]


def _highways(
    width: int, *shapes: tuple[int, int], causal: bool = False, dropout: float
) -> list[nn.Module]:
    return [_Highway(width, k, step, causal=causal, dropout=dropout) for k, step in shapes]


def _normalised(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    y: Tensor = norm(x.transpose(1, 2))
    return y.transpose(1, 2)


class PlainText2Mel(nn.Module):
    """Text to coarse mel."""

    def __init__(self, spec: Text2MelSpec) -> None:
        super().__init__()
        d, wide, p = spec.hidden, 2 * spec.hidden, spec.dropout
        self.n_mels = spec.n_mels
        self.embedding = nn.Embedding(spec.vocabulary_size, spec.embedding, padding_idx=0)
        layer, highways = partial(_Layer, dropout=p), partial(_highways, dropout=p)
        growing = [(3, 3**i) for i in range(4)]
        self.text_encoder = nn.Sequential(
            layer(spec.embedding, wide, relu=True),
            layer(wide, wide),
            *highways(wide, *growing, *growing, (3, 1), (3, 1), (1, 1), (1, 1)),
        )
        self.audio_encoder = nn.Sequential(
            layer(spec.n_mels, d, relu=True),
            layer(d, d, relu=True),
            layer(d, d),
            *highways(d, *growing, *growing, (3, 3), (3, 3), causal=True),
        )
        self.audio_decoder = nn.Sequential(
            layer(wide, d),
            *highways(d, *growing, (3, 1), (3, 1), causal=True),
            *(layer(d, d, relu=True) for _ in range(3)),
            layer(d, spec.n_mels, dropout=0.0),
        )

    def forward(self, text: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits `(B, n_mels, T)` and attention `(B, N, T)` of `text` `(B, N)` and `mel`
        `(B, n_mels, T)`."""
        key, value = self.text_encoder(self.embedding(text).transpose(1, 2)).chunk(2, dim=1)
        query = self.audio_encoder(F.pad(mel, (1, 0))[:, :, :-1])
        scores = key.transpose(1, 2) @ query / query.shape[1] ** 0.5
        attention = torch.softmax(scores, dim=1)
        return self.audio_decoder(torch.cat((value @ attention, query), dim=1)), attention


class PlainSSRN(nn.Module):
    """Coarse mel to magnitude."""

    def __init__(self, spec: SSRNSpec) -> None:
        super().__init__()
        c, p, bins = spec.hidden, spec.dropout, spec.n_bins
        layer, highways = partial(_Layer, dropout=p), partial(_highways, dropout=p)
        self.layers = nn.Sequential(
            layer(spec.n_mels, c),
            *highways(c, (3, 1), (3, 3)),
            _Doubling(c, dropout=p),
            *highways(c, (3, 1), (3, 3)),
            _Doubling(c, dropout=p),
            *highways(c, (3, 1), (3, 3)),
            layer(c, 2 * c),
            *highways(2 * c, (3, 1), (3, 1)),
            layer(2 * c, bins),
            *(layer(bins, bins, relu=True) for _ in range(2)),
            layer(bins, bins, dropout=0.0),
        )

    def forward(self, mel: Tensor) -> Tensor:
        """Return logits `(B, n_bins, 4T)` of `mel` `(B, n_mels, T)`."""
        logits: Tensor = self.layers(mel)
        return logits


class PlainTrainer:
    """Makes steps as most ports do."""

    def __init__(self, spec: NetworkSpec, device: torch.device) -> None:
        """Build the network with random weights."""
        network = PlainText2Mel(spec) if isinstance(spec, Text2MelSpec) else PlainSSRN(spec)
        self.network = network.to(device).train()
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-4)
        self._device = device

    def step(self, batch: Batch) -> float:
        """Make a step, and wait for its loss."""
        loss = self.backward(batch.to(self._device))
        nn.utils.clip_grad_value_(self.network.parameters(), 1.0)
        self._optimizer.step()
        return loss.item()

    def backward(self, batch: Batch) -> Tensor:
        """Compute the loss and the gradients."""
        self._optimizer.zero_grad()
        mel = batch.mel.transpose(1, 2)
        if isinstance(self.network, PlainText2Mel):
            logits, attention = self.network(batch.text, mel)
            loss = _spectral_loss(logits, mel) + _off_diagonal(attention)
        else:
            assert batch.magnitude is not None
            loss = _spectral_loss(self.network(mel), batch.magnitude.transpose(1, 2))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss


def _spectral_loss(logits: Tensor, target: Tensor) -> Tensor:
    bits = F.binary_cross_entropy_with_logits(logits, target)
    return F.l1_loss(torch.sigmoid(logits), target) + bits


def _off_diagonal(attention: Tensor) -> Tensor:
    n, t = attention.shape[1:]
    rows = torch.arange(n, device=attention.device)[:, None] / n
    columns = torch.arange(t, device=attention.device)[None, :] / t
    weight = 1 - torch.exp(-((rows - columns) ** 2) / (2 * _GUIDE_WIDTH**2))
    return (attention * weight).mean()


@torch.inference_mode()
def speak_plainly(text2mel: PlainText2Mel, text: Tensor, frames: int, every: int = 1) -> Tensor:
    """Speak `text` `(1, N)` frame by frame, computing everything anew for each: `(n_mels, T)`.

    Where `every` is 10, it computes one frame in ten and leaves the others silent.
    """
    mel = torch.zeros(1, text2mel.n_mels, (every + 1) // 2)
    for _ in range(0, frames, every):
        logits, _ = text2mel(text, mel)
        mel = F.pad(torch.sigmoid(logits), (0, every))
    return mel[0, :, :frames]
