"""Cortex-M3: the pipeline of a Cortex-M4, with multiplications that take longer.

Source: [M3] Arm, Cortex-M3 Technical Reference Manual, DDI 0337I, table 3-1 and 3.3.2.
"""

from mcubuild.measure.cycles.m4 import CYCLES, CortexM4, Table
from mcubuild.measure.cycles.pipeline import CycleModel
from mcubuild.measure.instruction import Kind

_CYCLES: Table = CYCLES | {
    Kind.MULTIPLY_ADD: 2,
    Kind.LONG_MULTIPLY: 4,  # [M3] 3 to 5, by the operands
    Kind.LONG_MULTIPLY_ADD: 5.5,  # [M3] 4 to 7
}

MODEL = CycleModel("cortex-m3 pipeline", 0.15, lambda seen: CortexM4(seen, _CYCLES), 1, True)
