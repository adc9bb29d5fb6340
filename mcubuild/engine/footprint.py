"""What a network will need on the board, before any code is compiled: RAM, Flash, cycles.

Networks are estimated piece by piece (a piece begins and ends where one tensor is alive, as a block of a mobile network
does), so that a search that builds networks of recurring blocks estimates each block once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import layers
from mcubuild.engine.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Graph

STATIC_BYTES = 32
"""RAM of the firmware around the network (its variables, rounded up to the arena's alignment)."""
FIRMWARE_BYTES = 1536
"""Upper estimate of the code around the network: vectors, start-up, main, memcpy and memset."""


@dataclass(frozen=True)
class Segment:
    """Estimates of a piece of a network."""

    arena: int
    """Bytes of activations and scratch at the worst moment."""
    weights: int
    """Bytes of constants in Flash, exact."""
    code: int
    """Bytes of compiled layers, an upper estimate."""
    cycles: int
    """Core cycles with memory that never waits."""
    macs: int
    """Multiply-accumulates."""


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


def estimate_segment(graph: Graph, target: Target) -> Segment:
    """Estimate a piece of a network that begins and ends with a single tensor.

    Raises:
        BuildError: no kernel serves one of its layers.
    """
    arena = plan(graph, target).arena
    weights = code = cycles = macs = 0
    for layer in layers(graph):
        kernel = choose(layer, target)
        weights += kernel.constant_bytes(layer)
        code += kernel.code_bytes(layer)
        cycles += kernel.cycles(layer, target.core)
        macs += layer.macs
    return Segment(arena, weights, code, cycles, macs)


def combine(segments: Sequence[Segment], stack: int) -> Footprint:
    """The firmware of a network that is these pieces in a row.

    Args:
        segments: the pieces.
        stack: bytes that the linker reserves for the stack.
    """
    arena = max(segment.arena for segment in segments)
    weights = sum(segment.weights for segment in segments)
    code = sum(segment.code for segment in segments) + FIRMWARE_BYTES
    return Footprint(
        sram=arena + STATIC_BYTES + stack,
        arena=arena,
        flash=weights + code,
        weights=weights,
        code=code,
        cycles=sum(segment.cycles for segment in segments),
        macs=sum(segment.macs for segment in segments),
    )


def estimate(graph: Graph, target: Target, stack: int) -> Footprint:
    """The firmware of ``graph``, which may be a skeleton."""
    return combine([estimate_segment(graph, target)], stack)
