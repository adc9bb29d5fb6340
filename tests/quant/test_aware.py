"""Quantisation-aware fine-tuning: it sees what integers compute, it helps, and it runs only where something is lost."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from mcubuild.data.resize import network_input
from mcubuild.data.splits import Split
from mcubuild.ir.executor import run, run_all
from mcubuild.ir.files import read_graph
from mcubuild.ir.graph import INT4, Graph, Quantization
from mcubuild.ir.ops.weighted import FullyConnected, Weighted
from mcubuild.ir.widths import weight_bits
from mcubuild.nas.space.baselines import Baseline
from mcubuild.nas.space.blocks import Described
from mcubuild.nas.space.skeleton import skeleton
from mcubuild.nas.training import fit
from mcubuild.nas.training.batches import at_resolution, to_tensor
from mcubuild.nas.training.network import Network
from mcubuild.nas.training.recipe import calibrate, evaluate
from mcubuild.nas.training.scratch import train_from_scratch
from mcubuild.quant.aware import Simulated, Steps
from mcubuild.quant.grid import put_on_grid
from mcubuild.quant.quantize import quantize, quantized
from mcubuild.quant.ranges import observe
from mcubuild.quant.scales import activation
from mcubuild.quant.weights import read_network
from mcubuild.resolution import square
from mcubuild.spec.quantize import QuantizeSettings
from mcubuild.spec.training import TrainingSettings
from mcubuild.tasks.classification.learning import ClassLearning
from mcubuild.tasks.learning import Learning
from tests.quant.networks import random_network, random_samples

SMALL = Baseline("smallcifar", 0.1, square(8), 1, 10)
LEARNING = ClassLearning("drawings")


def digits() -> tuple[Split, Split]:
    """Samples to learn from and to be judged by."""
    found = load_digits()
    split = Split((found.images[..., None] * 15).astype(np.uint8), found.target.astype(np.int64))
    return Split(split.x[:1200], split.y[:1200]), Split(split.x[1200:1500], split.y[1200:1500])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of ``SMALL``, trained for a second."""
    out = tmp_path_factory.mktemp("trained")
    settings = TrainingSettings(epochs=10, learning_rate=0.1, label_smoothing=0)
    train_from_scratch(SMALL, *digits(), settings, learning=LEARNING, seed=0, out=out, work=out / "work")
    return out / "weights.safetensors"


def quantize_digits(weights: Path, out: Path, bits: int, **settings: Any) -> dict[str, Any]:
    """quantize_log.json of ``SMALL``."""
    asked = QuantizeSettings.model_validate({"epochs": 3, **settings})
    quantize(SMALL, weights, *digits(), asked, bits=bits, learning=LEARNING, seed=0, out=out, work=out / "work")
    log: dict[str, Any] = json.loads((out / "quantize_log.json").read_text())
    return log


def simulate(
    arch: Described, network: Network, samples: Split, bits: int, activations: int = 8
) -> tuple[Simulated, Graph]:
    """The quantised graph of ``network`` and what learns in its place."""
    plain = skeleton(arch, bits, activations)
    put_on_grid(network, weight_bits(plain))
    calibrate(network, samples)
    narrow = {tensor.name for tensor in plain.activations() if tensor.packed}
    ranges = observe(network, [op.output for op in plain.ops], samples, "percentile", narrow)
    graph = quantized(plain, network, ranges)
    simulated = Simulated(network, graph)
    # What learning changes, batch norm above all, must reach the integers, too.
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1 + 0.1 * torch.sin(torch.arange(parameter.numel()).float()).view_as(parameter))
        for steps in simulated.modules():
            if isinstance(steps, Steps):
                steps.logarithm.add_(0.1)
    return simulated.eval(), quantized(plain, network, ranges | simulated.ranges())


def resnet8() -> tuple[Described, Network]:
    """One with shortcuts that are convolutions, and one that ends in ReLU."""
    arch = Baseline("resnet8", 0.5, square(12), 1, 5)
    torch.manual_seed(0)
    network = Network(arch)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.1, 0.3)
    return arch, network


def rounded_apart(graph: Graph, op: Weighted) -> float:
    """The share of outputs that rounding twice moves by one.

    A sum times a scale of m x 2^-n, 0.5 <= m < 1, is rounded to a multiple of 2^-n first. What lies less than 2^-(n+1)
    under a half becomes a half, which is rounded up.
    """
    into, weights, out = (graph.tensor(name).quantization for name in (op.operands[0], op.weights, op.output))
    assert into is not None and weights is not None and out is not None
    exponents = np.frexp(into.scale[0] * np.asarray(weights.scale) / out.scale[0])[1]
    return float(np.where(exponents < 0, 2.0 ** (exponents - 1), 0).mean())


def test_steps_are_learned() -> None:
    """From a step that is far too large or too small they come near the one of the least error."""
    x = torch.randn(64, 500, generator=torch.Generator().manual_seed(0))

    def error(steps: Steps) -> torch.Tensor:
        found: torch.Tensor = (steps(x) - x).square().mean()
        return found

    errors = []
    for scale in (0.1, 1.2):
        steps = Steps(Quantization((scale,), 0), INT4)
        optimiser = torch.optim.SGD(steps.parameters(), lr=20)
        before = float(error(steps).detach())
        for _ in range(100):
            optimiser.zero_grad()
            error(steps).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        errors.append(float(error(steps).detach()))
        assert errors[-1] < 0.5 * before
        low, high = steps.range
        assert activation(low, high, INT4).scale[0] == pytest.approx(float(steps.scale.detach()), rel=1e-6)
    assert errors[0] == pytest.approx(errors[1], rel=0.05)


