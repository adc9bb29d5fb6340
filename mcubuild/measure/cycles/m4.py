"""Cortex-M4: single issue, three stages; what an instruction costs depends on its predecessor.

Sources, quoted as [..] below:
[TRM]    Arm, Cortex-M4 Technical Reference Manual, DDI 0439B, table 3-1 (integer) and 3.3.2 (pairing of loads and
         stores), table 7-1 (floating point); also as 100166_0001_00.
[jnk0le] github.com/jnk0le/random, "pipeline cycle test", measured on STM32F103 and STM32F407 with DWT.CYCCNT.
[i-0]    compendium.i-0.nl, instruction alignment rules, measured with the DWT counters.
"""

from mcubuild.measure.cycles.pipeline import CycleModel, Seen
from mcubuild.measure.instruction import MULTIPLIES, Instruction, Kind

Table = dict[Kind, float]

CYCLES: Table = {
    Kind.ALU: 1,
    Kind.SHIFT: 1,
    Kind.COMPARE: 1,
    Kind.BITS: 1,
    Kind.MULTIPLY: 1,
    Kind.MULTIPLY_ADD: 1,
    Kind.LONG_MULTIPLY: 1,
    Kind.LONG_MULTIPLY_ADD: 1,
    Kind.DIVIDE: 7,  # [TRM] 2 to 12, by the operands: the middle
    Kind.LOAD: 2,
    Kind.STORE: 1,  # [TRM] "STR Rx,[Ry,#imm] is always one cycle"; see below for a register offset
    Kind.LOAD_MANY: 1,  # [TRM] 1 + N
    Kind.STORE_MANY: 1,  # [TRM] 1 + N
    Kind.BRANCH: 1,  # [TRM] 1 + P when taken, see redirect()
    Kind.BRANCH_REGISTER: 1,
    Kind.TABLE_BRANCH: 3,  # [TRM] "at least two cycles for the load, one cycle for the add", then the refill
    Kind.IT: 1,
    Kind.NOP: 1,
    Kind.SYSTEM: 1,
    Kind.FLOAT: 1,  # [TRM] table 7-1
    Kind.FLOAT_MULTIPLY_ADD: 3,
    Kind.FLOAT_DIVIDE: 14,
    Kind.FLOAT_MOVE: 1,  # one word; [TRM] 2 for two core registers
    Kind.FLOAT_LOAD: 1,  # [TRM] VLDR 1 + words
    Kind.FLOAT_STORE: 1,
}

_PER_REGISTER = {Kind.LOAD_MANY, Kind.STORE_MANY, Kind.FLOAT_LOAD, Kind.FLOAT_STORE}
_COMPUTED = MULTIPLIES | {Kind.ALU, Kind.SHIFT, Kind.BITS, Kind.DIVIDE}

REFILL_DIRECT = 1  # [TRM] P is 1 to 3; the address of a direct branch is known early: the best case
REFILL_REGISTER = 2  # an address from a register is known one stage later
REFILL_LOADED = 3  # [TRM] "LDR PC ... three cycles for the pipeline reload"
REFILL_WIDE_TARGET = 1  # [i-0] "branches to unaligned wide instructions take one extra cycle"


class CortexM4:
    """The pipeline of a Cortex-M4, or of a Cortex-M3 with its table."""

    def __init__(self, seen: Seen, table: Table = CYCLES):
        self._seen = seen
        self._table = table
        self._previous: Instruction | None = None
        self._time = 0.0

    @property
    def time(self) -> float:
        """Cycles used so far."""
        return self._time

    def issue(self, instruction: Instruction) -> None:
        """Execute the next instruction."""
        self._time += self._cost(instruction, self._previous)
        self._previous = instruction

    def _cost(self, instruction: Instruction, previous: Instruction | None) -> float:
        kind = instruction.kind
        cost = self._table[kind]
        if kind in _PER_REGISTER:
            cost += instruction.registers
        elif kind is Kind.FLOAT_MOVE:
            cost = instruction.registers
        elif kind is Kind.STORE and instruction.offset is None:
            cost = 2  # [TRM], [jnk0le] a register offset takes a cycle to add
        if previous is None:
            return cost
        if kind in (Kind.LOAD, Kind.STORE) and self._pipelined(instruction, previous):
            return 1  # [TRM] "one cycle is removed from the cost of the next instruction"
        if previous.kind in _COMPUTED and instruction.address_sources & previous.results:
            cost += 1  # [TRM] "an address dependent on the result of a preceding data processing operation"
        if kind is Kind.STORE and previous.base_update and previous.base_update in instruction.address_sources:
            cost += 1  # [jnk0le] indexed accesses cannot be chained on the same base register
        if kind in (Kind.LOAD, Kind.LOAD_MANY) and previous.kind is Kind.STORE:
            cost += 1  # [jnk0le] "stores cannot be pipelined with following load instructions (adds extra cycle)"
        if kind is Kind.NOP and previous.kind is Kind.LOAD:
            return 0  # [jnk0le] "load instructions can eat following nop"
        if kind is Kind.IT and previous.size == 2 and previous.kind is not Kind.BRANCH:
            return 0  # [TRM] IT folds into a preceding 16-bit instruction
        if kind in (Kind.FLOAT, Kind.FLOAT_MULTIPLY_ADD) and previous.kind in (Kind.FLOAT, Kind.FLOAT_MULTIPLY_ADD):
            cost += bool((instruction.sources | instruction.accumulators) & previous.results)  # [TRM] table 7-1, note
        return cost

    def _pipelined(self, instruction: Instruction, previous: Instruction) -> bool:
        """Whether a load or store overlaps the load before it."""
        return (
            previous.kind is Kind.LOAD
            and not previous.writes_pc
            and not instruction.address_sources & previous.results
            and previous.base_update not in instruction.address_sources  # [jnk0le]
            and not (instruction.kind is Kind.LOAD and instruction.wide_off_word)  # [jnk0le]
            and self._memory(instruction) == self._memory(previous)  # [jnk0le] "the same memory block"
        )

    def _memory(self, instruction: Instruction) -> str:
        accesses = self._seen(instruction)
        return accesses.memory if accesses else ""

    def redirect(self, target: Instruction) -> None:
        """Refill the pipeline: P cycles."""
        branch = self._previous
        refill = REFILL_DIRECT
        if branch is not None and branch.kind in (Kind.LOAD, Kind.LOAD_MANY, Kind.TABLE_BRANCH):
            refill = REFILL_LOADED
        elif branch is not None and branch.kind is Kind.BRANCH_REGISTER:
            refill = REFILL_REGISTER
        self._time += refill + (REFILL_WIDE_TARGET if target.wide_off_word else 0)

    def misprediction(self, block: tuple[Instruction, ...]) -> float:
        """No branch is predicted on this core."""
        return 0.0


MODEL = CycleModel("cortex-m4 pipeline", 0.1, CortexM4, 1, True)
