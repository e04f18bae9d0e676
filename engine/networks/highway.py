"""The highway layer in one operation: its gradient passes over less memory than torch's would."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from engine.networks.convolution import (
    Taps,
    add_gradient_of_x,
    convolve,
    few_launches,
    gradients_of,
)
from engine.networks.dropout import Context, drop, drop_alike


def highway(
    x: Tensor,
    weights: tuple[Tensor, Tensor],
    places: tuple[int, int],
    norm: tuple[Tensor, Tensor],
    epsilon: float,
    share: float,
) -> Tensor:
    """Convolve, normalise, and let so much of the candidate into `x` `(B, T, C)`.

    Args:
        x: what comes in.
        weights: the convolution's weight and bias, the gate's half first.
        places: its dilation, and how many frames before the present one it sees.
        norm: weights and biases of the layer normalisation, each `(2, C)`.
        epsilon: of the normalisation.
        share: how much is dropped.
    """
    way = _AtOnce if few_launches(x) else _InHalves
    mixed: Tensor = way.apply(  # type: ignore[no-untyped-call]
        x, *weights, *norm, *places, epsilon, share
    )
    return mixed


class _Half(NamedTuple):
    """The gate, or the candidate."""

    convolved: Tensor
    mean: Tensor
    rstd: Tensor
    value: Tensor


def mix(
    halves: Sequence[Tensor], x: Tensor, weights: Tensor, biases: Tensor, epsilon: float
) -> tuple[Tensor, list[_Half]]:
    """Normalise gate and candidate, and let so much of the candidate into `x`."""
    made = []
    for half, weight, bias in zip(halves, weights, biases, strict=True):
        half = half.contiguous()
        value, mean, rstd = torch.native_layer_norm(half, half.shape[-1:], weight, bias, epsilon)
        made.append(_Half(half, mean, rstd, value))
    gate, candidate = made
    # x + s·(c − x) is s·c + (1 − s)·x with one product fewer.
    return torch.lerp(x, candidate.value, gate.value.sigmoid_()), made


class _InHalves(Function):
    """Gate and candidate apart, as a CPU is fastest."""

    @staticmethod
    def forward(
        ctx: Context,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        norm_weight: Tensor,
        norm_bias: Tensor,
        dilation: int,
        left: int,
        epsilon: float,
        share: float,
    ) -> Tensor:
        halves, kept = convolve(x, Taps(weight, dilation, left), bias, parts=2)
        mixed, (gate, candidate) = mix(halves, x, norm_weight, norm_bias, epsilon)
        drawn = None
        if share > 0:
            mixed, drawn = drop(mixed, share)
        ctx.save_for_backward(x, weight, norm_weight, norm_bias, drawn, *gate, *candidate, *kept)
        ctx.places, ctx.share = (dilation, left), share
        return mixed

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, norm_weight, norm_bias, drawn, *halves = ctx.saved_tensors
        size = len(_Half._fields)
        gate, candidate = _Half(*halves[:size]), _Half(*halves[size : 2 * size])
        if drawn is not None:
            gradient = drop_alike(gradient, drawn, ctx.share)
        of_candidate = gradient * gate.value
        # g·(c − x)·s·(1 − s)
        of_gate = torch.sub(candidate.value, x).mul_(of_candidate)
        of_gate.addcmul_(of_gate, gate.value, value=-1)
        found = [
            torch.ops.aten.native_layer_norm_backward(
                of_half, half.convolved, x.shape[-1:], half.mean, half.rstd, own_weight, own_bias,
                [True, True, True],
            )
            for of_half, half, own_weight, own_bias in zip(
                (of_gate, of_candidate), (gate, candidate), norm_weight, norm_bias, strict=True
            )
        ]  # fmt: skip
        of_halves, *of_norm = zip(*found, strict=True)
        taps, kept = Taps(weight, *ctx.places), halves[2 * size :]
        of = gradients_of(of_halves, kept, x.shape, taps, wants_x=True)
        assert of.x is not None
        of_x = of.x.add_(gradient).sub_(of_candidate)
        return of_x, of.weight, of.bias, *map(torch.stack, of_norm), None, None, None, None


class _AtOnce(Function):
    """Gate and candidate side by side, `(B, T, 2, C)`: a GPU launches a third less for it."""

    @staticmethod
    def forward(
        ctx: Context,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        norm_weight: Tensor,
        norm_bias: Tensor,
        dilation: int,
        left: int,
        epsilon: float,
        share: float,
    ) -> Tensor:
        (both,), kept = convolve(x, Taps(weight, dilation, left), bias)
        both = both.reshape(*x.shape[:2], 2, -1)
        normal, mean, rstd = torch.native_layer_norm(both, both.shape[-1:], None, None, epsilon)
        value = torch.addcmul(norm_bias, normal, norm_weight)
        gate, candidate = value.unbind(2)
        mixed = torch.lerp(x, candidate, gate.sigmoid_())
        drawn = None
        if share > 0:
            mixed, drawn = drop(mixed, share)
        ctx.save_for_backward(x, weight, norm_weight, drawn, both, normal, mean, rstd, value, *kept)
        ctx.places, ctx.share = (dilation, left), share
        return mixed

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, norm_weight, drawn, both, normal, mean, rstd, value, *kept = ctx.saved_tensors
        if drawn is not None:
            gradient = drop_alike(gradient, drawn, ctx.share)
        gate, candidate = value.unbind(2)
        # Of the biases and of the weights, summed up together.
        of_norm = value.new_empty((2, *value.shape))
        of_gate, of_candidate = of_norm[0].unbind(2)
        torch.mul(gradient, gate, out=of_candidate)
        through = torch.sub(candidate, x).mul_(gradient)
        torch.ops.aten.sigmoid_backward.grad_input(through, gate, grad_input=of_gate)
        torch.mul(of_norm[0], normal, out=of_norm[1])
        of_biases, of_weights = of_norm.sum((1, 2))
        of_both = torch.ops.aten.native_layer_norm_backward(
            of_norm[0] * norm_weight, both, both.shape[-1:], mean, rstd, None, None,
            [True, False, False],
        )[0].flatten(2)  # fmt: skip
        of_x = torch.sub(gradient, of_candidate, out=x.new_empty(x.shape))
        taps = Taps(weight, *ctx.places)
        of = gradients_of([of_both], kept, x.shape, taps, wants_x=False)
        add_gradient_of_x(of_both, taps, of_x)
        return of_x, of.weight, of.bias, of_weights, of_biases, None, None, None, None
