"""Depthwise convolution whose weight gradient is computed as matrix products.

On small maps torch's own gradient of depthwise weights takes ten times as long as the forward pass (oneDNN has fast
code for 3x3 kernels on larger maps only).
"""

from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from torch import Tensor

from mcubuild.ir.graph import same_padding

_LARGEST = 1 << 14
"""Input pixels times output pixels up to which the products are the faster way."""


def conv_same(x: Tensor, weight: Tensor, stride: int, groups: int) -> Tensor:
    """Convolution of square maps (N, C, H, H) with TensorFlow's SAME padding, without bias.

    Args:
        x: (N, C, H, H).
        weight: (outputs, C / groups, K, K).
        stride: in both directions.
        groups: 1, or C for a depthwise convolution.

    Returns:
        (N, outputs, ceil(H / stride), ceil(H / stride)).
    """
    size, kernel = x.shape[2], weight.shape[2]
    top, bottom, left, right = same_padding((size, size), (kernel, kernel), (stride, stride))
    plain = x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    slow = plain and groups > 1 and (kernel > 3 or size < 8)
    if slow and (size * -(-size // stride)) ** 2 <= _LARGEST:
        result: Tensor = _Depthwise.apply(x, weight, stride, (left, right, top, bottom))  # type: ignore[no-untyped-call]
        return result
    return _conv(x, weight, stride, groups, (left, right, top, bottom))


def _conv(x: Tensor, weight: Tensor, stride: int, groups: int, padding: tuple[int, int, int, int]) -> Tensor:
    if padding[0] == padding[1]:
        return F.conv2d(x, weight, None, stride, padding[0], 1, groups)
    return F.conv2d(F.pad(x, padding), weight, None, stride, 0, 1, groups)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: tuple[int, int, int, int]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return _conv(x, weight, stride, x.shape[1], padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        channels, kernel, size = x.shape[1], weight.shape[2], x.shape[2]
        left, right, top, _ = ctx.padding
        gradient = gradients[0]
        symmetric = left == right
        padded, pad = (x, left) if symmetric else (F.pad(x, ctx.padding), 0)
        to_x = torch.ops.aten.convolution_backward(
            gradient, padded, weight, None, [ctx.stride] * 2, [pad] * 2, [1, 1], False, [0, 0], channels,
            (True, False, False),
        )[0]  # fmt: skip
        if not symmetric:
            to_x = to_x[:, :, top : top + size, left : left + size]
        # Correlate every input pixel with every output pixel, then sum the pairs that a tap of the kernel joins.
        pairs = torch.bmm(_by_channel(x).transpose(1, 2), _by_channel(gradient)).view(channels, -1)
        taps = _taps(size, gradient.shape[2], kernel, ctx.stride, top)
        return to_x, (pairs @ taps).view(channels, 1, kernel, kernel), None, None


def _by_channel(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (C, N, H * W), contiguous; a plain transposition for channels_last tensors."""
    samples, channels, height, width = x.shape
    return x.permute(0, 2, 3, 1).reshape(-1, channels).t().contiguous().view(channels, samples, height * width)


@lru_cache(maxsize=64)
def _taps(size: int, out: int, kernel: int, stride: int, pad: int) -> Tensor:
    """0/1 matrix (size^2 * out^2, kernel^2): whether input pixel and output pixel meet at a tap."""
    offset = torch.arange(size)[:, None] - stride * torch.arange(out)[None, :] + pad
    meets = (offset[..., None] == torch.arange(kernel)).float()
    return torch.einsum("hpa,wqb->hwpqab", meets, meets).reshape(size * size * out * out, kernel * kernel).contiguous()
