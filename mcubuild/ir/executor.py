"""The integer reference executor: what every other implementation of a graph must equal, bit for bit.

It follows the reference kernels of TensorFlow Lite Micro.
"""

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import BYTES, Graph, Levels, Op

Int8: TypeAlias = NDArray[np.int8]

_BATCH_BYTES = 1 << 25
"""Working memory of a batch: large enough to keep BLAS busy, small enough to stay near the caches."""


def run(graph: Graph, inputs: Int8) -> Int8:
    """The graph's output for each sample.

    Args:
        graph: a quantised graph.
        inputs: int8 (N, ...), one sample of the input's shape (without its batch dimension) a row. Of a graph with
            several inputs, or of int16: int8 (N, bytes), the flattened inputs' bytes side by side, low bytes first.
            Of a graph with variables, a sample may be the inputs of several runs, one behind the other: (N, bytes).
            Variables begin each sample with their initial values.

    Returns:
        int8 (N, ...), the output without its batch dimension a row; equal for every split into batches. Of a graph with
        several outputs, or of int16: int8 (N, bytes), the flattened outputs' bytes side by side, low bytes first. Of
        samples of several runs: (N, bytes), the outputs of all runs one behind the other.

    Raises:
        ValueError: the graph has no values, or the inputs do not fit it.
    """
    last_use = {name: index for index, op in enumerate(graph.ops) for name in op.operands}
    kept = {*graph.results, *graph.constants, *graph.variables}
    results = []
    plain = _plain(graph, graph.outputs)
    for count, batch in _batches(graph, inputs):
        answers = []
        for values in batch:
            for index, op in enumerate(graph.ops):
                values[op.output] = execute(graph, op, values)
                for name in op.operands:
                    if last_use[name] == index and name not in kept:
                        values.pop(name, None)
            # What depends on no input is computed once, and is the same for all samples.
            outputs = [np.broadcast_to(x, (count, *x.shape[1:])) for x in (values[name] for name in graph.outputs)]
            answers.append(outputs[0] if plain else np.hstack([_bytes(part, count) for part in outputs]))
        results.append(answers[0] if len(answers) == 1 else np.hstack([_bytes(part, count) for part in answers]))
    return np.concatenate(results)


def _plain(graph: Graph, names: tuple[str, ...]) -> bool:
    """Whether samples are arrays of one int8 tensor, rather than bytes."""
    return len(names) == 1 and graph.tensor(names[0]).dtype == "int8"


def _bytes(x: Levels, count: int) -> Int8:
    """(N, ...) as int8 (N, bytes), the low byte first."""
    flat = np.ascontiguousarray(x).reshape(count, prod(x.shape[1:]))
    return flat.astype(flat.dtype.newbyteorder("<"), copy=False).view(np.int8)


def sample_shape(graph: Graph) -> Shape:
    """Shape of a sample as ``run`` takes it: that of the input without its batch, or bytes of all inputs together."""
    if _plain(graph, graph.inputs):
        return graph.tensor(graph.inputs[0]).shape[1:]
    return (sum(graph.tensor(name).nbytes for name in graph.inputs),)


def run_all(graph: Graph, inputs: Int8) -> dict[str, Levels]:
    """Every activation by name, the inputs included, for each run of each sample; for tests and debugging.

    Arguments, shapes and errors as for ``run``; memory grows with the number of samples.
    """
    results: dict[str, list[Levels]] = {tensor.name: [] for tensor in graph.activations()}
    for count, batch in _batches(graph, inputs):
        seen: dict[str, list[Levels]] = {name: [] for name in results}
        for values in batch:
            for op in graph.ops:
                values[op.output] = execute(graph, op, values)
            for name, parts in seen.items():
                parts.append(np.broadcast_to(values[name], (count, *values[name].shape[1:])))
        for name, parts in seen.items():
            results[name].append(np.stack(parts, axis=1).reshape(-1, *parts[0].shape[1:]))
    return {name: np.concatenate(parts) for name, parts in results.items()}


def _batches(graph: Graph, inputs: Int8) -> Iterator[tuple[int, Iterator[dict[str, Any]]]]:
    """Batches that fit the working memory: how many samples, and for each of their runs the values it begins with."""
    runs = _runs(graph, inputs)
    size = max(1, _BATCH_BYTES // max(_working_bytes(graph, op) for op in graph.ops))
    # An empty input still makes one (empty) batch, so that outputs have their shapes.
    for start in range(0, max(len(inputs), 1), size):
        part = inputs[start : start + size]
        yield len(part), _begun(graph, part.reshape(len(part), runs, prod(inputs.shape[1:]) // runs))


def _runs(graph: Graph, inputs: Int8) -> int:
    """How many runs a sample is made of."""
    expected, nbytes = sample_shape(graph), sum(graph.tensor(name).nbytes for name in graph.inputs)
    several = bool(graph.variables) and inputs.ndim == 2 and inputs.shape[1] > 0 and inputs.shape[1] % nbytes == 0
    if inputs.dtype != np.int8 or not (inputs.shape[1:] == expected or several):
        raise ValueError(f"inputs are {inputs.dtype}{inputs.shape}, must be int8 (N, {', '.join(map(str, expected))})")
    return prod(inputs.shape[1:]) // nbytes


def _begun(graph: Graph, inputs: Int8) -> Iterator[dict[str, Any]]:
    """Constants, inputs (N, runs, bytes) and variables, for one run after the other.

    Whoever asks for the next run has computed the values that variables take.
    """
    count = len(inputs)
    tensors = [graph.tensor(name) for name in graph.inputs]
    ends = np.cumsum([tensor.nbytes for tensor in tensors])[:-1]
    constants: dict[str, Any] = dict(graph.constants)
    state: dict[str, Any] = {name: np.repeat(each.initial, count, axis=0) for name, each in graph.variables.items()}
    for number in range(inputs.shape[1]):
        parts = np.split(np.ascontiguousarray(inputs[:, number]), ends, axis=1)
        values = {
            tensor.name: np.ascontiguousarray(part).view(f"<i{BYTES[tensor.dtype]}").reshape(-1, *tensor.shape[1:])
            for tensor, part in zip(tensors, parts, strict=True)
        }
        values = {**constants, **state, **values}
        yield values
        for name, variable in graph.variables.items():
            after = values[variable.next].reshape(-1, *graph.tensor(name).shape[1:])
            state[name] = np.array(np.broadcast_to(after, (count, *after.shape[1:])))


def _working_bytes(graph: Graph, op: Op) -> int:
    """Bytes of temporaries for one sample: float64 patches, and a few int64 arrays of the output's size."""
    return 8 * (op.patch_elements(graph) + graph.tensor(op.operands[0]).elements + 4 * graph.tensor(op.output).elements)


def execute(graph: Graph, op: Op, values: Mapping[str, Levels]) -> Levels:
    """The output of ``op``, saturated if it is packed; constants among ``values`` count as one sample that fits all."""
    operands, output = (values[name] for name in op.operands), graph.tensor(op.output)
    levels = op.compute(graph, *operands)
    return np.asarray(np.clip(levels, *output.limits) if output.packed else levels, output.dtype)
