"""What a network will need on the board, before any code is compiled: RAM, Flash, cycles.

Networks are estimated piece by piece (a piece begins and ends where one tensor is alive, as a block of a mobile network
does), so that a search that builds networks of recurring blocks works out each block once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

from mcubuild.engine.assembly.routine import Routine
from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import ALIGNMENT, layers
from mcubuild.engine.memory.flow import Flow
from mcubuild.engine.memory.lifetimes import reserved
from mcubuild.engine.memory.pieces import Piece, pieces
from mcubuild.engine.memory.segments import Segment, choose_segments, some_way
from mcubuild.engine.memory.variables import initial_tables, kept_bytes
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Graph
from mcubuild.spec.deployment import Deployment

STATIC_BYTES = 32
"""RAM of the firmware around the network (its variables, rounded up to the arena's alignment)."""
FIRMWARE_BYTES = 1536
"""Upper estimate of the code around the network: vectors, start-up, main, memcpy and memset."""
_CHAIN_BYTES, _STAGE_BYTES = 700, 200
"""Upper estimates of the code that drives a chain, and of what each of its layers adds to find its rows; pulling the
input counts as a layer."""


VARIABLE_BYTES = 60
"""Upper estimate of the code that resets a variable and that hands it its next value."""


@dataclass(frozen=True)
class Stretch:
    """Estimates of a part of a network that begins and ends with a single tensor, such as a block."""

    pieces: tuple[Piece, ...]
    """For the memory plan, and the cycles that depend on it."""
    weights: int
    """Bytes of constants in Flash, exact."""
    code: int
    """Bytes of compiled layers, an upper estimate."""
    reserved: int
    """Bytes of working memory that layers keep for themselves, and of variables."""
    routines: frozenset[Routine]
    """Inner loops in assembly, which stretches share."""
    macs: int
    """Multiply-accumulates."""

    @cached_property
    def height(self) -> int:
        """Bytes of the arena if all tensors exist in full."""
        return max(piece.height for piece in self.pieces)

    @cached_property
    def whole_cycles(self) -> int:
        """Cycles if all tensors exist in full."""
        return sum(piece.cycles for piece in self.pieces)

    @cached_property
    def least_cycles(self) -> int:
        """Cycles that it takes in any case, on whole tensors or streamed."""
        return sum(piece.least_cycles for piece in self.pieces)

    @cached_property
    def most_chain_code(self) -> int:
        """Bytes of code that streaming adds at most: as if every call wrote a single row."""
        flows = [piece.flow for piece in self.pieces if piece.flow]
        stages = [stage for flow in flows for stage in flow.stages]
        return _CHAIN_BYTES * len(flows) + sum(_STAGE_BYTES + 2 * stage.window.rows for stage in stages)


@dataclass(frozen=True)
class Footprint:
    """Estimates of a whole firmware."""

    sram: int
    """Bytes: arena, the firmware's variables and the reserved stack; what the linked ELF takes."""
    arena: int
    """Bytes of the arena."""
    flash: int
    """Bytes: constants and code."""
    weights: int
    """Bytes of constants, exact."""
    code: int
    """Bytes of code, an upper estimate."""
    cycles: int
    """Core cycles of one inference."""
    macs: int
    """Multiply-accumulates of one inference."""


def arena_within(sram: int, stack: int) -> int:
    """Bytes that the arena may take if the firmware, with ``stack`` bytes of stack, is to fit ``sram`` bytes of RAM."""
    return max(0, sram - STATIC_BYTES - stack) // ALIGNMENT * ALIGNMENT


def with_arena(deployment: Deployment, arena: int) -> Deployment:
    """The deployment with just so much RAM that the arena may take ``arena`` bytes."""
    sram = arena + STATIC_BYTES + deployment.stack
    return replace(deployment, budget=deployment.budget.model_copy(update={"sram": sram}))


def target_of(deployment: Deployment, tuned: Mapping[str, str] | None = None) -> Target:
    """What code is generated for: its arena is within the RAM that the deployment leaves.

    Args:
        deployment: the board, its budget and the engine's settings.
        tuned: kernels that were measured to be the fastest, by their layer's output.
    """
    arena = arena_within(deployment.sram, deployment.stack)
    return replace(Target.of(deployment.board, deployment.engine, arena), tuned=tuned or {})


def estimate_stretch(graph: Graph, target: Target) -> Stretch:
    """Estimate a part of a network.

    Raises:
        BuildError: no kernel serves one of its layers.
    """
    weights, macs = sum(len(table) for table in initial_tables(graph).values()), 0
    code = VARIABLE_BYTES * len(graph.variables)
    routines: set[Routine] = set()
    every_layer = layers(graph)
    for layer in every_layer:
        kernel = choose(layer, target)
        weights += kernel.constant_bytes(layer)
        code += kernel.code_bytes(layer)
        routines.update(map(_one, kernel.routines(layer)))
        macs += layer.macs
    own = sum(reserved(every_layer, target).values()) + kept_bytes(graph)
    return Stretch(tuple(pieces(graph, target)), weights, code, own, frozenset(routines), macs)


@cache
def _one(routine: Routine) -> Routine:
    """The same object for equal routines: sets of them unite in half the time if there is nothing to compare."""
    return routine


def combine(stretches: Sequence[Stretch], target: Target, stack: int) -> Footprint:
    """The firmware of a network that is these stretches in a row.

    Args:
        stretches: the parts of the network.
        target: what they were estimated for.
        stack: bytes that the linker reserves for the stack.
    """
    cut = [piece for stretch in stretches for piece in stretch.pieces]
    own = sum(stretch.reserved for stretch in stretches)
    segments = choose_segments(cut, target.arena_besides(own), fed=target.fed)
    arena = max(segment.height for segment in segments) + own
    weights = sum(stretch.weights for stretch in stretches)
    code = _code_on_whole_tensors(stretches) + sum(_chain_code(cut, s) for s in segments)
    code += _source_code(stretches, target)
    return Footprint(
        sram=arena + STATIC_BYTES + stack,
        arena=arena,
        flash=weights + code,
        weights=weights,
        code=code,
        cycles=sum(segment.cycles for segment in segments),
        macs=sum(stretch.macs for stretch in stretches),
    )


def fits(
    stretches: Sequence[Stretch], target: Target, arena: int | None, flash: int, cycles: int | None = None
) -> bool:
    """Whether what ``combine`` makes of these stretches keeps to ``arena``, ``flash`` and ``cycles``.

    That is all that most questions of a search are about, and it takes a small part of the time.

    Args:
        stretches: the parts of the network.
        target: what they were estimated for: for the smallest arena, or for the fastest plan within ``arena``.
        arena: bytes of the arena; None: any.
        flash: bytes of constants and code.
        cycles: of an inference; None: any.
    """
    own = sum(stretch.reserved for stretch in stretches)
    least = _least_flash(stretches, target)
    if least > flash:
        return False
    height, planned = max(stretch.height for stretch in stretches), target.arena_besides(own)
    if _never_streams(stretches, target, own):
        in_time = cycles is None or sum(stretch.whole_cycles for stretch in stretches) <= cycles
        return in_time and (arena is None or height <= arena - own)
    if cycles is not None and sum(stretch.least_cycles for stretch in stretches) > cycles:
        return False
    in_time, small = cycles is None, least + sum(stretch.most_chain_code for stretch in stretches) <= flash
    if arena is not None:
        cut = [piece for stretch in stretches for piece in stretch.pieces]
        way = some_way(cut, arena - own, fed=target.fed)
        if not way:
            return False
        fastest = planned is None or planned >= arena - own  # so the plan is no slower than this way
        in_time = cycles is None or (fastest and sum(segment.cycles for segment in way) <= cycles)
    if in_time and small:
        return True
    plan = combine(stretches, target, 0)
    return plan.flash <= flash and (cycles is None or plan.cycles <= cycles)


def most_flash(stretches: Sequence[Stretch], target: Target) -> int:
    """Bytes of Flash that what ``combine`` makes of these stretches takes at most."""
    own = sum(stretch.reserved for stretch in stretches)
    least = _least_flash(stretches, target)
    if _never_streams(stretches, target, own):
        return least
    return least + sum(stretch.most_chain_code for stretch in stretches)


def _least_flash(stretches: Sequence[Stretch], target: Target) -> int:
    """Bytes of Flash if nothing streams, but for the input."""
    code = _code_on_whole_tensors(stretches) + _source_code(stretches, target)
    return sum(stretch.weights for stretch in stretches) + code


def _never_streams(stretches: Sequence[Stretch], target: Target, own: int) -> bool:
    """Whether the plan has whole tensors alone; ``own`` are the bytes that layers keep for themselves."""
    planned = target.arena_besides(own)
    return not target.fed and (planned is None or max(stretch.height for stretch in stretches) <= planned)


def _code_on_whole_tensors(stretches: Sequence[Stretch]) -> int:
    """Bytes of code if nothing streams."""
    routines = frozenset[Routine]().union(*(stretch.routines for stretch in stretches))
    return sum(s.code for s in stretches) + sum(routine.code_bytes for routine in routines) + FIRMWARE_BYTES


def _source_code(stretches: Sequence[Stretch], target: Target) -> int:
    """Bytes of what pulls the input: a call a row at most."""
    flow = stretches[0].pieces[0].flow
    return _STAGE_BYTES + 2 * flow.entry.shape[1] if target.fed and flow else 0


def _chain_code(cut: Sequence[Piece], segment: Segment) -> int:
    """Bytes of what drives a chain: the moves, each layer's rows, and the order of calls, of which much repeats."""
    if not segment.step:
        return 0
    flows = [piece.flow for piece in cut[segment.start : segment.stop] if piece.flow]
    return _CHAIN_BYTES + sum(_flow_code(flow, segment.step) for flow in flows)


def _flow_code(flow: Flow, step: int) -> int:
    return _STAGE_BYTES * len(flow.stages) + 2 * flow.needs(step).calls


def estimate(graph: Graph, target: Target, stack: int) -> Footprint:
    """The firmware of ``graph``, which may be a skeleton."""
    return combine([estimate_stretch(graph, target)], target, stack)
