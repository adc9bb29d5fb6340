"""What an imported network is run on, and what its integer reference says to it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.artifacts import write_artifact
from mcubuild.artifacts.accuracy import ACCURACY, Accuracy, AuthorAgreement, FloatDistance, Intervals
from mcubuild.data.inventory import short_id
from mcubuild.data.splits import Split, Targets
from mcubuild.errors import BuildError
from mcubuild.importers.answers import classification, doubts, output_number
from mcubuild.importers.arrays import load
from mcubuild.importers.files import calibrated_by, read_interfaces
from mcubuild.importers.images import Range, as_inputs, real_inputs
from mcubuild.importers.interface import Interface
from mcubuild.importers.labels import read_labels
from mcubuild.ir.executor import run, sample_shape
from mcubuild.ir.graph import Graph
from mcubuild.ir.widths import arithmetic
from mcubuild.spec.model import ModelSettings
from mcubuild.tasks.classification.reading import Classification
from mcubuild.tasks.interval import wilson
from mcubuild.tasks.reading import Reading

Int8 = NDArray[np.int8]
Values = NDArray[Any]

RANDOM_RUNS = 4
"""Of a random sample, where the network remembers from run to run."""


def refer(
    graph: Graph,
    interfaces: Path,
    settings: ModelSettings,
    images: tuple[Split, int] | None,
    root: Path,
    *,
    seed: int,
    out: Path,
    exact: Callable[[Sequence[Values]], Values] | None = None,
    detects: Reading | None = None,
) -> None:
    """Write inputs.npy, int8_outputs.npy and accuracy.json to ``out``.

    The arrays are int8 (N, bytes): flattened inputs and outputs of the graph, side by side, of all runs of a sample one
    behind the other.

    Args:
        graph: the imported network.
        interfaces: what ``importers.files.write_imported`` wrote beside it.
        settings: which samples.
        images: a test split of images and the number of its classes, if the spec has a data set.
        root: folder that paths are relative to.
        seed: of random inputs.
        out: an existing folder.
        exact: what the network computes in floating point, of samples (N, elements) an input and side by side, where
            it was quantised here.
        detects: how the outputs are read, of a detector; others answer with classes.

    Raises:
        BuildError: samples are missing, damaged, or do not fit the network; or labels do not fit its outputs.
    """
    faces = read_interfaces(interfaces)
    reads: Reading | None = detects
    if detects is None and (images is not None or settings.labels is not None):  # before anything is run
        reads = classification(faces["outputs"], settings)
    labels: Targets | None = None
    ids = None
    pixels: Range | None = None
    given: Sequence[Values] = ()
    runs = 1
    if images is not None:
        test, classes = images
        if reads is not None and classes != reads.classes:
            raise BuildError(
                f"{settings.file}: it answers with {reads.classes} classes, the data set has {classes}; which is which "
                f"is not known: give [model] inputs and labels."
            )
        shapes = [graph.tensor(name).shape for name in graph.inputs]
        inputs, pixels = as_inputs(settings.file, faces["inputs"], shapes, test, settings.pixels)
        if exact is not None:
            given = [real_inputs(settings.file, faces["inputs"], shapes, test, settings.pixels)]
        labels = test.targets
    elif settings.inputs is not None:
        given = read_arrays(settings.inputs, faces["inputs"], root, several=bool(graph.variables))
        inputs, runs = _bytes(given, faces["inputs"]), given[0].shape[1] if graph.variables else 1
        # As the files have them: another network quantises the same samples otherwise.
        ids = _ids([load(root / path) for path in settings.inputs])
        if reads is not None and settings.labels is not None:
            labels = read_labels(root / settings.labels, len(inputs), reads.classes)
    else:
        runs = RANDOM_RUNS if graph.variables else 1
        size = runs * sum(graph.tensor(name).nbytes for name in graph.inputs)
        inputs = np.random.default_rng(seed).integers(-128, 128, (settings.samples, size), np.int8)
        ids = _ids([inputs])
    outputs = run(graph, inputs if runs > 1 else inputs.reshape(len(inputs), *sample_shape(graph)))
    outputs = outputs.reshape(len(inputs), -1)
    if reads is not None and runs > 1:
        reads = _of_last(reads, outputs.shape[1] // runs * (runs - 1), settings.file)
    reals = None if exact is None else exact(given)
    author = None
    if settings.outputs is not None:
        answers = _bytes(read_arrays(settings.outputs, faces["outputs"], root, several=runs > 1), faces["outputs"])
        author = _agreement(outputs, answers, faces["outputs"], settings.tolerance)
    distance = None
    if reals is not None:
        distance = _distance(outputs, reals, faces["outputs"], calibrated_by(interfaces))
    if reads is not None:
        outputs = reads.completed(outputs, inputs)
    score = interval = None
    if reads is not None and labels is not None:
        score, interval = reads.score(outputs, labels), reads.interval(outputs, labels)
    cautions = []
    if reads is not None and detects is None:
        cautions += doubts(faces["outputs"], faces["inputs"], settings)
    if labels is not None and reals is not None and settings.inputs is not None:
        cautions.append("The accuracy is of the samples that the network was quantised by; others may have a lower one")
    right = agreement = None
    if reals is not None and isinstance(reads, Classification):
        exactly = _answers(reads, reals, faces["outputs"], settings)
        agreement = float((exactly == reads.answers(outputs)).mean())
        right = None if labels is None else float((exactly == labels).mean())
    found = Accuracy(
        float=right,
        arithmetic=arithmetic(graph),
        int8=score,
        intervals=Intervals(float=None if right is None else wilson(right, len(outputs)), int8=interval),
        samples=len(outputs),
        labels=None if labels is None else labels.tolist(),
        classification=None if reads is None else asdict(reads),  # type: ignore[call-overload]
        agreement=agreement,
        floating=distance,
        author=author,
        ids=ids,
        pixels=pixels,
        runs=runs,
        cautions=tuple(cautions),
    )
    np.save(out / "inputs.npy", inputs)
    np.save(out / "int8_outputs.npy", outputs)
    write_artifact(found, out / ACCURACY)


def _of_last(reads: Reading, before: int, file: str) -> Reading:
    """The reading of a sample's last run, whose outputs lie behind ``before`` bytes of those of the others.

    Raises:
        BuildError: other tasks than classification are not read so.
    """
    if not isinstance(reads, Classification):
        raise BuildError(f"{file}: it remembers from run to run; only classes can be read of its outputs.")
    return replace(reads, first=reads.first + before)


def read_arrays(paths: Sequence[str], faces: Sequence[Interface], root: Path, *, several: bool = False) -> list[Values]:
    """The samples of each input (or output), in the graph's order of elements.

    Args:
        paths: the files.
        faces: what they are for.
        root: folder that paths are relative to.
        several: whether samples may be made of several runs.

    Returns:
        (N, elements); with ``several``: (N, runs, elements).

    Raises:
        BuildError: there are not as many files, or one is missing, damaged, or does not fit.
    """
    if len(paths) != len(faces):
        raise BuildError(f"found {len(paths)} files ({', '.join(paths)}); the network has {len(faces)}, one .npy each.")
    parts = [_array(root / path, face, several=several) for path, face in zip(paths, faces, strict=True)]
    if len({part.shape[: 1 + several] for part in parts}) != 1:
        counts = (" of ".join(map(str, part.shape[: 1 + several])) for part in parts)
        raise BuildError(
            f"{', '.join(paths)}: found {', '.join(counts)} samples{' of runs' * several}; must be as many."
        )
    return parts


def _array(path: Path, face: Interface, *, several: bool) -> Values:
    values = load(path)
    size, found = prod(face.shape), prod(values.shape[1:])
    fits = values.dtype == face.dtype or (face.dtype == "float32" and values.dtype == np.float64)
    whole = found == size or (several and found > 0 and found % size == 0)
    if not fits or values.ndim == 0 or len(values) == 0 or not whole:
        shape = f"(N, runs, {size})" if several else f"(N, {size})"
        raise BuildError(
            f"{path}: found {values.dtype} {values.shape}; {face.name!r} needs {face.dtype} {shape}, or any other "
            f"shape of as many elements a sample."
        )
    axes, wanted = ([length for length in shape if length > 1] for shape in (values.shape[1:], face.shape))
    if found == size and axes != wanted and sorted(axes) == sorted(wanted):
        raise BuildError(
            f"{path}: found {values.shape}; {face.name!r} is {face.shape}, the same axes in another order: move them, "
            f"such as channels first to last by np.moveaxis(x, 1, -1)."
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise BuildError(f"{path}: holds numbers that are not finite (nan or inf); replace them.")
    rows = face.arranged(values.reshape(-1, size)).astype(face.dtype, copy=False)
    return rows.reshape(len(values), -1, size) if several else rows


def _bytes(arrays: Sequence[Values], faces: Sequence[Interface]) -> Int8:
    """Samples of inputs (or outputs) quantised, flattened, side by side, run behind run: int8 (N, bytes)."""
    levels = [np.ascontiguousarray(face.to_levels(each)) for each, face in zip(arrays, faces, strict=True)]
    parts = [each.astype(each.dtype.newbyteorder("<"), copy=False).view(np.int8) for each in levels]
    return np.concatenate(parts, axis=-1).reshape(len(parts[0]), -1)


def _levels(values: Int8, faces: Sequence[Interface]) -> NDArray[np.int64]:
    """The numbers (N, elements) in the bytes (N, bytes) of the tensors that ``faces`` are of, in all runs."""
    ends = np.cumsum([prod(face.shape) * face.bits // 8 for face in faces])[:-1]
    rows = values.reshape(-1, sum(prod(face.shape) * face.bits // 8 for face in faces))  # of each run
    parts = zip(np.split(rows, ends, axis=1), faces, strict=True)
    levels = (np.ascontiguousarray(part).view(f"<i{face.bits // 8}").astype(np.int64) for part, face in parts)
    return np.hstack(list(levels)).reshape(len(values), -1)


def _ids(parts: Sequence[NDArray[Any]]) -> list[str]:
    """``short_id`` of each sample's bytes in all ``parts`` (N, ...)."""
    return [
        short_id(hashlib.sha256(b"".join(row.tobytes() for row in rows)).hexdigest())
        for rows in zip(*parts, strict=True)
    ]


