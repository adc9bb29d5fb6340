"""Networks of real numbers that others made: computed as they are, and quantised by samples."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from mcubuild.errors import BuildError
from mcubuild.importers.network import import_network
from mcubuild.importers.samples import read_arrays
from mcubuild.ir.executor import run, sample_shape
from mcubuild.quant.brought import Calibrated, of_arrays, real_outputs
from tests.quant.exported import Mobile, Odd, settled

Write = Callable[[nn.Module, torch.Tensor, Path], Path]


def onnx_file(network: nn.Module, x: torch.Tensor, folder: Path) -> Path:
    pytest.importorskip("onnx")
    path = folder / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter, the only one without packages more, is deprecated
        torch.onnx.export(network, (x[:1],), str(path), dynamo=False, opset_version=17)
    return path


def pt2_file(network: nn.Module, x: torch.Tensor, folder: Path) -> Path:
    torch.export.save(torch.export.export(network, (x[:1],)), str(folder / "net.pt2"))
    return folder / "net.pt2"


def core_pt2_file(network: nn.Module, x: torch.Tensor, folder: Path) -> Path:
    """Decomposed to PyTorch's core operators."""
    program = torch.export.export(network, (x[:1],)).run_decompositions()
    torch.export.save(program, str(folder / "net.pt2"))
    return folder / "net.pt2"


def open_pt2_file(network: nn.Module, x: torch.Tensor, folder: Path) -> Path:
    """With a batch of any size."""
    shapes = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(network, (x[:2],), dynamic_shapes=shapes), str(folder / "net.pt2"))
    return folder / "net.pt2"


def compared(path: Path, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float64], int]:
    """What the file computes in floating point and in integers, (N, elements) each, in the graph's order."""
    np.save(path.parent / "x.npy", x)
    calibration = of_arrays(["x.npy"], path.parent, "percentile")
    made = list[Calibrated]()

    def quantizer(file: Any) -> Calibrated:
        made.append(Calibrated(file, calibration))
        return made[0]

    network = import_network(path, quantizer)
    given = read_arrays(["x.npy"], network.inputs, path.parent)
    levels = network.inputs[0].to_levels(given[0]).astype(np.int8)
    found = run(network.graph, levels.reshape(len(x), *sample_shape(network.graph))).reshape(len(x), -1)
    sizes = [int(np.prod(face.shape)) for face in network.outputs]
    parts = np.split(found, np.cumsum(sizes)[:-1], axis=1)
    reals = [
        face.scale * (part.astype(float) - face.zero_point) for part, face in zip(parts, network.outputs, strict=True)
    ]
    assert made[0].samples == len(x)
    return real_outputs(path, given), np.hstack(reals), sizes[0]


@pytest.mark.parametrize("write", [onnx_file, pt2_file])
@pytest.mark.parametrize("act", [nn.ReLU6, nn.Hardswish, nn.SiLU, nn.LeakyReLU, nn.PReLU])
def test_a_classifier_answers_as_in_floating_point(tmp_path: Path, act: type[nn.Module], write: Write) -> None:
    torch.manual_seed(0)
    network, x = settled(Mobile(act)), torch.randn(24, 3, 24, 24)
    exact, integers, _ = compared(write(network, x, tmp_path), x.numpy())
    with torch.no_grad():
        wanted = network(x).numpy()
    assert np.abs(exact - wanted).max() < 1e-5
    assert np.abs(integers - wanted).max() < 0.02 * np.ptp(wanted)
    assert (integers.argmax(1) == wanted.argmax(1)).mean() > 0.9


@pytest.mark.parametrize("write", [core_pt2_file, open_pt2_file])
def test_other_forms_of_programs(tmp_path: Path, write: Write) -> None:
    torch.manual_seed(0)
    network, x = settled(Mobile(nn.ReLU6)), torch.randn(8, 3, 24, 24)
    exact, _, _ = compared(write(network, x, tmp_path), x.numpy())
    with torch.no_grad():
        assert np.abs(exact - network(x).numpy()).max() < 1e-5


@pytest.mark.parametrize("write", [onnx_file, pt2_file])
def test_all_kinds_of_operators(tmp_path: Path, write: Write) -> None:
    torch.manual_seed(1)
    network, x = settled(Odd()), torch.randn(16, 4, 8, 12)
    exact, integers, size = compared(write(network, x, tmp_path), x.numpy())
    with torch.no_grad():
        classes, maps = network(x)
    for part, wanted in ((slice(size), classes), (slice(size, None), maps.permute(0, 2, 3, 1))):
        flat = wanted.flatten(1).numpy()
        assert np.abs(exact[:, part] - flat).max() < 1e-5
        assert np.abs(integers[:, part] - flat).max() < 0.05 * np.ptp(flat)


def test_without_samples_the_refusal_says_what_to_give(tmp_path: Path) -> None:
    path = onnx_file(settled(Mobile()), torch.randn(1, 3, 24, 24), tmp_path)
    with pytest.raises(
        BuildError, match=r"is not quantised; give samples to quantise it by, a dataset or \[model\] inp"
    ):
        import_network(path)
