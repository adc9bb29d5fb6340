"""The memory plan: an offset in one arena for every activation, row buffer and kernel's scratch.

The network is cut where a single tensor is alive; the stretches between cuts run on whole tensors or stream in chains
(``segments``). Whole stretches are joined by turning every other one upside down as needed. Where the next segment
wants a tensor elsewhere in the arena, it is moved: a byte costs about a cycle, a hundredth of what computing it took.
The arena is that of the most demanding segment: a network costs no more than its worst stretch, and stretches can be
planned (and cached) one by one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import align, layers
from mcubuild.engine.memory.chain import Chain
from mcubuild.engine.memory.lifetimes import Lifetime, activation_lifetimes, reserved, scratch_lifetimes
from mcubuild.engine.memory.pieces import Piece, pieces
from mcubuild.engine.memory.segments import Segment, choose_segments
from mcubuild.engine.memory.variables import kept_bytes
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Graph


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
class ChainPlan:
    """Layers that stream."""

    steps: range
    """The layers."""
    rows: int
    """Rows that a call writes at most."""
    first: str
    """The tensor that it begins with, whole unless the chain is fed."""
    last: str
    """The tensor that it ends with, whole."""
    shared: Mapping[str, str]
    """Tensors whose rows lie in another one's row buffer."""
    fed: bool = False
    """Whether rows of the first tensor, the network's input, are pulled from outside."""


@dataclass(frozen=True)
class Plan:
    """A memory plan."""

    arena: int
    """Bytes of the arena, a multiple of ``layer.ALIGNMENT``."""
    activations: Mapping[str, Placement]
    """By tensor name, inputs first, then in the order in which they are written; of tensors that never exist in full,
    the row buffer. Variables come last, one after the other at the end of the arena."""
    scratch: Mapping[int, Placement]
    """By layer index, for layers whose kernel needs working memory."""
    inplace: Mapping[str, str]
    """Outputs that are written over an input: output -> input."""
    lower_bound: int
    """Bytes alive at the worst moment: no plan of these segments takes less."""
    chains: tuple[ChainPlan, ...] = ()
    """What streams, in the order in which it runs."""
    moves: Mapping[str, Placement] = field(default_factory=dict)
    """Activations that are moved as soon as they are complete: where they were written."""

    def chain_of(self, layer: int) -> ChainPlan | None:
        """The chain that a layer belongs to."""
        return next((chain for chain in self.chains if layer in chain.steps), None)

    def written(self, name: str) -> Placement:
        """Where an activation is written."""
        return self.moves.get(name, self.activations[name])


def plan(graph: Graph, target: Target, segments: Sequence[Segment] | None = None) -> Plan:
    """Plan the memory of a network or of a part of one; constants and quantisation are not needed.

    Args:
        graph: the network.
        target: what it is for.
        segments: how its pieces are to run; None: chosen for the target.

    Raises:
        BuildError: a layer has no kernel, or the input is to be streamed but the first layers cannot.
    """
    cut = pieces(graph, target)
    own = reserved(layers(graph), target)
    limit = target.arena_besides(sum(own.values()) + kept_bytes(graph))
    chosen = choose_segments(cut, limit, fed=target.fed) if segments is None else segments
    layout = _Layout(graph, target, max(segment.height for segment in chosen))
    for segment in chosen:
        if segment.step:
            layout.stream(cut[segment.start : segment.stop], segment.step)
        else:
            layout.run_whole(cut[segment.start])
    bound = max(segment.height if segment.step else cut[segment.start].packing.bound for segment in chosen)
    return layout.plan(bound, own)


