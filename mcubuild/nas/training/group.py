"""Training in several processes (torchrun): each learns from its part of every batch, and gradients are averaged.

Without a process group there is one process, and nothing here does anything.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

Value = TypeVar("Value")


@contextmanager
def joined() -> Iterator[None]:
    """The process group that torchrun's environment describes: NCCL with a GPU each, gloo on CPUs."""
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def count() -> int:
    """Processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def first() -> bool:
    """Whether this process is the one that writes files and tells of progress."""
    return not dist.is_initialized() or dist.get_rank() == 0


def part(batch: Tensor) -> Tensor:
    """The samples of this process in a batch (N, ...): (N / count, ...)."""
    return batch[dist.get_rank() :: count()] if dist.is_initialized() else batch


def average_gradients(parameters: Sequence[torch.nn.Parameter]) -> None:
    """Replace every gradient by its mean over the processes, which must have gradients of the same parameters."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not dist.is_initialized() or not gradients:
        return
    together = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(together)
    together /= count()
    means = torch.split(together, [gradient.numel() for gradient in gradients])
    for gradient, mean in zip(gradients, means, strict=True):
        gradient.copy_(mean.view(gradient.shape))


def total(figures: Sequence[float], device: torch.device) -> list[float]:
    """Each figure's sum over the processes."""
    if not dist.is_initialized():
        return list(figures)
    sums = torch.tensor(figures, dtype=torch.float64, device=device)
    dist.all_reduce(sums)
    return [float(value) for value in sums]


def agreed(value: Value) -> Value:
    """The first process's ``value``, in all."""
    if not dist.is_initialized():
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]
