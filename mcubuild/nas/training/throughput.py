"""How fast a super network trains, and what share of the time is not spent in convolutions."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from mcubuild.data.splits import Split
from mcubuild.nas.space.family import Family
from mcubuild.nas.training.batches import at_resolution, training_batches
from mcubuild.nas.training.length import batch_for, steps_per_epoch
from mcubuild.nas.training.network import initialise
from mcubuild.nas.training.recipe import deterministic, device, set_learning_rate, sgd, workers
from mcubuild.nas.training.supernet import SuperNetwork
from mcubuild.nas.training.supernet_training import sandwich_rule
from mcubuild.spec.supernet import SupernetSettings
from mcubuild.tasks.learning import Learning

_PRODUCTS = ("aten::bmm", "aten::mm")
"""What gradients of depthwise weights are computed with; the classifier's own products are too small to matter."""


@dataclass(frozen=True)
class Throughput:
    """Figures of training, data included, without validation and checkpoints."""

    images: float
    """Samples a second, with all cores or the GPU; each trains every network of its step."""
    loaded: float
    """Samples a second that are read and varied, in the one thread that does it, where nothing is trained."""
    outside: float | None
    """Share (0 ... 1) of one core's time that is not spent in convolutions and their gradients; None on a GPU.

    The profiler's own time, some microseconds an operation, counts as outside.
    """
    stages: dict[str, float]
    """Milliseconds of a step, on one core: batch (order, augmentation, tensor), gradients, update."""


def measure(family: Family, train: Split, settings: SupernetSettings, *, learning: Learning, steps: int) -> Throughput:
    """Train a fresh super network of ``family`` for ``steps`` steps, after one that does not count.

    Args:
        family: the search space, and its neighbours if they learn, too.
        train: samples to learn from.
        settings: batch, networks a step, kernels; training follows the sandwich rule, in one process.
        learning: how networks learn their task.
        steps: how many to measure.
    """
    train = at_resolution(train, family.largest.resolution)
    with deterministic(threads=1):
        loaded = _loaded(train, batch_for(settings, len(train)), learning, steps)
    with workers() as executor:
        trainer = Trainer(family, train, settings, learning, executor)
        trainer.run(1)
        images = min(batch_for(settings, len(train)), len(train)) * steps / _seconds(lambda: trainer.run(steps))
    with deterministic(threads=1):
        trainer = Trainer(family, train, settings, learning, _AtOnce())
        trainer.run(1)
        trainer.stages.clear()
        trainer.run(steps)
        stages = {name: 1000 * value / steps for name, value in trainer.stages.items()}
        if device().type == "cuda":
            return Throughput(images, loaded, None, stages)
        with profile(activities=[ProfilerActivity.CPU]) as trace:
            seconds = _seconds(lambda: trainer.run(steps))
    convolutions = sum(
        event.self_cpu_time_total for event in trace.key_averages() if "conv" in event.key or event.key in _PRODUCTS
    )
    return Throughput(images, loaded, max(0.0, 1 - convolutions * 1e-6 / seconds), stages)


def _loaded(train: Split, batch: int, learning: Learning, steps: int) -> float:
    """Samples a second of ``steps`` batches, after one that does not count."""
    batches = training_batches(train, batch, steps + 1, learning, np.random.default_rng(0))
    next(batches)
    start = time.perf_counter()
    samples = sum(len(labels) for _, labels in batches)
    return samples / (time.perf_counter() - start)


class Trainer:
    """Steps of a super network that is thrown away."""

    def __init__(
        self, family: Family, train: Split, settings: SupernetSettings, learning: Learning, executor: Executor
    ) -> None:
        network = SuperNetwork(family.largest, kernel_transform=settings.kernel_transform)
        initialise(network)
        self._network = network.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._optimiser = sgd(network)
        set_learning_rate(self._optimiser, settings.learning_rate / 10)
        self._learn = sandwich_rule(network, family, learning, settings, executor)
        self._train, self._batch, self._learning = train, batch_for(settings, len(train)), learning
        self._rng = np.random.default_rng(0)
        self._batches: Iterator[tuple[Tensor, Tensor]] = iter(())
        self.stages: dict[str, float] = {}
        """Seconds so far."""

    def run(self, steps: int) -> None:
        """Make so many more steps."""
        for _ in range(steps):
            self._step()

    def _step(self) -> None:
        start = time.perf_counter()
        batch = next(self._batches, None)
        if batch is None:
            epoch = steps_per_epoch(len(self._train), self._batch)
            self._batches = training_batches(self._train, self._batch, epoch, self._learning, self._rng)
            batch = next(self._batches)
        images, labels = (tensor.to(device()) for tensor in batch)
        fetched = time.perf_counter()
        self._optimiser.zero_grad(set_to_none=True)
        self._learn(images, labels, self._rng)
        learned = time.perf_counter()
        self._optimiser.step()
        ends = {"batch": fetched - start, "gradients": learned - fetched, "update": time.perf_counter() - learned}
        for name, seconds in ends.items():
            self.stages[name] = self.stages.get(name, 0.0) + seconds


class _AtOnce(Executor):
    """Runs jobs where they are submitted: the profiler sees one thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def lines(found: Throughput) -> list[str]:
    """The figures, for people."""
    stages = ", ".join(f"{name} {milliseconds:.1f} ms" for name, milliseconds in found.stages.items())
    outside = "" if found.outside is None else f"; {100 * found.outside:.0f} % of the time outside convolutions"
    return [
        f"{found.images:.0f} images/s{outside}",
        f"batches alone, read and varied: {found.loaded:.0f} images/s, {found.loaded / found.images:.0f} times as many",
        f"a step on one core: {stages}",
    ]