class _Layout:
    """Places segment by segment; between two of them the tensor that lives on is all that counts."""

    def __init__(self, graph: Graph, target: Target, arena: int) -> None:
        self._graph, self._layers, self._arena = graph, layers(graph), arena
        self._lifetimes = activation_lifetimes(graph)
        self._scratch_lifetimes = scratch_lifetimes(self._layers, target)
        self._target = target
        self._activations: dict[str, Placement] = {}
        self._scratch: dict[int, Placement] = {}
        self._inplace: dict[str, str] = {}
        self._chains: list[ChainPlan] = []
        self._moves: dict[str, Placement] = {}

    def plan(self, lower_bound: int, own: Mapping[int, int]) -> Plan:
        """All that was placed, above it what layers keep for themselves, and on top what is kept between runs."""
        arena, last = self._arena, len(self._layers) - 1
        variables: dict[str, Placement] = {}
        for index, size in own.items():
            self._scratch[index] = Placement(arena, size, 0, last)
            arena += size
        for name in self._graph.variables:
            variables[name] = Placement(arena, self._graph.tensor(name).nbytes, 0, last)
            arena += align(variables[name].nbytes)
        return Plan(
            arena=arena,
            activations={**{name: self._activations[name] for name in self._lifetimes}, **variables},
            scratch=dict(sorted(self._scratch.items())),
            inplace=self._inplace,
            lower_bound=lower_bound + arena - self._arena,
            chains=tuple(self._chains),
            moves=self._moves,
        )

    def run_whole(self, piece: Piece) -> None:
        """One layer after the other; upside down if what it begins with lies at the top."""
        packing = piece.packing
        turned = False
        for name in packing.offsets.keys() & self._activations.keys():
            place = self._activations[name]
            turned = place.offset != 0 and place.offset + align(place.nbytes) == self._arena
            if not turned:
                self._move(name, 0)
        by_name = {self._scratch_lifetimes[step].name: step for step in piece.steps if step in self._scratch_lifetimes}
        for name, low in packing.offsets.items():
            offset = low + self._arena - packing.height if name in packing.raised else low
            offset = self._arena - offset - packing.sizes[name] if turned else offset
            if name in by_name:
                life = self._scratch_lifetimes[by_name[name]]
                self._scratch[by_name[name]] = Placement(offset, life.nbytes, life.first, life.last)
            elif name not in self._activations:
                self._put(self._lifetimes[name], offset)
        self._inplace |= packing.inplace

    def stream(self, stretch: Sequence[Piece], step: int) -> None:
        """A chain: its buffers at the bottom, its last tensor on them, its first tensor at the top."""
        fed = self._target.fed and stretch[0].steps.start == 0
        chain = Chain.of(step, [piece.flow for piece in stretch if piece.flow is not None], fed=fed)
        steps = range(stretch[0].steps.start, stretch[-1].steps.stop)
        first, last = chain.flows[0].entry, chain.flows[-1].exit
        top = self._arena if fed else self._arena - align(first.nbytes)
        if not fed:
            if first.name in self._activations:
                self._move(first.name, top)
            else:
                self._put(self._lifetimes[first.name], top)
            self._activations[first.name] = replace(self._activations[first.name], last=steps[-1])
        apart = chain.working + align(last.nbytes) <= top
        self._put(replace(self._lifetimes[last.name], first=steps[0]), 0 if apart else chain.working)
        offset = align(last.nbytes) if apart else 0
        for buffer, size in chain.buffers().items():
            self._activations[chain.name(buffer)] = Placement(offset, size, steps[0], steps[-1])
            offset += size
        shared = {chain.name(tensor): chain.name(source) for tensor, source in chain.shared()}
        for name, source in shared.items():
            self._activations[name] = self._activations[source]
        for layer in self._layers[steps[0] : steps.stop]:
            nbytes = choose(layer, self._target).scratch_bytes(layer, min(step, layer.vertical.rows))
            if nbytes and self._target.settings.model_im2col:
                self._scratch[layer.index] = Placement(offset, nbytes, layer.index, layer.index)
        self._chains.append(ChainPlan(steps, step, first.name, last.name, shared, fed))

    def _put(self, life: Lifetime, offset: int) -> None:
        self._activations[life.name] = Placement(offset, life.nbytes, life.first, life.last)

    def _move(self, name: str, offset: int) -> None:
        """Have an activation that is complete lie at ``offset`` from now on."""
        place = self._activations[name]
        if place.offset == offset:
            return
        begin = self._lifetimes[name].first + 1
        self._moves[name] = replace(place, last=begin - 1)
        self._activations[name] = Placement(offset, place.nbytes, begin, place.last)
