"""Quantisation-aware fine-tuning: a network learns with the rounding that integers will bring.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference" (arXiv
1712.05877), with the float network as the teacher. Ranges of 8 bits stay as they were calibrated; steps of 4 bits are
learned with the weights: Esser et al., "Learned Step Size Quantization" (arXiv 1902.08153).
"""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import torch
from torch import Tensor, nn

from mcubuild.data.splits import Split
from mcubuild.ir.graph import Clamp, Graph, Quantization
from mcubuild.ir.ops.pool import Pool
from mcubuild.ir.ops.weighted import Weighted
from mcubuild.ir.widths import weight_bits
from mcubuild.nas.training.fit import distilled, fit_alone
from mcubuild.nas.training.length import WITH_ROUNDING, length_of
from mcubuild.nas.training.network import ConvNorm, Network
from mcubuild.nas.training.recipe import Log, calibrate, device, workers
from mcubuild.progress import bar
from mcubuild.quant.grid import folded, put_on_grid
from mcubuild.quant.ranges import Range
from mcubuild.spec.quantize import QuantizeSettings
from mcubuild.tasks.learning import Learning

Hook: TypeAlias = Callable[[nn.Module, object, Tensor], Tensor]
"""Module, inputs and output -> the output to go on with."""

_NOTHING: Final = 1e-12
"""Steps below are those of channels without weights."""


class Steps(nn.Module):
    """Rounds an activation of 4 bits to its integers, whose step is learned."""

    def __init__(self, quantization: Quantization, limits: Clamp) -> None:
        super().__init__()
        self._initial, self._zero_point, self._limits = quantization.scale[0], quantization.zero_point, limits
        self.logarithm = nn.Parameter(torch.zeros(()))
        """Of the step, as a multiple of the calibrated one: so that it stays positive."""

    @property
    def scale(self) -> Tensor:
        """The step."""
        return self._initial * self.logarithm.exp()

    @property
    def range(self) -> Range:
        """The smallest and the largest value."""
        low, high = (float(self.scale.detach()) * (limit - self._zero_point) for limit in self._limits)
        return low, high

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...), rounded; gradients pass (straight-through) where nothing is clipped."""
        share = 1 / math.sqrt(x[0].numel() * self._limits[1])  # as many numbers pull at the step
        scale = self.scale * share + (self.scale * (1 - share)).detach()
        levels = (x / scale + self._zero_point).clamp(*self._limits)
        return (levels + (levels.round() - levels).detach() - self._zero_point) * scale


class Simulated(nn.Module):
    """A float network that computes what its quantised graph computes, but for the rounding of sums to fixed point.

    Gradients pass the rounding (straight-through) where it does not clip. As each channel's grid is that of the weights
    before batch norm, folding batch norm in later changes no integer, and it may follow the batches while it learns.
    """

    def __init__(self, network: Network, graph: Graph) -> None:
        """Put ``network`` on the grid of the ``graph``'s weights and round what its operators give, in place."""
        super().__init__()
        put_on_grid(network, weight_bits(graph))
        self._steps = nn.ModuleList()
        self._learned: dict[str, Steps] = {}
        for op in graph.ops:
            module = network.get_submodule(op.output)
            if isinstance(op, Weighted):
                # Not ConvNorm's own output, which has gone through its activation.
                before = module.sums if isinstance(module, ConvNorm) else module
                before.register_forward_hook(_bias_rounding(module, self._scale(graph, op.input)))
            if isinstance(op, Pool) and graph.tensor(op.input).packed:
                self._learned[op.output] = self._learned[op.input]  # of what is rounded already
            elif graph.tensor(op.output).packed:
                steps = Steps(graph.quantization(op.output), graph.tensor(op.output).limits)
                self._learned[op.output] = steps
                self._steps.append(steps)
                module.register_forward_hook(_stepping(steps))
            else:
                module.register_forward_hook(_rounding(graph, op.output))
        self.network = network

    def _scale(self, graph: Graph, name: str) -> Callable[[], float]:
        """That of an activation, as it is when asked for."""
        if name in self._learned:
            steps = self._learned[name]
            return lambda: float(steps.scale.detach())
        scale = graph.scale(name)[0]
        return lambda: scale

    def ranges(self) -> dict[str, Range]:
        """Those of activations of 4 bits, as they were learned, by name."""
        return {name: steps.range for name, steps in self._learned.items()}

    def forward(self, images: Tensor) -> Tensor:
        """Pixels / 255 (N, channels, R, R) -> logits (N, classes)."""
        logits: Tensor = self.network(images)
        return logits


def _stepping(steps: Steps) -> Hook:
    return lambda _module, _inputs, output: steps(output)


def _rounding(graph: Graph, name: str) -> Hook:
    """Rounds a module's output to the integers of the activation ``name``."""
    (scale, zero_point), limits = graph.scale(name), graph.tensor(name).limits
    return lambda _module, _inputs, output: torch.fake_quantize_per_tensor_affine(output, scale, zero_point, *limits)


def _bias_rounding(module: nn.Module, input_scale: Callable[[], float]) -> Hook:
    """Adds what rounding the bias of the layer ``module`` changes: its steps are coarse where those of the weights are.

    The bias is that of batch norm's running statistics, also where batch norm itself takes the batch's.
    """

    def hook(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        with torch.no_grad():
            _, bias, scales = folded(module)
            assert scales is not None, "layers are on a grid"
            steps = (input_scale() * scales).clamp(min=_NOTHING)
            error = (bias / steps).round() * steps - bias
        return output + error.view(1, -1, *(1,) * (output.ndim - 2))

    return hook


def finetune_simulated(
    network: Network,
    graph: Graph,
    teacher: Network,
    train: Split,
    val: Split,
    settings: QuantizeSettings,
    *,
    learning: Learning,
    seed: int,
    work: Path,
) -> tuple[Log, dict[str, Range]]:
    """Fine-tune ``network`` as ``Simulated``, in place, and leave it on the grid of its weights, batch norm calibrated.

    Args:
        network: float.
        graph: its quantised graph.
        teacher: the float network whose answers it learns besides the labels.
        train: the samples to learn from, at the network's resolution.
        val: the samples for the log's accuracies, at the network's resolution.
        settings: epochs, batch, learning rate.
        learning: how networks learn their task.
        seed: of the order of samples.
        work: folder for checkpoints of this very job; a killed run goes on from there to the same bits.

    Returns:
        The entries of its rounds, and the ranges that were learned, by the activation's name.
    """
    simulated = Simulated(network, graph).to(device())
    teacher.to(device())

    with workers() as executor:
        objective = distilled(simulated, teacher, learning, settings.label_smoothing, executor)
        progress = partial(bar, "quantisation-aware")
        length = length_of(settings, WITH_ROUNDING, len(train))
        log = fit_alone(
            progress, simulated, objective, train, val, settings, length, learning=learning, seed=seed, work=work
        )
        calibrate(simulated, train)
    network.cpu()
    return log, simulated.ranges()
