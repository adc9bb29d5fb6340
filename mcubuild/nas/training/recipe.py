"""What training a super network and fine-tuning share: schedule, determinism, checkpoints, batch-norm statistics."""

import ctypes
import io
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mcubuild.checkpoint import restore, save
from mcubuild.data.splits import Split
from mcubuild.errors import BuildError
from mcubuild.nas.training import group
from mcubuild.nas.training.batches import calibration_batches, evaluation_batches
from mcubuild.nas.training.length import Length
from mcubuild.processor import gpus
from mcubuild.progress import Bar, Progress
from mcubuild.tasks.learning import Learning

MOMENTUM = 0.9
WEIGHT_DECAY = 1e-4
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Of malloc.h."""
_PLENTY = 1 << 30

Entry: TypeAlias = dict[str, float]
"""Figures of one round: loss, accuracy, ..."""
Log: TypeAlias = list[Entry]


class Stateful(Protocol):
    """A module or optimiser."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that a step changes."""

    def load_state_dict(self, state: dict[str, Any], /) -> Any:
        """Set what ``state_dict`` gave."""


def make_deterministic(threads: int) -> None:
    """Same inputs, same bits: deterministic algorithms, and sums split over a given number of threads.

    The number of threads is a property of the calling thread, all else of the process.
    """
    # Without it cuBLAS may add in any order; it is read when CUDA starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # Otherwise torch fills each new tensor with NaN, to find operations that read such: 8 % of the time.
    filling: Any = torch.utils.deterministic
    filling.fill_uninitialized_memory = False


@contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """``make_deterministic``, for a while."""
    filling: Any = torch.utils.deterministic
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), filling.fill_uninitialized_memory
    make_deterministic(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        filling.fill_uninitialized_memory = before[2]


@contextmanager
def workers() -> Iterator[Executor]:
    """Threads for whole networks, each of which computes alone: results depend neither on their number nor on timing.

    Sharing single operations among cores would make sums depend on the number of cores, gains little on networks this
    small, and loses much on a machine that is busy otherwise.
    """
    alone: dict[str, Any] = {"initializer": torch.set_num_threads, "initargs": (1,)}
    threads = max(1, (os.cpu_count() or 1) // group.count())
    _keep_memory()
    with deterministic(threads=1), ThreadPoolExecutor(threads, **alone) as executor:
        yield executor


def _keep_memory() -> None:
    """Let the C library reuse what is freed for all threads, where it is glibc, instead of giving it back.

    By default tensors of some megabytes are new pages from the system each time, which it must clear: a fifth of a
    step's time.
    """
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        for option, value in ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, _PLENTY), (_M_TRIM_THRESHOLD, _PLENTY)):
            tune(option, value)


def device() -> torch.device:
    """Where to train: a GPU, if there is one.

    Raises:
        BuildError: PyTorch's answer is not what keys in the store are made from.
    """
    usable, found = torch.cuda.is_available(), gpus()
    if usable != bool(found):
        what = f"the GPU {found[0]!r}, which it cannot use" if found else "a GPU of which /dev says nothing"
        raise BuildError(
            f"PyTorch {torch.__version__} has {what}, so results would be kept under wrong keys. Install the PyTorch "
            f"and the driver that go with it, or train on the processor: CUDA_VISIBLE_DEVICES=-1."
        )
    return torch.device("cuda", torch.cuda.current_device()) if usable else torch.device("cpu")


def device_of(network: nn.Module) -> torch.device:
    """Where the network's weights are; the CPU, if it has none."""
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))


def mixed_precision(network: nn.Module) -> torch.autocast:
    """Convolutions and products in bfloat16 on a GPU that has it: its range is float32's, so losses need no scaling.

    It holds for the thread that enters it alone.
    """
    on_gpu = device_of(network).type == "cuda"
    return torch.autocast(
        "cuda" if on_gpu else "cpu", torch.bfloat16, on_gpu and torch.cuda.is_bf16_supported(including_emulation=False)
    )


def sgd(network: nn.Module) -> torch.optim.SGD:
    """Nesterov SGD; weight decay on convolutions and the classifier, not on batch norm and biases."""
    decayed = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim == 1]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=0.0, momentum=MOMENTUM, nesterov=True)


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Let the next step of ``optimiser`` have this learning ``rate``."""
    for parameters in optimiser.param_groups:
        parameters["lr"] = rate


def rounds(
    progress: Progress,
    length: Length,
    work: Path,
    state: Mapping[str, Stateful],
    run: Callable[[Log, Bar], Entry],
) -> Log:
    """Run the rounds of a training, each followed by a checkpoint in the folder ``work``.

    A run that was killed goes on behind its last complete round, to the same bits: what is random in a round must
    derive from the seed and the round's number.

    Args:
        progress: opens the progress bar.
        length: of the training.
        work: folder of this very job, with what an interrupted run left.
        state: what the rounds change, by name.
        run: runs the round behind those of the log that it gets, advances the bar by its steps, and returns its entry.

    Returns:
        The log of all rounds.
    """
    path = work / "checkpoint.pt"
    log: Log = []
    # Only the first process is sure to see the folder: others may run on other machines.
    checkpoint = group.agreed(_restored(path) if group.first() else None)
    if checkpoint is not None:
        log = checkpoint["log"]
        for name, part in state.items():
            part.load_state_dict(checkpoint["state"][name])
    with progress(length.total, len(log) * length.steps) as shown:
        while len(log) * length.steps < length.ends(log)[1]:
            log.append(group.agreed(run(log, shown)))
            if group.first():
                _save({"log": log, "state": {name: part.state_dict() for name, part in state.items()}}, path)
    return log


def _restored(path: Path) -> dict[str, Any] | None:
    """What ``_save`` wrote last, if anything."""
    content = restore(path)
    if content is None:
        return None
    checkpoint: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return checkpoint


def _save(checkpoint: dict[str, Any], path: Path) -> None:
    content = io.BytesIO()
    torch.save(checkpoint, content)
    save(path, content.getvalue())


@torch.no_grad()
def calibrate(network: nn.Module, samples: Split) -> None:
    """Set batch norm's statistics to those of ``samples``, the mean over batches, and the network to evaluation."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
    network.train()
    for images in calibration_batches(samples):
        network(images.to(device_of(network)))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()


@torch.no_grad()
def judge(network: nn.Module, samples: Split, learning: Learning) -> tuple[NDArray[np.float64], float]:
    """The loss of each sample (N,), and the score of all answers, of a network in evaluation mode."""
    losses, answers, asked = [], [], []
    for images, targets in evaluation_batches(samples, learning):
        outputs = network(images.to(device_of(network))).cpu()
        losses.append(learning.losses(outputs, targets).double().numpy())
        answers.append(outputs)
        asked.append(targets)
    return np.concatenate(losses), learning.score(torch.cat(answers), torch.cat(asked))


def evaluate(network: nn.Module, samples: Split, learning: Learning) -> tuple[float, float]:
    """Score and mean loss of a network in evaluation mode."""
    losses, score = judge(network, samples, learning)
    return score, float(losses.mean())
