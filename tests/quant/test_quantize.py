"""The quantised graph computes what the float network computes, tensor by tensor."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mcubuild.data.resize import network_input, resize
from mcubuild.data.splits import Index, Split
from mcubuild.errors import BuildError
from mcubuild.ir.executor import run, run_all
from mcubuild.ir.files import read_graph
from mcubuild.ir.graph import Graph
from mcubuild.ir.ops.elementwise import Add
from mcubuild.ir.ops.pool import AveragePool2D
from mcubuild.ir.ops.weighted import FullyConnected
from mcubuild.ir.widths import arithmetic, weight_bits
from mcubuild.nas.space.arch import Arch, Space, smallest
from mcubuild.nas.space.skeleton import LayerBits, skeleton
from mcubuild.nas.training.batches import to_tensor
from mcubuild.nas.training.network import Network
from mcubuild.quant import quantize as quantizing
from mcubuild.quant.accuracy import evaluate
from mcubuild.resolution import Resolution, square
from mcubuild.spec.detection import DetectionSettings
from mcubuild.spec.quantize import QuantizeSettings
from mcubuild.tasks.classification.learning import ClassLearning
from mcubuild.tasks.interval import wilson
from mcubuild.tasks.reading import reading, restored
from tests.quant.networks import SIDE, quantize_random, random_network, random_samples, write_weights

Floats = NDArray[np.floating[Any]] | NDArray[np.int8]


def graph_of(arch: Arch, network: Network, out: Path, bits: LayerBits = 8, method: str = "minmax") -> Graph:
    settings = QuantizeSettings.model_validate({"samples": 48, "method": method, "epochs": 0})
    quantize_random(arch, write_weights(network, out / "w.safetensors"), settings, bits, out)
    return read_graph(out)


def real(graph: Graph, name: str, integers: Floats) -> Floats:
    """What ``integers`` of a tensor stand for."""
    quantization = graph.tensor(name).quantization
    assert quantization is not None
    return quantization.scale[0] * (integers.astype(np.float64) - quantization.zero_point)


def errors_in_steps(network: Network, graph: Graph, samples: Split, resolution: Resolution) -> dict[str, float]:
    """Root mean square error of each operator on the inputs that it gets, in steps of its output.

    Each submodule of the float network sees what the operator saw. Over the whole depth the errors of a network that
    was never trained would grow without bound, so that comparing its ends proves little.
    """
    integers = run_all(graph, network_input(samples.x, resolution))
    errors = {}
    for op in graph.ops:
        inputs = [torch.from_numpy(real(graph, name, integers[name])).float() for name in op.operands]
        inputs = [x.permute(0, 3, 1, 2) if x.ndim == 4 else x for x in inputs]
        if isinstance(op, FullyConnected):
            inputs = [x.flatten(1) for x in inputs]
        with torch.no_grad():
            output = network.get_submodule(op.output)(*inputs)
        expected = (output.permute(0, 2, 3, 1) if output.ndim == 4 else output).numpy()
        ends = [real(graph, op.output, np.array(end)) for end in (-128, 127)]
        step = (ends[1] - ends[0]) / 255
        difference = real(graph, op.output, integers[op.output]) - np.clip(expected, *ends)
        errors[op.output] = float(np.sqrt(np.square(difference).mean()) / step)
    return errors


@pytest.mark.parametrize("method", ["minmax", "percentile"])
@pytest.mark.parametrize(
    ("seed", "channels", "resolution"), [(0, 1, SIDE), (1, 3, SIDE), (2, 1, SIDE), (3, 3, Resolution(8, 20))]
)
def test_every_operator_computes_what_its_module_computes(
    tmp_path: Path, seed: int, channels: int, resolution: Resolution, method: str
) -> None:
    arch, network = random_network(seed, channels, resolution)
    graph = graph_of(arch, network, tmp_path, method=method)
    errors = errors_in_steps(network, graph, random_samples(9, 20, channels), arch.space.resolution)
    assert errors.keys() == {op.output for op in graph.ops}
    # Rounding alone gives 0.29 (a uniform error of half a step); rounded weights add to it.
    assert max(errors.values()) < 2.5, max(errors.items(), key=lambda item: item[1])
    assert np.median(list(errors.values())) < 0.5


def logit_error(network: Network, graph: Graph, samples: Split, resolution: Resolution) -> float:
    """Root mean square error of the logits as a share of their standard deviation."""
    with torch.no_grad():
        expected = network(to_tensor(resize(samples.x, resolution))).numpy()
    got = real(graph, "classifier", run(graph, network_input(samples.x, resolution)))
    return float(np.sqrt(np.square(got - expected).mean()) / expected.std())


def test_the_logits_follow_the_float_networks(tmp_path: Path) -> None:
    """Loosely, as errors grow from layer to layer where nothing was trained; a wrong layer gives above 1."""
    arch, network = random_network(0)
    assert logit_error(network, graph_of(arch, network, tmp_path), random_samples(9, 60), SIDE) < 0.8


def test_conventions(tmp_path: Path) -> None:
    arch, network = random_network(0)
    graph = graph_of(arch, network, tmp_path)
    assert graph.ops == skeleton(arch, 8).ops
    source = graph.tensor(graph.inputs[0]).quantization
    assert source is not None
    assert source.scale[0] == pytest.approx(1 / 255)
    assert source.zero_point == -128
    for op in graph.ops:
        if isinstance(op, AveragePool2D):
            assert graph.tensor(op.input).quantization == graph.tensor(op.output).quantization
        if isinstance(op, Add):
            assert graph.tensor(op.left).quantization != graph.tensor(op.output).quantization
    relu6 = graph.tensor("stem").quantization
    assert relu6 is not None
    assert relu6.zero_point == -128
    assert relu6.scale[0] <= 6.0001 / 255
    for tensor in graph.tensors.values():
        assert tensor.quantization is not None
        assert all(scale == float(np.float32(scale)) for scale in tensor.quantization.scale)
    stem = graph.tensor("stem.weights")
    assert stem.quantization is not None
    assert len(stem.quantization.scale) == stem.shape[0]


def mean_bias(network: Network, graph: Graph, samples: Split, resolution: Resolution) -> float:
    """How far the channels' means are off, as a share of the tensor's standard deviation; mean over all tensors."""
    means: dict[str, tuple[Floats, float]] = {}

    def watch(name: str, output: torch.Tensor) -> None:
        means[name] = output.numpy().mean(axis=(0, 2, 3)), float(output.std())

    maps = [op.output for op in graph.ops if not isinstance(op, FullyConnected)]
    for name in maps:
        network.get_submodule(name).register_forward_hook(lambda _module, _inputs, out, name=name: watch(name, out))
    with torch.no_grad():
        network(to_tensor(resize(samples.x, resolution)))
    integers = run_all(graph, network_input(samples.x, resolution))
    errors = []
    for name in maps:
        expected, spread = means[name]
        difference = real(graph, name, integers[name]).mean(axis=(0, 1, 2)) - expected
        errors.append(np.sqrt(np.square(difference).mean()) / spread)
    return float(np.mean(errors))


def test_four_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights lie in -7 ... 7; adapting batch norm to them takes back a good part of what they shift."""
    arch, network = random_network(4)
    graph = graph_of(arch, network, tmp_path, bits=4)
    for name in graph.constants:
        if name.endswith(".weights"):
            assert graph.tensor(name).bits == 4
            assert np.abs(graph.constants[name]).max() == 7
    monkeypatch.setattr(quantizing, "_adapt_batch_norm", lambda *_: None)
    plain = graph_of(arch, network, tmp_path, bits=4)
    samples = random_samples(9, 60)
    assert mean_bias(network, graph, samples, SIDE) < 0.75 * mean_bias(network, plain, samples, SIDE)


