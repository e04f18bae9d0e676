"""Convolutions over time as matrix products, channels last, with gradients of their own.

torch's convolutions reach 60 to 85 % of the speed of its matrix products on a CPU, backwards above
all, and have no fast bfloat16 on many. The output comes in equal parts, each in memory of its own,
so that a layer which normalises parts of the channels need not take them apart first.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# Numbers of which the sizes of a product are best a multiple.
_ALIGNED = 16
# From channels of so many bytes on a third of the products is worth more than the additions for it.
_WINOGRAD_BYTES = 1024
# Nor below so many frames of all clips: the weights are transformed each time.
_WINOGRAD_ROWS = 512
# Frames that Winograd's blocks may have, as a multiple of those that there are.
_WINOGRAD_PADDING = 1.2


class Taps(NamedTuple):
    """The taps of a convolution."""

    weight: Tensor
    """`(out, taps, in)`, the oldest frame's first."""
    dilation: int
    """Frames from one tap to the next."""
    left: int
    """Frames of zeros before the first; as many follow the last as the taps still need."""


class Gradients(NamedTuple):
    """The gradients of a convolution."""

    x: Tensor | None
    """None where it was not wanted."""
    weight: Tensor
    bias: Tensor


class Convolved(NamedTuple):
    """What a convolution yields."""

    parts: list[Tensor]
    """The output channels in equal parts, each `(B, T, out / parts)`."""
    kept: tuple[Tensor, ...]
    """What the gradients need besides the taps."""


def few_launches(x: Tensor) -> bool:
    """Whether operations should be few, even if each is slower: on a GPU they cost by the piece."""
    return not x.is_cpu


