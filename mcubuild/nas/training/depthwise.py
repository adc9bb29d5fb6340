"""Convolutions of maps, among them those of series, one pixel wide.

On CPUs the weight gradient of large depthwise kernels takes another way than torch's, which takes five to ten times as
long as the forward pass: oneDNN has fast code only for kernels of up to three columns, and on maps that are larger than
the kernel. So larger kernels are cut into bands of three columns or two, and on maps too small for that the gradient is
computed as matrix products.
"""

from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from torch import Tensor

from mcubuild.ir.geometry import same_padding

_BANDS = {5: (0, 3, 5), 7: (0, 2, 5, 7)}
"""By kernel: where its bands of columns begin, and the end of the last."""
_LARGEST = 1 << 14
"""Input pixels times output pixels up to which the products are the faster way."""


def conv_same(x: Tensor, weight: Tensor, stride: int, groups: int, bias: Tensor | None = None) -> Tensor:
    """Convolution of maps (N, C, H, W) with TensorFlow's SAME padding.

    Args:
        x: (N, C, H, W).
        weight: (outputs, C / groups, K, K), or (..., K, 1) where maps are one pixel wide.
        stride: in both directions.
        groups: 1, or C for a depthwise convolution.
        bias: (outputs,); None: 0.

    Returns:
        (N, outputs, ceil(H / stride), ceil(W / stride)).
    """
    (height, width), (kernel, across) = x.shape[2:], weight.shape[2:]
    top, bottom, left, right = same_padding((height, width), (kernel, across), (stride, stride))
    plain = x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    if plain and kernel == 1 and groups == 1:
        # Also where stride is above 1: oneDNN's own gradient writes past its memory there.
        seen = x[:, :, ::stride, ::stride].permute(0, 2, 3, 1)
        return F.linear(seen, weight[:, :, 0, 0], bias).permute(0, 3, 1, 2)
    products = height * width * -(-height // stride) * -(-width // stride)
    faster = _in_bands(width, kernel, stride) or products <= _LARGEST
    if plain and groups > 1 and kernel in _BANDS and across > 1 and faster and torch.is_grad_enabled():
        result: Tensor = _Depthwise.apply(x, weight, stride, (left, right, top, bottom))  # type: ignore[no-untyped-call]
        return result if bias is None else result + bias[:, None, None]
    return _conv(x, weight, bias, stride, groups, (left, right, top, bottom))


def _conv(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, groups: int, padding: tuple[int, int, int, int]
) -> Tensor:
    left, right, top, bottom = padding
    if left == right and top == bottom:
        return F.conv2d(x, weight, bias, stride, (top, left), 1, groups)
    return F.conv2d(F.pad(x, padding), weight, bias, stride, 0, 1, groups)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: tuple[int, int, int, int]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return _conv(x, weight, None, stride, x.shape[1], padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        (_, channels, height, width), kernel = x.shape, weight.shape[2]
        left, right, top, bottom = ctx.padding
        gradient = gradients[0]
        symmetric = left == right and top == bottom
        padded, pad = (x, [top, left]) if symmetric else (F.pad(x, ctx.padding), [0, 0])
        to_x = torch.ops.aten.convolution_backward(
            gradient, padded, weight, None, [ctx.stride] * 2, pad, [1, 1], False, [0, 0], channels,
            (True, False, False),
        )[0]  # fmt: skip
        if not symmetric:
            to_x = to_x[:, :, top : top + height, left : left + width]
        if _in_bands(width, kernel, ctx.stride):
            return to_x, _by_bands(x, gradient, kernel), None, None
        return to_x, _by_products(x, gradient, kernel, ctx.stride, (top, left)), None, None


def _in_bands(width: int, kernel: int, stride: int) -> bool:
    return stride == 1 and 2 * width >= 3 * kernel


def _by_bands(x: Tensor, gradient: Tensor, kernel: int) -> Tensor:
    """Each band of columns as the kernel of a convolution of its own, at stride 1."""
    border, parts = kernel // 2, []
    for first, end in pairwise(_BANDS[kernel]):
        left, right = border - first, border - (kernel - end)
        centred = left == right
        seen = x if centred else F.pad(x, (left, right, 0, 0))
        weight = x.new_empty(x.shape[1], 1, kernel, end - first)
        parts.append(
            torch.ops.aten.convolution_backward(
                gradient, seen, weight, None, [1, 1], [border, left if centred else 0], [1, 1], False, [0, 0],
                x.shape[1], (False, True, False),
            )[1]
        )  # fmt: skip
    return torch.cat(parts, dim=3)


def _by_products(x: Tensor, gradient: Tensor, kernel: int, stride: int, pads: tuple[int, int]) -> Tensor:
    """Every input pixel correlated with every output pixel, then the sum of the pairs that a tap joins."""
    pairs = torch.bmm(_by_channel(x).transpose(1, 2), _by_channel(gradient)).view(x.shape[1], -1)
    sides = zip(x.shape[2:], gradient.shape[2:], pads, strict=True)
    taps = _taps(*sides, kernel=kernel, stride=stride)
    return (pairs @ taps).view(x.shape[1], 1, kernel, kernel)


def _by_channel(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (C, N, H * W), contiguous; a plain transposition for channels_last tensors."""
    samples, channels, height, width = x.shape
    return x.permute(0, 2, 3, 1).reshape(-1, channels).t().contiguous().view(channels, samples, height * width)


@lru_cache(maxsize=64)
def _taps(down: tuple[int, int, int], across: tuple[int, int, int], *, kernel: int, stride: int) -> Tensor:
    """0/1 matrix (input pixels * output pixels, kernel^2): whether two meet at a tap.

    ``down`` and ``across``: pixels of the input and of the output in that direction, and of the padding before them.
    """

    def meets(size: int, out: int, pad: int) -> Tensor:
        offset = torch.arange(size)[:, None] - stride * torch.arange(out)[None, :] + pad
        return (offset[..., None] == torch.arange(kernel)).float()

    both = torch.einsum("hpa,wqb->hwpqab", meets(*down), meets(*across))
    return both.reshape(-1, kernel * kernel).contiguous()
