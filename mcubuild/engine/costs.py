"""What kernels cost on each core, in cycles by feature of their work.

The table is the least-squares fit of ``python -m tests.engine.calibrate`` to emulated runs of generated C, compiled
with zig's clang at -O2, on the boards named below with their Flash wait states and caches. It serves the search, which
has no compiled code yet; what the firmware takes is measured later.
"""

from collections.abc import Mapping
from typing import Final

from mcubuild.board import Core

CYCLES: Final[Mapping[Core, Mapping[str, Mapping[str, float]]]] = {
    "cortex-m4": {
        "add": {"call": 0.00, "output": 30.59},
        "average_pool": {"call": 0.00, "output": 6.82, "sum": 3.23},
        "conv2d": {"call": 0.00, "copy": 5.11, "mac": 3.17, "mac4": 3.30, "output": 18.00, "row": 35.93, "tile": 0.00},
        "depthwise": {
            "call": 4324.70,
            "copy": 4.56,
            "mac": 2.17,
            "mac4": 2.12,
            "output": 0.52,
            "row": 23.80,
            "tile": 0.00,
        },
        "fully_connected": {"call": 11.04, "mac": 4.74, "mac4": 4.80, "output": 27.91},
        "pointwise": {"call": 0.00, "mac": 3.17, "mac4": 3.43, "output": 12.39, "pair": 119.60, "tile": 1.13},
    },
    "cortex-m7": {
        "add": {"call": 123.93, "output": 18.19},
        "average_pool": {"call": 67.76, "output": 7.02, "sum": 1.32},
        "conv2d": {"call": 0.00, "copy": 3.19, "mac": 1.24, "mac4": 1.52, "output": 0.00, "row": 9.77, "tile": 51.89},
        "depthwise": {
            "call": 689.94,
            "copy": 2.64,
            "mac": 1.32,
            "mac4": 1.29,
            "output": 5.22,
            "row": 4.19,
            "tile": 0.00,
        },
        "fully_connected": {"call": 108.64, "mac": 2.79, "mac4": 2.79, "output": 14.17},
        "pointwise": {"call": 0.00, "mac": 1.29, "mac4": 1.56, "output": 0.00, "pair": 101.36, "tile": 32.34},
    },
}

_RELATIVE: Final[Mapping[Core, float]] = {"cortex-m0plus": 3.3, "cortex-m3": 1.3, "cortex-m33": 1.0}
"""Cycles of the cores without a row of their own, relative to a Cortex-M4; of the Cortex-M33 nothing is published."""


def cycles(kind: str, work: Mapping[str, int], core: Core) -> int:
    """Estimated cycles of a layer: kernel ``kind`` doing ``work`` on ``core``."""
    factor = _RELATIVE.get(core, 1.0)
    table = CYCLES["cortex-m4" if core in _RELATIVE else core][kind]
    return round(factor * sum(table[feature] * count for feature, count in work.items()))
