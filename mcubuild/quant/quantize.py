"""Float network + samples -> quantised graph: calibrated after training and, where that loses too much, fine-tuned.

Follows TensorFlow Lite's 8-bit specification: int8 activations with a scale and zero point a tensor, symmetric weights
with a scale a channel, int32 bias (https://ai.google.dev/edge/litert/models/quantization_spec).
"""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mcubuild.artifacts import write_artifact
from mcubuild.artifacts.quantized import QUANTIZED, Quantized
from mcubuild.data.splits import Split
from mcubuild.ir.files import write_graph
from mcubuild.ir.graph import Graph, Quantization, Tensor
from mcubuild.ir.ops.pool import Pool
from mcubuild.ir.ops.weighted import DepthwiseConv2D, FullyConnected, Weighted
from mcubuild.ir.widths import weight_bits
from mcubuild.nas.space.blocks import Described
from mcubuild.nas.space.skeleton import LayerBits, skeleton
from mcubuild.nas.training.batches import at_resolution, spread
from mcubuild.nas.training.network import Network
from mcubuild.nas.training.recipe import Log, calibrate, workers
from mcubuild.progress import bar
from mcubuild.quant.aware import finetune_simulated
from mcubuild.quant.grid import folded, put_on_grid
from mcubuild.quant.outputs import float_outputs, real_outputs
from mcubuild.quant.ranges import Range, observe
from mcubuild.quant.scales import activation, channel_scales, weighted
from mcubuild.quant.weights import read_network
from mcubuild.spec.quantize import QuantizeSettings
from mcubuild.tasks.learning import Learning

INPUT: Final = Quantization((float(np.float32(1 / 255)),), -128)
"""int8 = pixel - 128, and the float network sees pixel / 255."""


def quantize(
    arch: Described,
    weights: Path,
    train: Split,
    val: Split,
    settings: QuantizeSettings,
    *,
    bits: LayerBits,
    activations: int = 8,
    ends: int | None = None,
    learning: Learning,
    seed: int,
    out: Path,
    work: Path,
) -> None:
    """Write the quantised network to ``out``: model.json and model.npz, and quantize_log.json.

    The log holds the scores (0 ... 1) on ``samples`` validation samples: ``float``, ``calibrated`` (integers, after
    post-training quantisation) and ``learned`` (integers, after quantisation-aware fine-tuning; null if more than
    ``tolerance`` was not lost); which of the two was ``kept``; and the log of the fine-tuning's rounds, ``epochs``.

    Args:
        arch: of the network.
        weights: its trained weights, a .safetensors file.
        train: training samples, at any resolution; ``settings.samples`` of them, as many of each class as its
            share, calibrate the ranges, and batch norm where weights have less than 8 bits.
        val: the samples, at any resolution, that decide.
        settings: how ranges are found, what may be lost, how the network is fine-tuned.
        bits: of the weights, 8 or 4; of all layers, or by their names.
        activations: bits of the activations, 8 or 4.
        ends: bits of the weights of the first and the last layer, where they are others.
        learning: how networks learn their task.
        seed: of the order of samples.
        out: folder, made if missing.
        work: folder for checkpoints of this very job; a killed run goes on from there to the same bits.

    Raises:
        BuildError: the weights are missing or belong to another network.
    """
    exact = read_network(arch, weights)
    network, plain = copy.deepcopy(exact), skeleton(arch, bits, activations, ends)
    samples = at_resolution(spread(train, settings.samples), arch.resolution)
    with workers():
        widths = weight_bits(plain)
        if min(widths.values()) < 8:
            _adapt_batch_norm(network, samples, widths)
        ranges = observe(
            network,
            [op.output for op in plain.ops],
            samples,
            settings.method,
            {tensor.name for tensor in plain.activations() if tensor.packed},
        )
    graph = quantized(plain, network, ranges)
    val = at_resolution(val, arch.resolution)
    with bar("validate", 2 * len(val)) as progress:
        reference = _score(float_outputs(exact, val, progress), val, learning)
        calibrated = _score(real_outputs(graph, val, progress), val, learning)
    log: Log = []
    learned: float | None = None
    kept: Literal["calibrated", "learned"] = "calibrated"
    if settings.epochs != 0 and reference - calibrated > settings.tolerance:
        train = at_resolution(train, arch.resolution)
        log, learned_ranges = finetune_simulated(
            network, graph, exact, train, val, settings, learning=learning, seed=seed, work=work
        )
        other = quantized(plain, network, ranges | learned_ranges)
        with bar("validate", len(val)) as progress:
            learned = _score(real_outputs(other, val, progress), val, learning)
        if learned > calibrated:
            graph, kept = other, "learned"
    write_graph(graph, out)
    told = Quantized(len(val), reference, calibrated, learned, kept, settings.tolerance, log)
    write_artifact(told, out / QUANTIZED)


