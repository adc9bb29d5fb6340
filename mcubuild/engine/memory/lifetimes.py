"""When activations and scratch are alive, which may share bytes, and where one tensor alone is alive."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import Layer, align
from mcubuild.engine.memory.variables import updates
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Graph
from mcubuild.ir.ops.elementwise import Add
from mcubuild.ir.ops.weighted import DepthwiseConv2D


@dataclass(frozen=True)
class Lifetime:
    """A buffer and the layers that need it: from ``first`` to ``last``, both inclusive.

    The network's inputs live from layer 0, its outputs until the last layer.
    """

    name: str
    first: int
    last: int
    nbytes: int
    """Bytes in use."""

    @property
    def size(self) -> int:
        """Bytes, rounded up to the alignment."""
        return align(self.nbytes)


def activation_lifetimes(graph: Graph) -> dict[str, Lifetime]:
    """Lifetime of every activation by name, in the order of definition; variables are none."""
    end = max(len(graph.ops) - 1, 0)
    first = dict.fromkeys(graph.inputs, 0) | {op.output: index for index, op in enumerate(graph.ops)}
    last = dict(first)
    for index, op in enumerate(graph.ops):
        last.update(dict.fromkeys(op.operands, index))
    for name, step in updates(graph).items():
        last[graph.variables[name].next] = max(step, last[graph.variables[name].next])
    last.update(dict.fromkeys(graph.outputs, end))
    return {name: Lifetime(name, first[name], last[name], graph.tensor(name).nbytes) for name in first}


def reserved(layers: list[Layer], target: Target) -> dict[int, int]:
    """Bytes of working memory, rounded up, that layers keep for themselves, by layer index; none if they share it."""
    if target.settings.model_im2col:
        return {}
    sizes = {layer.index: align(choose(layer, target).scratch_bytes(layer)) for layer in layers}
    return {index: size for index, size in sizes.items() if size}


def scratch_lifetimes(layers: list[Layer], target: Target) -> dict[int, Lifetime]:
    """Lifetime of the working memory that layers share, by layer index."""
    if not target.settings.model_im2col:
        return {}
    sizes = {layer.index: choose(layer, target).scratch_bytes(layer) for layer in layers}
    return {index: Lifetime(f"scratch of layer {index}", index, index, n) for index, n in sizes.items() if n}


def overwritable(layer: Layer, lifetimes: dict[str, Lifetime], target: Target) -> tuple[str, ...]:
    """Inputs over which the layer's output may be written: the kernel allows it, and nobody needs them afterwards."""
    if isinstance(layer.op, DepthwiseConv2D) and not target.settings.inplace_depthwise:
        return ()
    if isinstance(layer.op, Add) and not target.settings.inplace_add:
        return ()
    names = dict.fromkeys(choose(layer, target).overwrites(layer))
    outputs = layer.graph.outputs
    return tuple(
        name for name in names if name in lifetimes and lifetimes[name].last == layer.index and name not in outputs
    )


def cuts(graph: Graph, lifetimes: dict[str, Lifetime]) -> list[int]:
    """Positions between layers where exactly one activation is alive; position i is before layer i.

    Always includes 0 and the number of layers, the two ends.
    """
    alive = [0] * (len(graph.ops) + 1)
    for lifetime in lifetimes.values():
        begin = 0 if lifetime.name in graph.inputs else lifetime.first + 1
        stop = len(graph.ops) if lifetime.name in graph.outputs else lifetime.last
        for position in range(begin, stop + 1):
            alive[position] += 1
    return [i for i, count in enumerate(alive) if count == 1 or i in (0, len(graph.ops))]


def sharings(options: dict[str, tuple[str, ...]]) -> Iterator[dict[str, str]]:
    """All ways to write outputs over inputs (output -> input), those that share most first.

    Args:
        options: the inputs over which each output may be written.
    """
    for choice in product(*[(*names, None) for names in options.values()]):
        shared = {output: name for output, name in zip(options, choice, strict=True) if name is not None}
        if len(set(shared.values())) == len(shared):
            yield shared


def lower_bound(
    lifetimes: list[Lifetime], options: dict[str, tuple[str, ...]], writers: dict[int, str], steps: range
) -> int:
    """Bytes that no plan goes below: at each layer, everything alive then, overwritten inputs counted once.

    Args:
        lifetimes: activations and scratch.
        options: the inputs over which each output may be written.
        writers: the output of each layer.
        steps: the layers.
    """
    sizes = {lifetime.name: lifetime.size for lifetime in lifetimes}
    bound = 0
    for step in steps:
        alive = sum(lifetime.size for lifetime in lifetimes if lifetime.first <= step <= lifetime.last)
        output = writers[step]
        saved = max((min(sizes[output], sizes[name]) for name in options.get(output, ())), default=0)
        bound = max(bound, alive - saved)
    return bound