@pytest.mark.parametrize(("bits", "activations"), [(8, 8), (4, 8), (4, 4)])
@pytest.mark.parametrize("make", [lambda: random_network(3), resnet8], ids=["bottlenecks", "resnet8"])
def test_every_operator_is_simulated(
    make: Callable[[], tuple[Described, Network]], bits: int, activations: int
) -> None:
    """Given the same integers it gives the same, but where rounding twice (gemmlowp's way) makes a difference."""
    arch, network = make()
    samples = at_resolution(random_samples(1, 60), square(12))
    simulated, graph = simulate(arch, network, samples, bits, activations)
    integers = run_all(graph, network_input(random_samples(9, 10).x, square(12)))

    def real(name: str) -> torch.Tensor:
        quantization = graph.tensor(name).quantization
        assert quantization is not None
        return torch.from_numpy(quantization.scale[0] * (integers[name] - np.float32(quantization.zero_point))).float()

    for op in graph.ops:
        inputs = [real(name) for name in op.operands]
        inputs = [x.flatten(1) if isinstance(op, FullyConnected) else x.permute(0, 3, 1, 2) for x in inputs]
        with torch.no_grad():
            output = simulated.network.get_submodule(op.output)(*inputs)
        expected = real(op.output)
        quantization = graph.tensor(op.output).quantization
        assert quantization is not None
        steps = (output.permute(0, 2, 3, 1) if output.ndim == 4 else output).sub(expected) / quantization.scale[0]
        assert steps.abs().max() < 1.01, op.output
        share = rounded_apart(graph, op) if isinstance(op, Weighted) else 0
        assert steps.abs().mean() < share + 4 * math.sqrt(share * (1 - share) / steps.numel()) + 0.01, op.output


@pytest.mark.parametrize("bits", [8, 4])
def test_a_trained_network_answers_alike(trained: Path, bits: int) -> None:
    train, val = digits()
    network = read_network(SMALL, trained)
    simulated, graph = simulate(SMALL, network, train, bits)
    with torch.no_grad():
        logits = simulated(to_tensor(val.x)).numpy()
    integers = run(graph, network_input(val.x, square(8)))
    quantization = graph.tensor("classifier").quantization
    assert quantization is not None
    steps = logits / quantization.scale[0] + quantization.zero_point - integers
    assert np.abs(steps).mean() < 0.2
    assert (logits.argmax(axis=1) == integers.argmax(axis=1)).mean() > 0.99


def test_gradients_pass_the_rounding(trained: Path) -> None:
    train, _ = digits()
    simulated, _ = simulate(SMALL, read_network(SMALL, trained), train, 4)
    simulated(to_tensor(train.x[:32])).square().sum().backward()
    for name, parameter in simulated.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_lost_accuracy_is_regained(trained: Path, tmp_path: Path) -> None:
    log = quantize_digits(trained, tmp_path, 4)
    assert log["float"] - log["calibrated"] > 0.01
    assert log["learned"] > log["calibrated"] + 0.01 and log["kept"] == "learned"
    assert len(log["epochs"]) == 3
    _, val = digits()
    graph = read_graph(tmp_path)
    assert (run(graph, network_input(val.x, square(8))).argmax(axis=1) == val.y).mean() == log["learned"]
    for op in graph.ops:
        if isinstance(op, Weighted):
            assert graph.tensor(op.weights).bits == 4 and np.abs(graph.constants[op.weights]).max() <= 7


def test_a_network_that_loses_little_stays_as_it_is(trained: Path, tmp_path: Path) -> None:
    logs = []
    for name, epochs in (("asked", 3), ("never", 0)):
        (tmp_path / name).mkdir()
        logs.append(quantize_digits(trained, tmp_path / name, 8, method="minmax", epochs=epochs))
    assert logs[0] == logs[1] and logs[0]["learned"] is None and logs[0]["kept"] == "calibrated"
    for name in ("model.json", "model.npz"):
        assert (tmp_path / "asked" / name).read_bytes() == (tmp_path / "never" / name).read_bytes()
    assert not (tmp_path / "asked" / "work").exists(), "nothing was trained"


def test_what_learning_makes_worse_is_not_kept(trained: Path, tmp_path: Path) -> None:
    plain = quantize_digits(trained, tmp_path, 4, epochs=0)
    before = (tmp_path / "model.npz").read_bytes()
    log = quantize_digits(trained, tmp_path, 4, epochs=1, learning_rate=3.0)
    assert plain["calibrated"] == log["calibrated"] > log["learned"] and log["kept"] == "calibrated"
    assert (tmp_path / "model.npz").read_bytes() == before


def test_the_same_seed_gives_the_same_bits_also_after_an_interruption(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    whole.mkdir()
    torn.mkdir()
    quantize_digits(trained, whole, 4)
    calls: list[int] = []

    def fails_once(network: Any, samples: Split, learning: Learning) -> tuple[float, float]:
        calls.append(len(samples))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return evaluate(network, samples, learning)

    monkeypatch.setattr(fit, "evaluate", fails_once)
    with pytest.raises(KeyboardInterrupt):
        quantize_digits(trained, torn, 4)
    quantize_digits(trained, torn, 4)
    assert len(calls) == 4, "the first epoch was not done again"
    for name in ("model.json", "model.npz", "quantize_log.json"):
        assert (whole / name).read_bytes() == (torn / name).read_bytes()