def _score(outputs: NDArray[np.float32], samples: Split, learning: Learning) -> float:
    return learning.score(torch.from_numpy(outputs), torch.from_numpy(learning.wanted(samples.x, samples.targets)))


def quantized(graph: Graph, network: Network, ranges: Mapping[str, Range]) -> Graph:
    """The skeleton ``graph`` with the quantised weights of ``network``, batch norm folded in.

    Args:
        graph: the network's skeleton; its weights' ``bits`` are those quantised to.
        network: float, in evaluation mode; layers on a grid keep the grid's scales.
        ranges: of every operator's output, by name.
    """
    exact = copy.deepcopy(network).double()
    tensors, constants = dict(graph.tensors), dict(graph.constants)
    for name in graph.inputs:
        tensors[name] = replace(tensors[name], quantization=INPUT)
    for op in graph.ops:
        quantization = activation(*ranges[op.output], tensors[op.output].limits)
        if isinstance(op, Pool):
            quantization = _of(tensors[op.input])
        tensors[op.output] = replace(tensors[op.output], quantization=quantization)
        if not isinstance(op, Weighted):
            continue
        bits, input_scale = tensors[op.weights].bits, _of(tensors[op.input]).scale[0]
        parts = folded(exact.get_submodule(op.output))
        weights, bias = (part.detach().numpy() for part in parts[:2])
        scales = channel_scales(weights, bits) if parts[2] is None else parts[2].detach().numpy()
        layer = weighted(weights, bias, scales, input_scale, bits)
        bias_scales = (np.float32(input_scale) * np.array(layer.scales, np.float32)).tolist()
        tensors[op.weights] = replace(tensors[op.weights], quantization=Quantization(layer.scales, 0, op.channel_axis))
        tensors[op.bias] = replace(tensors[op.bias], quantization=Quantization(tuple(bias_scales), 0, 0))
        constants[op.weights] = _arranged(layer.weights, op)
        constants[op.bias] = layer.bias
    return graph.with_values(tensors, constants)


def _adapt_batch_norm(network: Network, samples: Split, bits: Mapping[str, int]) -> None:
    """Put the weights on their grid and estimate batch norm's statistics anew from what layers compute with them.

    Coarse weights shift and stretch what every layer puts out; batch norm takes that back, at no cost as it is folded
    in afterwards. Eight bits change too little to give up the statistics of the whole training set for those of the
    samples.
    """
    put_on_grid(network, bits)
    calibrate(network, samples)


def _of(tensor: Tensor) -> Quantization:
    assert tensor.quantization is not None, f"{tensor.name} comes before its quantisation"
    return tensor.quantization


def _arranged(weights: NDArray[np.int8], op: Weighted) -> NDArray[np.int8]:
    """Weights in torch's order (outputs, inputs, height, width) as the graph has them."""
    if isinstance(op, FullyConnected):
        return weights
    return weights.transpose(1, 2, 3, 0) if isinstance(op, DepthwiseConv2D) else weights.transpose(0, 2, 3, 1)