def _answers(
    reads: Classification, reals: Values, faces: Sequence[Interface], settings: ModelSettings
) -> NDArray[np.int64]:
    """Classes (N,) that real outputs (N, elements) say."""
    first = sum(prod(face.shape) for face in faces[: output_number(faces, settings)])
    return np.asarray(reads.weighed(reals[:, first : first + reads.units]).argmax(axis=1), np.int64)


def _distance(outputs: Int8, reals: Values, faces: Sequence[Interface], calibration: int) -> FloatDistance:
    sizes = [prod(face.shape) for face in faces]
    scale, zero = (np.repeat(each, sizes) for each in zip(*((f.scale, f.zero_point) for f in faces), strict=True))
    distance = np.abs(scale * (_levels(outputs, faces) - zero) - reals)
    # Outputs may be of any unit: each counts by its own range.
    ends = np.cumsum(sizes)[:-1]
    ranges = [float(np.ptp(part)) or 1.0 for part in np.split(reals, ends, axis=1)]
    shares = distance / np.repeat(ranges, sizes)
    return FloatDistance(
        calibration=calibration, samples=len(reals), mean=float(shares.mean()), largest=float(shares.max())
    )


def _agreement(outputs: Int8, author: Int8, faces: Sequence[Interface], tolerance: int) -> AuthorAgreement:
    if len(outputs) != len(author):
        raise BuildError(f"[model] outputs: found {len(author)} samples; there are {len(outputs)} inputs.")
    if outputs.shape != author.shape:
        raise BuildError(
            f"[model] outputs: found {author.shape[1]} bytes a sample; the runs of an input give {outputs.shape[1]}."
        )
    distance = np.abs(_levels(outputs, faces) - _levels(author, faces))
    return AuthorAgreement(
        samples=len(outputs),
        differ=int(distance.any(axis=1).sum()),
        beyond=int((distance > tolerance).any(axis=1).sum()),
        largest=int(distance.max(initial=0)),
        tolerance=tolerance,
    )