def matmul(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multiply two matrices, and add a bias to each row; without gradients.

    In fp32 by oneDNN: torch's own products are MKL's, which has no AVX-512 for CPUs of AMD and
    reaches less than half of their speed.
    """
    if a.is_cpu and a.dtype == torch.float32 and _has_onednn():
        product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b.T, bias, "none", [], "")
        return product
    return a @ b if bias is None else torch.addmm(bias, a, b)


@lru_cache
def _has_onednn() -> bool:
    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return there and torch.backends.cpu.get_cpu_capability() == "AVX512"


def convolve(x: Tensor, taps: Taps, bias: Tensor, parts: int = 1) -> Convolved:
    """Convolve `x` `(B, T, in)`, of the weights' precision, over time."""
    way = _winograd if _winograd_pays(x.shape, taps) else _side_by_side
    return way(x, taps, bias.chunk(parts))


def gradients_of(
    parts: Sequence[Tensor],
    kept: Sequence[Tensor],
    shape: torch.Size,
    taps: Taps,
    *,
    wants_x: bool,
) -> Gradients:
    """Return the gradients of a convolution of an input of a shape, from those of its parts."""
    way = _winograd_gradients if _winograd_pays(shape, taps) else _side_by_side_gradients
    return way(parts, kept, shape, taps, wants_x)


def _winograd_pays(shape: torch.Size, taps: Taps) -> bool:
    batch, frames, channels = shape
    weight = taps.weight
    return (
        weight.device.type == "cpu"
        and weight.shape[1] == 3
        and channels * weight.element_size() >= _WINOGRAD_BYTES
        and batch * frames >= _WINOGRAD_ROWS
        and 2 * taps.dilation * _pairs(frames, taps.dilation) <= _WINOGRAD_PADDING * frames
    )


def _side_by_side(x: Tensor, taps: Taps, biases: Sequence[Tensor]) -> Convolved:
    """Lay all taps of a frame side by side and multiply them by the weights: one product a part."""
    weight, dilation, left = taps
    count, frames = weight.shape[1], x.shape[1]
    if count > 1:
        padded = _padded(x, left, (count - 1) * dilation - left)
        places = [padded[:, i * dilation : i * dilation + frames] for i in range(count)]
        x = torch.cat(places, dim=-1)
    rows = _aligned(x.reshape(-1, x.shape[-1]), (1,))
    parts = []
    for bias, own in zip(biases, weight.flatten(1).chunk(len(biases)), strict=True):
        product = matmul(rows, _aligned(own, (0, 1)).T, _aligned(bias, (0,)))
        parts.append(product[:, : len(bias)].view(*x.shape[:2], -1))
    return Convolved(parts, (rows,))


def _padded(x: Tensor, left: int, right: int) -> Tensor:
    """Add frames of zeros; a GPU would launch one kernel more for it."""
    if not few_launches(x):
        return F.pad(x, (0, 0, left, right))
    zero = _zero(x.dtype, x.device)
    before, after = (zero.expand(len(x), side, x.shape[2]) for side in (left, right))
    return torch.cat((before, x, after), dim=1)


@lru_cache
def _zero(dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(mode=False):
        return torch.zeros((1, 1, 1), dtype=dtype, device=device)


def _side_by_side_gradients(
    parts: Sequence[Tensor],
    kept: Sequence[Tensor],
    shape: torch.Size,
    taps: Taps,
    wants_x: bool,
) -> Gradients:
    weight, flat = taps.weight, taps.weight.flatten(1)
    gradient = (torch.cat([*parts], dim=-1) if len(parts) > 1 else parts[0]).flatten(0, 1)
    rows = _aligned(gradient, (1,))
    of_weight = matmul(rows.T, kept[0])[: flat.shape[0], : flat.shape[1]].reshape(weight.shape)
    of_x = None
    if wants_x:
        of_taps = matmul(rows, _aligned(flat, (0, 1)))[:, : flat.shape[1]]
        of_x = _add_taps(of_taps.view(*shape[:2], *weight.shape[1:]), taps)
    return Gradients(of_x, of_weight, gradient.sum(0))


def _aligned(matrix: Tensor, dimensions: Sequence[int]) -> Tensor:
    """Fill dimensions up with zeros to sizes that products are fast with; numbers stay the same.

    SSRN's 1,025 bins would take 1.4 times as long in single precision on a CPU, and miss the tensor
    cores of a GPU. bfloat16 on a CPU does not mind.
    """
    missing = [-matrix.shape[i] % _ALIGNED if i in dimensions else 0 for i in range(matrix.ndim)]
    if not any(missing) or (matrix.is_cpu and matrix.dtype == torch.bfloat16):
        return matrix
    return F.pad(matrix, [side for size in reversed(missing) for side in (0, size)])


def _add_taps(of_taps: Tensor, taps: Taps) -> Tensor:
    """Add up the gradients `(B, T, taps, in)` of the same frame as a tap of different ones."""
    frames, count = of_taps.shape[1:3]
    shifts = [i * taps.dilation - taps.left for i in range(count)]
    of_x = of_taps[:, :, shifts.index(0)]
    if count > 1:
        of_x = of_x.clone()
    for tap, shift in enumerate(shifts):
        first, end = max(0, -shift), min(frames, frames - shift)
        if shift and first < end:
            of_x[:, first + shift : end + shift].add_(of_taps[:, first:end, tap])
    return of_x


def add_gradient_of_x(gradient: Tensor, taps: Taps, onto: Tensor) -> None:
    """Add the gradient of the input `(B, T, in)` to a tensor; `gradient` is `(B, T, out)`.

    A product for each tap adds to it, which moves less memory of a GPU than adding up products.
    """
    frames = gradient.shape[1]
    for tap, own in enumerate(taps.weight.unbind(1)):
        shift = tap * taps.dilation - taps.left
        first, end = max(0, -shift), min(frames, frames - shift)
        if not shift:
            onto.flatten(0, 1).addmm_(gradient.flatten(0, 1), own)
        elif first < end:
            into = onto[:, first + shift : end + shift]
            into.baddbmm_(gradient[:, first:end], own.expand(len(gradient), *own.shape))


def _winograd(x: Tensor, taps: Taps, biases: Sequence[Tensor]) -> Convolved:
    """Make three taps in two thirds of the products: F(2, 3) of Lavin and Gray (arXiv 1509.09308).

    Two frames a dilation apart need four of the input. With these as d and the taps as g, the
    frames are m0 + m1 + m2 and m1 − m2 − m3, where m0 = (d0 − d2) g0,
    m1 = (d1 + d2) (g0 + g1 + g2) / 2, m2 = (d2 − d1) (g0 − g1 + g2) / 2, m3 = (d1 − d3) g2.
    """
    weight, dilation, left = taps
    batch, frames, channels = x.shape
    pairs = _pairs(frames, dilation)
    right = 2 * dilation * (pairs + 1) - left - frames
    padded = F.pad(x, (0, 0, left, right)).view(batch, pairs + 1, 2, dilation, channels)
    even, odd = padded[:, :, 0], padded[:, :, 1]
    d0, d1, d2, d3 = even[:, :-1], odd[:, :-1], even[:, 1:], odd[:, 1:]
    data = x.new_empty(4, batch, pairs, dilation, channels)
    torch.sub(d0, d2, out=data[0])
    torch.add(d1, d2, out=data[1])
    torch.sub(d2, d1, out=data[2])
    torch.sub(d1, d3, out=data[3])
    data, transformed = data.view(4, -1, channels), _transform(weight)
    m = [
        one.view(batch, pairs, dilation, -1).chunk(len(biases), dim=-1)
        for one in _products(data, transformed.transpose(1, 2))
    ]
    parts = []
    for bias, m0, m1, m2, m3 in zip(biases, *m, strict=True):
        out = x.new_empty(batch, pairs, 2, dilation, len(bias))
        torch.add(m1, m2, out=out[:, :, 0]).add_(m0).add_(bias)
        torch.sub(m1, m2, out=out[:, :, 1]).sub_(m3).add_(bias)
        parts.append(out.view(batch, -1, len(bias))[:, :frames])
    return Convolved(parts, (data, transformed))


def _winograd_gradients(
    parts: Sequence[Tensor],
    kept: Sequence[Tensor],
    shape: torch.Size,
    taps: Taps,
    wants_x: bool,
) -> Gradients:
    data, transformed = kept
    batch, frames, channels = shape
    outputs, dilation = len(taps.weight), taps.dilation
    pairs = _pairs(frames, dilation)
    of_m = data.new_empty(4, batch, pairs, dilation, outputs)
    for part, into in zip(parts, of_m.chunk(len(parts), dim=-1), strict=True):
        padded = F.pad(part, (0, 0, 0, 2 * dilation * pairs - frames))
        halves = padded.reshape(batch, pairs, 2, dilation, -1)
        first, second = halves[:, :, 0], halves[:, :, 1]
        into[0].copy_(first)
        torch.add(first, second, out=into[1])
        torch.sub(first, second, out=into[2])
        torch.neg(second, out=into[3])
    of_m = of_m.view(4, -1, outputs)
    of_weight = _transform_back(_products(of_m.transpose(1, 2), data))
    of_x = None
    if wants_x:
        m0, m1, m2, m3 = (
            one.view(batch, pairs, dilation, channels) for one in _products(of_m, transformed)
        )
        whole = data.new_empty(batch, pairs + 1, 2, dilation, channels)
        even, odd = whole[:, :, 0], whole[:, :, 1]
        even[:, 0] = odd[:, -1] = 0
        torch.add(m1, m2, out=even[:, 1:]).sub_(m0)
        even[:, :-1] += m0
        torch.sub(m1, m2, out=odd[:, :-1]).add_(m3)
        odd[:, 1:] -= m3
        of_x = whole.view(batch, -1, channels)[:, taps.left : taps.left + frames]
    return Gradients(of_x, of_weight, torch.cat([part.sum((0, 1)) for part in parts]))


def _pairs(frames: int, dilation: int) -> int:
    """Blocks of two times `dilation` frames that hold so many frames."""
    return -(-frames // (2 * dilation))


def _products(a: Tensor, b: Tensor) -> list[Tensor]:
    """Multiply the matrices of `a` by those of `b`; some of torch's batched products are slower."""
    return [matmul(one, other) for one, other in zip(a, b, strict=True)]


def _transform(weight: Tensor) -> Tensor:
    """The taps `(out, 3, in)` as the four products of F(2, 3) want them, `(4, out, in)`."""
    g0, g1, g2 = weight.unbind(1)
    taps = weight.new_empty(4, weight.shape[0], weight.shape[2])
    outer = g0 + g2
    taps[0].copy_(g0)
    torch.add(outer, g1, out=taps[1]).mul_(0.5)
    torch.sub(outer, g1, out=taps[2]).mul_(0.5)
    taps[3].copy_(g2)
    return taps


def _transform_back(of_taps: Sequence[Tensor]) -> Tensor:
    """The gradient of the weights `(out, 3, in)` from that of `_transform`."""
    outer = (of_taps[1] + of_taps[2]).mul_(0.5)
    inner = (of_taps[1] - of_taps[2]).mul_(0.5)
    return torch.stack((of_taps[0] + outer, inner, of_taps[3] + outer), dim=1)
