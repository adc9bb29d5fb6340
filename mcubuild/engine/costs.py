"""What kernels cost on each core: cycles of each feature of a kernel's work.

The table is fitted to emulated runs of the generated C, compiled with zig's clang at -O2 (see ``calibrate``); it
serves the search, which has no compiled code yet. What the firmware really takes is measured later.
"""

from collections.abc import Mapping
from typing import Final

from mcubuild.board import Core

CYCLES: Final[Mapping[str, Mapping[str, float]]] = {
    "conv2d": {"mac": 3.0, "output": 20.0, "copy": 10.0, "call": 50.0},
    "pointwise": {"mac": 3.0, "output": 20.0, "call": 50.0},
    "fully_connected": {"mac": 4.0, "output": 20.0, "call": 50.0},
    "depthwise": {"mac": 3.0, "output": 20.0, "copy": 5.0, "call": 50.0},
    "add": {"output": 40.0, "call": 30.0},
    "average_pool": {"sum": 6.0, "output": 25.0, "call": 50.0},
}
"""Cycles by kernel and feature, of a Cortex-M4 with memory that never waits."""

RELATIVE: Final[Mapping[Core, float]] = {
    "cortex-m0plus": 2.5,
    "cortex-m3": 1.2,
    "cortex-m4": 1.0,
    "cortex-m7": 0.6,
    "cortex-m33": 1.0,
}
"""Cycles of a core relative to a Cortex-M4."""


def cycles(kind: str, work: Mapping[str, int], core: Core) -> int:
    """Estimated cycles of a layer: kernel ``kind`` doing ``work`` on ``core``."""
    return round(RELATIVE[core] * sum(CYCLES[kind][feature] * count for feature, count in work.items()))
