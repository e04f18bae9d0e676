"""The layers that both networks are built of, channels last: `(B, T, C)`.

They compute in the precision of their weights. Channels last is what the layer normalisation after
each convolution wants, and what speaking frame by frame needs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from engine.networks.convolution import Taps, convolve, gradients_of
from engine.networks.dropout import Context, dropout
from engine.networks.highway import highway, mix


class Convolution(nn.Module):
    """A dilated convolution over time, `(B, T, in)` to `(B, T, out)`.

    Causal ones pad on the left only; the others as TensorFlow's SAME does for odd kernels,
    half on each side.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, dilation: int = 1, *, causal: bool = False
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.dilation = dilation
        self.causal = causal
        self.weight = nn.Parameter(torch.empty(outputs, kernel, inputs))
        self.bias = nn.Parameter(torch.empty(outputs))
        nn.init.normal_(self.weight, std=(2.0 / (kernel * inputs)) ** 0.5)
        # Zero biases leave all-zero frames with zero variance, where normalisation amplifies
        # gradients without bound.
        nn.init.uniform_(self.bias, -0.1, 0.1)

    @property
    def reach(self) -> int:
        """Frames between the first and the last tap."""
        return (self.kernel - 1) * self.dilation

    @property
    def left(self) -> int:
        """Frames before the present one that the first tap sees."""
        return self.reach if self.causal else self.reach // 2

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `x` `(B, T, in)`."""
        convolved: Tensor = _Convolve.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, self.dilation, self.left
        )
        return convolved

    def mix(self, taps: Tensor) -> Tensor:
        """Apply the weights to taps laid side by side, oldest first: `(..., kernel * in)`."""
        return F.linear(taps, self.weight.flatten(1), self.bias)


class _Convolve(Function):
    @staticmethod
    def forward(
        ctx: Context, x: Tensor, weight: Tensor, bias: Tensor, dilation: int, left: int
    ) -> Tensor:
        (out,), kept = convolve(x, Taps(weight, dilation, left), bias)
        ctx.save_for_backward(weight, *kept)
        ctx.shape, ctx.places = x.shape, (dilation, left)
        return out

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight, *kept = ctx.saved_tensors
        taps, wants_x = Taps(weight, *ctx.places), ctx.needs_input_grad[0]
        return *gradients_of([gradient], kept, ctx.shape, taps, wants_x=wants_x), None, None


class ConvolutionLayer(nn.Module):
    """Convolution, layer normalisation over channels, optional ReLU, dropout."""

    def __init__(
        self,
        convolution: Convolution,
        *,
        epsilon: float,
        dropout: float,
        relu: bool = False,
    ) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = nn.LayerNorm(convolution.bias.shape[0], eps=epsilon)
        self.relu = relu
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """Transform `x` `(B, T, in)` to `(B, T, out)`."""
        return self.finish(self.convolution(x))

    def finish(self, h: Tensor) -> Tensor:
        """Everything after the convolution, which alone looks at other frames."""
        h = self.norm(h)
        if self.relu:
            h = F.relu(h)
        return dropout(h, self.dropout, self.training)


def output_layer(inputs: int, outputs: int, *, epsilon: float, dropout: float) -> ConvolutionLayer:
    """Return the last layer before the sigmoid: convolution and layer normalisation.

    Normalised logits sum to zero over the bands, so with a gain of one sign the network could
    not say "loud" or "silent", only which bands stand out; it has to turn the sign of half the
    gains first. Gains of both signs from the start spare it that, and so do gains wide enough for
    the sigmoid's range and a bias at speech's usual level.
    """
    layer = ConvolutionLayer(Convolution(inputs, outputs), epsilon=epsilon, dropout=dropout)
    with torch.no_grad():
        layer.norm.weight.fill_(2.0)
        layer.norm.weight[1::2] *= -1
        layer.norm.bias.fill_(-0.7)
    return layer


class HighwayLayer(nn.Module):
    """Highway convolution (paper section 2.2): a learned gate between new and old activations.

    One convolution yields the gate H1 and the candidate H2, each with its own layer
    normalisation: `out = sigmoid(H1) * H2 + (1 - sigmoid(H1)) * x`.
    """

    def __init__(self, convolution: Convolution, *, epsilon: float, dropout: float) -> None:
        super().__init__()
        width = convolution.bias.shape[0] // 2
        self.convolution = convolution
        self.norm_weight = nn.Parameter(torch.ones(2, width))
        self.norm_bias = nn.Parameter(torch.zeros(2, width))
        self.epsilon = epsilon
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """Transform `x` `(B, T, C)` to the same shape."""
        convolution, share = self.convolution, self.dropout if self.training else 0.0
        places = convolution.dilation, convolution.left
        norm = self.norm_weight, self.norm_bias
        return highway(x, (convolution.weight, convolution.bias), places, norm, self.epsilon, share)

    def finish(self, h: Tensor, x: Tensor) -> Tensor:
        """Everything after the convolution, which alone looks at other frames."""
        halves = h.chunk(2, dim=-1)
        return mix(halves, x, self.norm_weight, self.norm_bias, self.epsilon)[0]


class Upsampling(nn.Module):
    """Transposed convolution of stride 2 and kernel 3, `(B, T, C)` to `(B, 2T, C)`.

    TensorFlow's SAME keeps exactly twice the frames by cutting the extra one at the end. Even
    output frames see two inputs, odd ones one, so two matrix products say it all.
    """

    def __init__(self, width: int, *, epsilon: float, dropout: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, 3, width))
        self.bias = nn.Parameter(torch.empty(width))
        self.norm = nn.LayerNorm(width, eps=epsilon)
        self.dropout = dropout
        nn.init.normal_(self.weight, std=(2.0 / (1.5 * width)) ** 0.5)
        nn.init.uniform_(self.bias, -0.1, 0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Double the frames of `x`."""
        batch, frames, width = x.shape
        before = F.pad(x, (0, 0, 1, 0))[:, :frames]  # frame t - 1 at place t
        even = F.linear(
            torch.cat((x, before), dim=-1),
            torch.cat((self.weight[:, 0], self.weight[:, 2]), dim=-1),
            self.bias,
        )
        odd = F.linear(x, self.weight[:, 1], self.bias)
        h = torch.stack((even, odd), dim=2).reshape(batch, 2 * frames, width)
        return dropout(self.norm(h), self.dropout, self.training)
