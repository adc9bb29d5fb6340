"""Batch norm with the statistics of the batch and ReLU6 after it, as one operation.

torch makes them of four passes over memory forwards and three backwards, a third of a step's time on a CPU; the C
beside this file makes two of either, in the vector instructions that torch itself uses on the machine.
"""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from torch import Tensor

from mcubuild.nas.activation import relu6
from mcubuild.native import load

_PROCESSORS = {"AVX512": "-march=x86_64_v4", "AVX2": "-march=x86_64_v3"}
"""The compiler's flag by what torch found the processor capable of; others get what all machines of the kind have."""
_WIDE = 256
"""More than any row that the C makes of narrow ones."""


def norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float, *, clip: bool) -> Tensor:
    """Batch norm of ``x`` by its own mean and variance, then ReLU6 if ``clip``.

    Args:
        x: (N, C, H, W).
        weight: (C,).
        bias: (C,).
        eps: added to the variance.
        clip: whether ReLU6 follows.

    Returns:
        (N, C, H, W).
    """
    if x.device.type == "cpu" and x.dtype == torch.float32:
        result: Tensor = _Norm.apply(x, weight, bias, eps, clip)  # type: ignore[no-untyped-call]
        return result
    x = F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)
    return relu6(x) if clip else x


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, clip: bool) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        y = torch.empty_like(x)
        mean, scale = torch.empty_like(weight), torch.empty_like(weight)
        tensors = (x, weight, bias, y, mean, scale, _scratch(x))
        _library().norm_forward(*map(_address, tensors), *_shape(x), ctypes.c_float(eps), int(clip))
        ctx.save_for_backward(x, weight, bias, mean, scale)
        ctx.clip = clip
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mean, scale = ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        to_x, to_weight, to_bias = torch.empty_like(x), torch.empty_like(weight), torch.empty_like(bias)
        tensors = (gradient, x, weight, bias, mean, scale, to_x, to_weight, to_bias, _scratch(x))
        _library().norm_backward(*map(_address, tensors), *_shape(x), int(ctx.clip))
        return to_x, to_weight, to_bias, None, None


def _address(tensor: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())


def _shape(x: Tensor) -> tuple[ctypes.c_longlong, ctypes.c_longlong]:
    return ctypes.c_longlong(x.numel() // x.shape[1]), ctypes.c_longlong(x.shape[1])


def _scratch(x: Tensor) -> Tensor:
    return x.new_empty(6 * max(x.shape[1], _WIDE), dtype=torch.float64)


@cache
def _library() -> ctypes.CDLL:
    processor = _PROCESSORS.get(torch.backends.cpu.get_cpu_capability())
    return load(Path(__file__).with_name("norm.c"), "-O3", *([processor] if processor else []))
