"""Stretches of the network between two cuts, where a single tensor is alive: each is planned by itself.

Its layers may run one after the other on whole tensors, packed with the tensor that the stretch begins with at the
bottom of the arena and the one that it ends with at the bottom or flush with the top. Or it may stream, alone or in a
chain with its neighbours.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import Layer, layers
from mcubuild.engine.memory.flow import STEPS, Flow
from mcubuild.engine.memory.lifetimes import (
    Lifetime,
    activation_lifetimes,
    cuts,
    lower_bound,
    overwritable,
    scratch_lifetimes,
    sharings,
)
from mcubuild.engine.memory.placement import Block, Part, pack
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Graph

SEARCH_STEPS = 20_000
"""Steps that the search for one piece may take; pieces of up to about ten buffers are solved in far fewer."""
_STEPS_EACH = 2_500
"""Of these, at most for one way of sharing bytes, so that others get their turn in large pieces."""


@dataclass(frozen=True)
class Piece:
    """A stretch of the network."""

    steps: range
    """Its layers."""
    packing: "Packing"
    """Where its tensors lie if they exist in full."""
    cycles: int
    """Estimated cycles of its layers, each called once."""
    flow: Flow | None
    """What it needs in a chain; None if it cannot stream."""

    @cached_property
    def height(self) -> int:
        """Bytes of the arena if its tensors exist in full."""
        return self.packing.height

    @cached_property
    def least_cycles(self) -> int:
        """Cycles that it takes in any case, on whole tensors or in a chain."""
        streamed = [] if self.flow is None else [self.flow.needs(step).cycles for step in STEPS]
        return min([self.cycles, *streamed])


@dataclass(frozen=True)
class Packing:
    """A stretch of the network, solved for whole tensors, the first one at the bottom."""

    height: int
    offsets: dict[str, int]
    """Of activations and scratch."""
    sizes: dict[str, int]
    raised: frozenset[str]
    """Tensors of the block that touches the ceiling and follows it up in a higher arena."""
    inplace: dict[str, str]
    crosses: bool
    """Whether the last tensor lies at the top."""
    bound: int
    nodes: int
    """Steps of the search."""


def pieces(graph: Graph, target: Target) -> list[Piece]:
    """The network cut wherever a single activation is alive; constants and quantisation are not needed.

    Packings are optimal among those that hold the tensors at the cuts at either end of the arena, as long as no piece
    exhausts SEARCH_STEPS.

    Raises:
        BuildError: a layer has no kernel.
    """
    every_layer = layers(graph)
    lifetimes = activation_lifetimes(graph)
    scratch = scratch_lifetimes(every_layer, target)
    options = {layer.output.name: names for layer in every_layer if (names := overwritable(layer, lifetimes, target))}
    result = []
    for start, stop in pairwise(cuts(graph, lifetimes)):
        own = every_layer[start:stop]
        packing = _solve(graph, range(start, stop), lifetimes, scratch, options)
        cycles = sum(choose(layer, target).cycles(layer, target.core) for layer in own)
        flow = Flow(own, target) if _streams(own, lifetimes, target) else None
        result.append(Piece(range(start, stop), packing, cycles, flow))
    return result


def _streams(own: list[Layer], lifetimes: dict[str, Lifetime], target: Target) -> bool:
    """Whether these layers may stream: all of them can, and only their first and last tensors matter to others."""
    start, stop = own[0].index, own[-1].index + 1
    graph = own[0].graph
    alive = [name for name, life in lifetimes.items() if life.first < start <= life.last]
    begin = alive if start else list(graph.inputs)
    ends = [name for name, life in lifetimes.items() if life.last >= stop or name in graph.outputs]
    ends = [name for name in ends if start <= lifetimes[name].first < stop and name not in graph.inputs]
    variables = {*graph.variables, *(variable.next for variable in graph.variables.values())}
    unread = [layer.output.name for layer in own if lifetimes[layer.output.name].last == layer.index]
    return (
        (len(own) == 1 or target.settings.fused_blocks)
        and len(begin) == 1
        and lifetimes[begin[0]].last < stop
        and begin[0] not in graph.outputs
        and ends == [own[-1].output.name]
        and all(name in ends for name in unread)
        and not any({*layer.op.operands, layer.op.output} & variables for layer in own)
        and all(len(layer.input.shape) == len(layer.output.shape) == 4 for layer in own)
        and all(choose(layer, target).streams for layer in own)
    )


def _solve(
    graph: Graph,
    steps: range,
    lifetimes: dict[str, Lifetime],
    scratch: dict[int, Lifetime],
    options: dict[str, tuple[str, ...]],
) -> Packing:
    """The lowest packing of the layers in ``steps``."""
    inside = [
        lifetime
        for lifetime in (*lifetimes.values(), *(scratch[step] for step in steps if step in scratch))
        if lifetime.first < steps.stop and lifetime.last >= steps.start
    ]
    writers = {step: graph.ops[step].output for step in steps}
    here = {output: options[output] for output in writers.values() if output in options}
    bound = lower_bound(inside, here, writers, steps)
    entries = [life.name for life in inside if life.first < steps.start or life.name in graph.inputs]
    exits = [life.name for life in inside if life.last >= steps.stop or life.name in graph.outputs]
    best: Packing | None = None
    nodes = 0
    for sharing in sharings(here):
        for crosses in (False, True):
            piece = _pack(inside, steps, sharing, entries, exits, crosses, bound)
            if piece is None:
                continue
            nodes += piece.nodes
            if best is None or piece.height < best.height:
                best = piece
        if best is not None and (best.height == bound or nodes > SEARCH_STEPS):
            break
    assert best is not None, "without sharing, crossing is always possible"
    return best


def _pack(
    inside: list[Lifetime],
    steps: range,
    sharing: dict[str, str],
    entries: list[str],
    exits: list[str],
    crosses: bool,
    bound: int,
) -> Packing | None:
    """The lowest packing for one way of sharing bytes; None if the ends cannot lie as asked."""
    root: dict[str, str] = {}
    blocks: dict[str, list[Part]] = {}
    for life in inside:
        root[life.name] = root[sharing[life.name]] if life.name in sharing else life.name
        part = Part(
            life.name, max(life.first - steps.start, 0), min(life.last, steps.stop - 1) - steps.start, life.size
        )
        blocks.setdefault(root[life.name], []).append(part)
    index = {name: number for number, name in enumerate(blocks)}
    packed: list[Block] = [tuple(parts) for parts in blocks.values()]
    # Several tensors at an end (a network of several inputs or outputs) may lie anywhere.
    floor = [index[root[entries[0]]]] if len(entries) == 1 else []
    top: int | None = None
    if len(exits) == 1:
        end = index[root[exits[0]]]
        if not crosses:
            floor += [end] if end not in floor else []
        elif end in floor or any(part.size > packed[end][-1].size for part in packed[end]):
            return None
        else:
            top = end
    packing = pack(packed, floor, top, bound, _STEPS_EACH)
    if packing is None:
        return None
    return Packing(
        height=packing.height,
        offsets={life.name: packing.offsets[index[root[life.name]]] for life in inside},
        sizes={life.name: life.size for life in inside},
        raised=frozenset() if top is None else frozenset(part.name for part in packed[top]),
        inplace=sharing,
        crosses=top is not None,
        bound=bound,
        nodes=packing.nodes,
    )