def test_bits_of_each_layer(tmp_path: Path) -> None:
    arch, network = random_network(4)
    wanted = {name: (8, 4)[number % 2] for number, name in enumerate(weight_bits(skeleton(arch, 8)))}
    graph = graph_of(arch, network, tmp_path, bits=wanted)
    assert weight_bits(graph) == wanted and arithmetic(graph) == "w8/4a8"
    for name, bits in wanted.items():
        assert np.abs(graph.constants[f"{name}.weights"]).max() == 2 ** (bits - 1) - 1


@pytest.mark.parametrize("bits", [8, 4])
def test_equal_inputs_give_equal_bytes(tmp_path: Path, bits: int) -> None:
    arch, network = random_network(4)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        graph_of(arch, network, tmp_path / folder, bits, "percentile")
    for name in ("model.json", "model.npz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_weights_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    arch, network = random_network(0)
    path = write_weights(network, tmp_path / "w.safetensors")
    settings = QuantizeSettings(samples=16)
    other = smallest(Space(width=0.5, resolution=square(12), channels=1, classes=5))
    with pytest.raises(BuildError, match=r"w\.safetensors: not the weights of w0\.5-r12"):
        quantize_random(other, path, settings, 8, tmp_path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BuildError, match=r"w\.safetensors: cannot be read"):
        quantize_random(arch, path, settings, 8, tmp_path)
    with pytest.raises(BuildError, match=r"none\.safetensors: cannot be read"):
        quantize_random(arch, tmp_path / "none.safetensors", settings, 8, tmp_path)


def test_accuracy(tmp_path: Path) -> None:
    """Labels are the float network's answers but for a few, so that both accuracies are known."""
    arch, network = random_network(5)
    graph = graph_of(arch, network, tmp_path)
    samples = random_samples(9, 90)
    with torch.no_grad():
        logits = network(to_tensor(resize(samples.x, arch.space.resolution))).numpy()
    labels = logits.argmax(axis=1).astype(np.int64)
    labels[:9] = (labels[:9] + 1) % 5
    index = Index("npz", "image_classification", tuple("abcde"), 30, 30, 1)
    test, reads = Split(samples.x, labels), reading(index, graph, DetectionSettings())
    evaluate(graph, arch, tmp_path / "w.safetensors", test, ClassLearning("drawings"), reads, tmp_path)
    found = json.loads((tmp_path / "accuracy.json").read_text())
    assert found["float"] == pytest.approx(0.9)
    assert found["samples"] == 90
    assert found["labels"] == labels.tolist()
    outputs = np.load(tmp_path / "int8_outputs.npy")
    predicted = outputs.argmax(axis=1)
    assert outputs.shape == (90, 5) and restored(found["classification"]) == reads
    assert found["int8"] == pytest.approx((predicted == labels).mean())
    assert found["agreement"] == pytest.approx((predicted == logits.argmax(axis=1)).mean())
    assert found["intervals"]["float"] == pytest.approx(wilson(0.9, 90))
    assert 0 < found["max_logit_error"] < 0.5 * (logits.max() - logits.min())
