"""Networks of real numbers that others made: quantised by samples as searched ones are, and computed as they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.splits import Split
from mcubuild.importers.files import write_imported
from mcubuild.importers.images import real_inputs
from mcubuild.importers.network import import_network, read_network
from mcubuild.importers.samples import Values, read_arrays
from mcubuild.importers.tflite import real_faces
from mcubuild.importers.tflite_file import File
from mcubuild.ir.graph import Quantization
from mcubuild.quant import scales
from mcubuild.quant.scales import Floats

if TYPE_CHECKING:  # torch, which loads for seconds, only where something is quantised
    from mcubuild.quant.ranges import Method

_BITS: Final = 8


@dataclass(frozen=True)
class Calibration:
    """By what real numbers get levels."""

    samples: Callable[[File], list[Values]]
    """Of a file, (N, elements) an input, which lie as its tensors."""
    method: "Method"
    """Which range of what they give counts."""
    pixels: tuple[float, float] | None = None
    """Of images: the real values of pixel values 0 and 255, which are the input's range."""


def of_images(train: Split, most: int, pixels: tuple[float, float] | None, method: "Method") -> Calibration:
    """By ``most`` of the images of ``train``, as many of each class as its share."""

    def samples(file: File) -> list[Values]:
        from mcubuild.nas.training.batches import spread

        shapes = [file.tensors[index].shape for index in file.inputs]
        return [real_inputs(str(file.path), real_faces(file), shapes, spread(train, most), pixels)]

    return Calibration(samples, method, pixels)


def of_arrays(paths: Sequence[str], root: Path, method: "Method") -> Calibration:
    """By all samples in .npy files, relative to ``root``, one an input."""
    return Calibration(lambda file: read_arrays(paths, real_faces(file), root), method)


def write_quantized(path: Path, calibration: Calibration | None, out: Path) -> int:
    """Import the network in ``path`` and write what ``write_imported`` does to the existing folder ``out``.

    Levels that the file does not say are found by ``calibration``; by how many samples is returned.

    Raises:
        BuildError: the network cannot be imported, or the samples do not fit it.
    """
    quantizers = list[Calibrated]()

    def quantizer(file: File) -> Calibrated:
        assert calibration is not None
        quantizers.append(Calibrated(file, calibration))
        return quantizers[0]

    imported = import_network(path, None if calibration is None else quantizer)
    calibrated = sum(each.samples for each in quantizers)
    write_imported(imported, out, calibrated=calibrated)
    return calibrated


class Calibrated:
    """Levels by what a network computes of samples, and by its weights: an ``importers.integers.Quantizer``."""

    def __init__(self, file: File, calibration: Calibration) -> None:
        """For ``file``; it is run when the first range is asked for."""
        self._file, self._calibration = file, calibration
        self.samples = 0
        """By how many the ranges were found."""

    @cached_property
    def _ranges(self) -> dict[int, tuple[float, float]]:
        from mcubuild.quant.floating import ranges_of

        samples = self._calibration.samples(self._file)
        self.samples = len(samples[0])
        found = ranges_of(self._file, samples, self._calibration.method)
        if self._calibration.pixels is not None:  # whatever the samples hold
            found |= dict.fromkeys(self._file.inputs, self._calibration.pixels)
        return found

    def activation(self, index: int) -> Quantization:
        """By the range of tensor ``index``."""
        low, high = self._ranges[index]
        return scales.activation(min(low, high), max(low, high))

    def constant(self, values: Floats) -> tuple[NDArray[np.int8], Quantization]:
        """By its smallest and largest element."""
        found = scales.activation(float(values.min()), float(values.max()))
        levels = np.clip(np.round(values / found.scale[0]) + found.zero_point, -128, 127)
        return levels.astype(np.int8), found

    def weights(
        self, values: Floats, bias: Floats, axis: int, input_scale: float
    ) -> tuple[NDArray[np.int8], NDArray[np.int32], tuple[float, ...]]:
        """Symmetric, a scale a channel."""
        first = np.moveaxis(values, axis, 0)
        layer = scales.weighted(first, bias, scales.channel_scales(first, _BITS), input_scale, _BITS)
        return np.ascontiguousarray(np.moveaxis(layer.weights, 0, axis)), layer.bias, layer.scales


def real_outputs(path: Path, inputs: Sequence[Values]) -> NDArray[np.float32]:
    """What the network in ``path`` computes in floating point, (N, elements): its outputs flattened and side by side.

    Args:
        path: of the file.
        inputs: (N, elements) an input, which lie as the file's tensors.

    Raises:
        BuildError: the network cannot be computed in floating point.
    """
    from mcubuild.quant.floating import outputs_of

    return outputs_of(read_network(path), inputs)
