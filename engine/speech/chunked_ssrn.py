"""SSRN evaluated chunk by chunk: every frame once, with the frames around it that it looks at."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor, nn

from engine.networks.layers import ConvolutionLayer, HighwayLayer, Upsampling
from engine.networks.ssrn import SSRN
from engine.speech.synthesizer import require_finite


class ChunkedSSRN:
    """An SSRN that takes a sentence's mel in chunks.

    The magnitudes that come out equal those of its forward pass over the whole sentence; they lag
    behind by the frames that the network looks ahead.
    """

    def __init__(self, ssrn: SSRN) -> None:
        """Begin a sentence; the network is put into evaluation mode."""
        weight = next(ssrn.eval().parameters())
        self._device, self._precision = weight.device, weight.dtype
        self._layers = [_chunked(layer) for layer in ssrn.layers]

    @torch.inference_mode()
    def push(self, mel: NDArray[np.float32], *, last: bool) -> NDArray[np.float32]:
        """Take the next coarse frames `(T, n_mels)`; return the magnitudes `(4T', n_bins)` ready.

        Raises:
            EngineError: the weights yield numbers that are not finite.
        """
        x = torch.from_numpy(mel)[None].to(self._device, self._precision)
        for layer in self._layers:
            x = layer.push(x, last=last)
        # SciPy's sigmoid, because the last bit of torch's depends on the number of threads.
        magnitude: NDArray[np.float32] = expit(x[0].float().cpu().numpy())
        require_finite(magnitude, "SSRN")
        return magnitude


def _chunked(layer: nn.Module) -> "_Convolved | _Upsampled":
    if isinstance(layer, Upsampling):
        return _Upsampled(layer)
    assert isinstance(layer, ConvolutionLayer | HighwayLayer)
    return _Convolved(layer)


class _Convolved:
    """A layer whose convolution looks at frames on both sides."""

    def __init__(self, layer: ConvolutionLayer | HighwayLayer) -> None:
        self._layer = layer
        convolution = layer.convolution
        self._reach, self._left = convolution.reach, convolution.left
        # Frames before the first are zero, as the forward pass pads them.
        weight = convolution.weight
        self._kept = weight.new_zeros(1, self._left, weight.shape[2])

    def push(self, x: Tensor, *, last: bool) -> Tensor:
        """Take the next frames `(1, T, C)`; return those that have all that they look at."""
        convolution = self._layer.convolution
        x = torch.cat((self._kept, x), dim=1)
        if last:
            x = F.pad(x, (0, 0, 0, self._reach - self._left))
        count = max(0, x.shape[1] - self._reach)
        self._kept = x[:, count:]
        places = (i * convolution.dilation for i in range(convolution.kernel))
        h = convolution.mix(torch.cat([x[:, i : i + count] for i in places], dim=-1))
        if isinstance(self._layer, HighwayLayer):
            return self._layer.finish(h, x[:, self._left : self._left + count])
        return self._layer.finish(h)


class _Upsampled:
    """A layer that doubles the frames, of which the even ones also see the frame before."""

    def __init__(self, layer: Upsampling) -> None:
        self._layer = layer
        self._before = layer.weight.new_zeros(1, 1, layer.weight.shape[2])

    def push(self, x: Tensor, *, last: bool) -> Tensor:
        """Take the next frames `(1, T, C)`; return twice as many."""
        x = torch.cat((self._before, x), dim=1)
        self._before = x[:, -1:]
        doubled: Tensor = self._layer(x)
        return doubled[:, 2:]
