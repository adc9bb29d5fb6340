"""Post-training quantisation: float network + calibration samples -> quantised graph.

Follows TensorFlow Lite's 8-bit specification: int8 activations with a scale and zero point a tensor, symmetric weights
with a scale a channel, int32 bias (https://ai.google.dev/edge/litert/models/quantization_spec).
"""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mcubuild.data.resize import resize
from mcubuild.data.splits import Split
from mcubuild.ir.files import write_graph
from mcubuild.ir.graph import DepthwiseConv2D, FullyConnected, Graph, Pool, Quantization, Tensor, Weighted
from mcubuild.nas.network import ConvNorm, Network
from mcubuild.nas.rows import Described
from mcubuild.nas.skeleton import skeleton
from mcubuild.nas.training import calibrate, workers
from mcubuild.quant.ranges import Range, observe
from mcubuild.quant.scales import Floats, activation, channel_scales, rounded, weighted
from mcubuild.quant.weights import read_network
from mcubuild.spec.quantize import QuantizeSettings

INPUT: Final = Quantization((float(np.float32(1 / 255)),), -128)
"""int8 = pixel - 128, and the float network sees pixel / 255."""


def quantize(arch: Described, weights: Path, train: Split, settings: QuantizeSettings, *, bits: int, out: Path) -> None:
    """Write the quantised network to ``out``: model.json and model.npz.

    Args:
        arch: of the network.
        weights: its trained weights, a .safetensors file.
        train: training samples, at any resolution; ``settings.samples`` of them, evenly spread, calibrate the
            ranges, and batch norm where weights have less than 8 bits.
        settings: how ranges are found.
        bits: of the weights, 8 or 4.
        out: folder, made if missing.

    Raises:
        BuildError: the weights are missing or belong to another network.
    """
    network = read_network(arch, weights)
    chosen = np.linspace(0, len(train) - 1, min(settings.samples, len(train))).round().astype(np.int64)
    samples = Split(resize(train.x[chosen], arch.resolution), train.y[chosen])
    graph = skeleton(arch, bits)
    with workers():
        if bits < 8:
            _adapt_batch_norm(network, samples, bits)
        ranges = observe(network, [op.output for op in graph.ops], samples, settings.method)
    write_graph(quantized(graph, network, ranges), out)


def quantized(graph: Graph, network: Network, ranges: Mapping[str, Range]) -> Graph:
    """The skeleton ``graph`` with the quantised weights of ``network``, batch norm folded in.

    Args:
        graph: the network's skeleton; its weights' ``bits`` are those quantised to.
        network: float, in evaluation mode.
        ranges: of every operator's output, by name.
    """
    exact = copy.deepcopy(network).double()
    tensors, constants = dict(graph.tensors), dict(graph.constants)
    for name in graph.inputs:
        tensors[name] = replace(tensors[name], quantization=INPUT)
    for op in graph.ops:
        quantization = activation(*ranges[op.output])
        if isinstance(op, Pool):
            quantization = _of(tensors[op.input])
        tensors[op.output] = replace(tensors[op.output], quantization=quantization)
        if not isinstance(op, Weighted):
            continue
        axis = 3 if isinstance(op, DepthwiseConv2D) else 0
        weights, bias = _folded(exact.get_submodule(op.output))
        input_scale = _of(tensors[op.input]).scale[0]
        layer = weighted(weights, bias, input_scale, tensors[op.weights].bits)
        bias_scales = (np.float32(input_scale) * np.array(layer.scales, np.float32)).tolist()
        tensors[op.weights] = replace(tensors[op.weights], quantization=Quantization(layer.scales, 0, axis))
        tensors[op.bias] = replace(tensors[op.bias], quantization=Quantization(tuple(bias_scales), 0, 0))
        constants[op.weights] = _arranged(layer.weights, op)
        constants[op.bias] = layer.bias
    return graph.with_values(tensors, constants)


@torch.no_grad()
def _adapt_batch_norm(network: Network, samples: Split, bits: int) -> None:
    """Round the convolutions' weights and estimate batch norm's statistics anew from what they compute now.

    Coarse weights shift and stretch what every layer puts out; batch norm takes that back, at no cost as it is folded
    in afterwards. A channel's scale follows the factor that folding multiplies it with, so that folding and
    quantising leave the rounded weights where they are. Eight bits change too little to give up the statistics of the
    whole training set for those of the samples.
    """
    for module in network.modules():
        if isinstance(module, ConvNorm):
            weights = module.conv.weight.double().numpy()
            scales = channel_scales(weights, bits)
            values = rounded(weights, scales, bits) * scales[:, None, None, None]
            module.conv.weight.copy_(torch.from_numpy(values))
    calibrate(network, samples)


def _of(tensor: Tensor) -> Quantization:
    assert tensor.quantization is not None, f"{tensor.name} comes before its quantisation"
    return tensor.quantization


def _folded(module: nn.Module) -> tuple[Floats, Floats]:
    """Weights (channels, ...) and bias (channels,) of a layer, with its batch norm."""
    if isinstance(module, ConvNorm):
        weights, bias = module.folded()
    else:
        assert isinstance(module, nn.Linear), f"{type(module).__name__} has no weights"
        weights, bias = module.weight, module.bias
    return weights.detach().numpy(), bias.detach().numpy()


def _arranged(weights: NDArray[np.int8], op: Weighted) -> NDArray[np.int8]:
    """Weights in torch's order (outputs, inputs, height, width) as the graph has them."""
    if isinstance(op, FullyConnected):
        return weights
    return weights.transpose(1, 2, 3, 0) if isinstance(op, DepthwiseConv2D) else weights.transpose(0, 2, 3, 1)
