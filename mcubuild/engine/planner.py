"""The memory plan: an offset in one arena for every activation and every kernel's scratch.

The network is cut where a single tensor is alive. Each piece between two cuts is solved by itself, with the tensor it
begins with at the bottom of the arena and the one it ends with at the bottom or flush with the top; pieces are then
joined by turning every other one upside down as needed. The arena is that of the largest piece: a network costs no more
than its worst block, and blocks can be planned (and cached) one by one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from mcubuild.engine.layer import layers
from mcubuild.engine.lifetimes import (
    Lifetime,
    activation_lifetimes,
    cuts,
    lower_bound,
    overwritable,
    scratch_lifetimes,
    sharings,
)
from mcubuild.engine.placement import Block, Part, pack
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Graph

SEARCH_STEPS = 20_000
"""Steps that the search for one piece may take; pieces of up to about ten buffers are solved in far fewer."""
_STEPS_EACH = 2_500
"""Of these, at most for one way of sharing bytes, so that others get their turn in large pieces."""


@dataclass(frozen=True)
class Placement:
    """A buffer's place in the arena and in time."""

    offset: int
    """First byte, a multiple of ``layer.ALIGNMENT``."""
    nbytes: int
    """Bytes in use (not rounded up)."""
    first: int
    """The first layer that needs it: the one that writes it, or 0 for the network's input."""
    last: int
    """The last layer that needs it."""


@dataclass(frozen=True)
class Plan:
    """A memory plan."""

    arena: int
    """Bytes of the arena, a multiple of ``layer.ALIGNMENT``."""
    activations: Mapping[str, Placement]
    """By tensor name, inputs first, then in the order in which they are written."""
    scratch: Mapping[int, Placement]
    """By layer index, for layers whose kernel needs working memory."""
    inplace: Mapping[str, str]
    """Outputs that are written over an input: output -> input."""
    lower_bound: int
    """Bytes alive at the worst moment: no plan takes less, so the plan is optimal where ``arena`` equals it."""


@dataclass(frozen=True)
class _Piece:
    """A solved stretch of the network, its first tensor at the bottom."""

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


def plan(graph: Graph, target: Target) -> Plan:
    """Plan the memory of a network or of a part of one; constants and quantisation are not needed.

    The plan is optimal among those that hold the tensors at the cuts at either end of the arena, as long as no piece
    exhausts SEARCH_STEPS.

    Raises:
        BuildError: a layer has no kernel.
    """
    every_layer = layers(graph)
    lifetimes = activation_lifetimes(graph)
    scratch = scratch_lifetimes(every_layer, target)
    options = {layer.output.name: names for layer in every_layer if (names := overwritable(layer, lifetimes, target))}
    positions = cuts(graph, lifetimes)
    pieces = [_solve(graph, range(start, stop), lifetimes, scratch, options) for start, stop in pairwise(positions)]
    arena = max(piece.height for piece in pieces)
    offsets: dict[str, int] = {}
    turned = False
    for piece in pieces:
        for name, low in piece.offsets.items():
            offset = low + arena - piece.height if name in piece.raised else low
            offsets[name] = arena - offset - piece.sizes[name] if turned else offset
        turned ^= piece.crosses

    def placed(lifetime: Lifetime, nbytes: int) -> Placement:
        return Placement(offsets[lifetime.name], nbytes, lifetime.first, lifetime.last)

    return Plan(
        arena=arena,
        activations={name: placed(life, graph.tensor(name).nbytes) for name, life in lifetimes.items()},
        scratch={index: placed(life, life.size) for index, life in scratch.items()},
        inplace={output: name for piece in pieces for output, name in piece.inplace.items()},
        lower_bound=max(piece.bound for piece in pieces),
    )


def _solve(
    graph: Graph,
    steps: range,
    lifetimes: dict[str, Lifetime],
    scratch: dict[int, Lifetime],
    options: dict[str, tuple[str, ...]],
) -> _Piece:
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
    best: _Piece | None = None
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
) -> _Piece | None:
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
    return _Piece(
        height=packing.height,
        offsets={life.name: packing.offsets[index[root[life.name]]] for life in inside},
        sizes={life.name: life.size for life in inside},
        raised=frozenset() if top is None else frozenset(part.name for part in packed[top]),
        inplace=sharing,
        crosses=top is not None,
        bound=bound,
        nodes=packing.nodes,
    )
