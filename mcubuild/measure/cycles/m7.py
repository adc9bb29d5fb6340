"""Cortex-M7: two instructions a cycle, in order, six stages.

Arm publishes no timing. Sources, quoted as [..] below:
[jnk0le] github.com/jnk0le/random, "pipeline cycle test", measured on an STM32H743 with DWT.CYCCNT.
[quina]  quinapalus.com/cm7cycles.html, measured on an STM32H730 (read in part: its table as quoted by others).
[LLVM]   llvm/lib/Target/ARM/ARMScheduleM7.td and ARMLatencyMutations.cpp (CortexM7Overrides).

An instruction issued in cycle t is at the early stage (address generation, shifter, early ALU) in t, at the late stage
(ALU, multiplier's factors) in t + 1, and adds its product in t + 2. A result is usable from a certain time on; an
instruction waits until each operand is there at the stage that reads it. The ALUs take a loaded word one cycle earlier
than multiplier and address generation do ("fast" below).

Where the sources differ, what was measured counts: [LLVM] forwards a loaded word to a base register after two cycles
and to an index register after three; [quina] measured three.

Left out: waiting for a word that was just stored ([LLVM] 4 cycles), for a product as an address ([LLVM] 4 instead of
3), and a store buffer that is full ([jnk0le], bytes and halfwords stored cycle after cycle).
"""

from dataclasses import dataclass
from functools import cache

from mcubuild.measure.cycles.pipeline import CycleModel, Seen
from mcubuild.measure.instruction import FLAGS, MULTIPLIES, Instruction, Kind

EARLY, LATE, ACCUMULATE = 0, 1, 2
"""Stages at which operands are read, in cycles after issue."""

# When a result can be read, in cycles after issue.
EARLY_RESULT = 1  # [jnk0le] early ALU to the late ALU of the same cycle, or to the early stage of the next
LATE_RESULT = 2
LOAD_RESULT = 3  # [jnk0le] narrow loads; words, too, for multiplier [jnk0le] and addresses [quina]
LOAD_FAST_RESULT = 2  # [jnk0le] words: "can be consumed by late ALU in next cycle"; by the shifter in two [LLVM]
MULTIPLY_RESULT = 3  # [jnk0le], [LLVM] latency 2; one cycle to the next accumulator
SATURATE_RESULT = 3  # [LLVM] SSAT, USAT, QADD and the like: latency 2
FLOAT_RESULT = 4  # [LLVM], [jnk0le] latency 3
FLOAT_MULTIPLY_ADD_RESULT = 6  # [LLVM], [jnk0le] VFMA: latency 5 to a factor, 3 to the next accumulator
FLOAT_ACCUMULATE = 3  # the stage at which that accumulator is read
MOVE_TO_FLOAT_RESULT = 4  # [jnk0le] 3 cycles of result latency
MOVE_FROM_FLOAT_RESULT = 3  # [jnk0le] 1 extra cycle to the late ALU, none to an accumulator

DIVIDE_CYCLES = 7  # [LLVM]; the pipeline waits
FLOAT_DIVIDE_CYCLES = 16  # [LLVM], [jnk0le]
TABLE_BRANCH_CYCLES = 2  # [LLVM]
SYSTEM_CYCLES = 3  # [LLVM]

NARROW_TO_FOLD = 2  # [jnk0le], see redirect()

MISPREDICTED = 8  # [jnk0le]
MISPREDICTED_EARLY_FLAGS = 6  # [jnk0le] flags set at least 3 cycles before the branch
EARLY_FLAGS_DISTANCE = 6  # that is, instructions between them

_EARLY_CAPABLE = {"add", "addw", "sub", "subw", "mov", "movs", "movw"}  # [jnk0le], from the older slot only
_SATURATE = {"ssat", "usat", "ssat16", "usat16"}
_READ_EARLY = {"sbfx", "ubfx", "rbit", "rev", "rev16", "revsh", "pkhtb"} | _SATURATE  # [jnk0le], [LLVM]
_SLOW_BITS = {"qadd", "qsub", "qdadd", "qdsub", "usad8", "usada8"} | _SATURATE  # [LLVM]
_SHIFTING_BITS = {"bfi", "bfc", "sbfx", "ubfx", "rbit", "rev", "rev16", "revsh", "pkhbt", "pkhtb"}  # [jnk0le]
_EXTEND_AND_ADD = ("sxta", "uxta")  # [jnk0le]
_ALONE = {Kind.LOAD_MANY, Kind.STORE_MANY, Kind.DIVIDE, Kind.TABLE_BRANCH, Kind.SYSTEM}  # [jnk0le], [LLVM]
_LOADS = {Kind.LOAD, Kind.FLOAT_LOAD}
_STORES = {Kind.STORE, Kind.FLOAT_STORE}
_FLOATS = {Kind.FLOAT, Kind.FLOAT_MULTIPLY_ADD, Kind.FLOAT_DIVIDE}
_BRANCHES = {Kind.BRANCH, Kind.BRANCH_REGISTER}
_LATE_ALU = {Kind.ALU, Kind.SHIFT, Kind.COMPARE, Kind.BITS}


@dataclass(frozen=True, slots=True)
class _Result:
    """When a register's value can be read."""

    normal: int
    fast: int
    """By the ALUs, early and late."""


_ALWAYS = _Result(-1000, -1000)


class CortexM7:
    """The pipeline of a Cortex-M7."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._cycle = -1  # of the group that was issued last
        self._older: Instruction | None = None  # the first instruction of that group while its second slot is free
        self._results: dict[str, _Result] = {}
        self._narrow = 0  # 16-bit instructions since the last taken branch

    @property
    def time(self) -> float:
        """Cycles used so far; a free second slot counts as half a cycle."""
        return self._cycle + (0.5 if self._older is not None else 1.0)

    def issue(self, instruction: Instruction) -> None:
        """Issue next to the older instruction if both can go together, otherwise in the next cycle."""
        self._narrow += instruction.size == 2
        earliest = self._operands_ready(instruction)
        if self._older is not None and earliest <= self._cycle and self._pair(self._older, instruction):
            self._older = None
            self._write_results(instruction, self._cycle, younger=True)
            return
        self._cycle = max(self._cycle + 1, earliest)
        self._write_results(instruction, self._cycle, younger=False)
        busy = _busy_cycles(instruction)
        self._cycle += busy - 1
        self._older = None if _alone(instruction) else instruction

    def redirect(self, target: Instruction) -> None:
        """A predicted branch costs nothing, and its target can join its cycle.

        [jnk0le] This "requires at least 2 .n instructions executed prior to branch": fetching 64 bits a cycle, the core
        is ahead only then. It is sensitive to alignment beyond that, which is not modelled.
        """
        if self._narrow < NARROW_TO_FOLD:
            self._older = None
        self._narrow = 0

    def misprediction(self, block: tuple[Instruction, ...]) -> float:
        """[jnk0le] 6 cycles if the flags were known early enough, otherwise 8."""
        distance = next((i for i, instruction in enumerate(reversed(block)) if FLAGS in instruction.results), 0)
        return MISPREDICTED_EARLY_FLAGS if distance >= EARLY_FLAGS_DISTANCE else MISPREDICTED

    def _operands_ready(self, instruction: Instruction) -> int:
        """The first cycle in which the instruction finds all operands at the stages that read them."""
        earliest = 0
        for register, stage, fast in _reads(instruction):
            result = self._results.get(register)
            if result is not None:
                earliest = max(earliest, (result.fast if fast else result.normal) - stage)
        return earliest

    def _pair(self, older: Instruction, younger: Instruction) -> bool:
        """Whether two instructions can be issued in one cycle, dependencies aside."""
        if older.kind in _LOADS and younger.kind in _LOADS:
            # [jnk0le] if "each one is targeting different bank (even and odd words)"
            accesses = self._seen(younger)
            changes = accesses.bank_changes if accesses else _changes_bank(older, younger)
            if changes < 0.5:
                return False
        return _units_allow(older, younger)

    def _result(self, register: str) -> _Result:
        return self._results.get(register, _ALWAYS)

    def _write_results(self, instruction: Instruction, cycle: int, younger: bool) -> None:
        after, fast = self._latency(instruction, cycle, younger)
        for register in instruction.results:
            late_flags = register == FLAGS and after < LATE_RESULT  # [jnk0le] flags come from the late ALU
            time = cycle + (LATE_RESULT if late_flags else after)
            self._results[register] = _Result(time, min(time, cycle + fast))
        if instruction.base_update:
            time = cycle + EARLY_RESULT  # [LLVM] bypassed out of the address generator
            self._results[instruction.base_update] = _Result(time, time)

    def _latency(self, instruction: Instruction, cycle: int, younger: bool) -> tuple[int, int]:
        """When the result can be read, in cycles after issue: normally, and by the ALUs."""
        kind = instruction.kind
        if kind in (Kind.LOAD, Kind.LOAD_MANY, Kind.FLOAT_LOAD):
            word = instruction.operation in ("ldr", "ldm", "ldmdb", "pop", "ldrd")
            return LOAD_RESULT, LOAD_FAST_RESULT if word else LOAD_RESULT
        if kind in MULTIPLIES:
            return MULTIPLY_RESULT, MULTIPLY_RESULT
        if instruction.operation in _SLOW_BITS:
            return SATURATE_RESULT, SATURATE_RESULT
        if kind is Kind.FLOAT:
            return FLOAT_RESULT, FLOAT_RESULT
        if kind is Kind.FLOAT_MULTIPLY_ADD:
            return FLOAT_MULTIPLY_ADD_RESULT, FLOAT_MULTIPLY_ADD_RESULT
        if kind is Kind.FLOAT_MOVE:
            to_float = any(register[0] == "s" and register[1:].isdigit() for register in instruction.results)
            after = MOVE_TO_FLOAT_RESULT if to_float else MOVE_FROM_FLOAT_RESULT
            return after, after
        if self._goes_early(instruction, cycle, younger):
            return EARLY_RESULT, EARLY_RESULT
        return LATE_RESULT, LATE_RESULT

    def _goes_early(self, instruction: Instruction, cycle: int, younger: bool) -> bool:
        """Whether the early ALU executes the instruction: it can, and all operands are there."""
        simple = instruction.operation in _EARLY_CAPABLE and not instruction.shifted and not younger
        if not (simple or instruction.kind is Kind.SHIFT) or instruction.shifted_constant:
            return False
        return all(self._result(register).normal <= cycle for register in instruction.sources)


@cache
def _reads(instruction: Instruction) -> tuple[tuple[str, int, bool], ...]:
    """Each register that the instruction waits for, the stage that reads it, and whether it takes loads fast."""
    early, late = instruction.shifted, instruction.sources
    if instruction.operation in _READ_EARLY:
        early, late = early | late, frozenset()
    if instruction.kind in _STORES or instruction.kind in _BRANCHES or instruction.kind is Kind.STORE_MANY:
        late = frozenset()  # [jnk0le] any result can be stored in the same cycle; branches are predicted
    fast = instruction.kind in _LATE_ALU and not early  # [jnk0le] not if it reads another operand early
    accumulate = FLOAT_ACCUMULATE if instruction.kind is Kind.FLOAT_MULTIPLY_ADD else ACCUMULATE
    return (
        *((register, EARLY, False) for register in sorted(instruction.address_sources)),
        *((register, EARLY, True) for register in sorted(early)),
        *((register, LATE, fast) for register in sorted(late)),
        *((register, accumulate, False) for register in sorted(instruction.accumulators)),
    )


def _busy_cycles(instruction: Instruction) -> int:
    kind = instruction.kind
    if kind in (Kind.LOAD_MANY, Kind.STORE_MANY):
        return -(-instruction.registers // 2)  # [jnk0le] two registers a cycle
    fixed = {
        Kind.DIVIDE: DIVIDE_CYCLES,
        Kind.FLOAT_DIVIDE: FLOAT_DIVIDE_CYCLES,
        Kind.TABLE_BRANCH: TABLE_BRANCH_CYCLES,
        Kind.SYSTEM: SYSTEM_CYCLES,
    }
    return fixed.get(kind, 1)


def _alone(instruction: Instruction) -> bool:
    """Whether the instruction never shares its cycle."""
    two_words = instruction.registers > 1  # [jnk0le] VLDR.D, VSTR.D, VMOV of two registers
    return instruction.kind in _ALONE or two_words


@cache
def _units_allow(older: Instruction, younger: Instruction) -> bool:
    """Whether there are units for two instructions in one cycle."""
    if _alone(older) or _alone(younger):
        return False
    kinds = older.kind, younger.kind
    if all(kind in _STORES for kind in kinds) or all(kind in _BRANCHES for kind in kinds):
        return False  # one store and one branch unit
    if all(kind in MULTIPLIES for kind in kinds) or all(kind in _FLOATS for kind in kinds):
        return False
    if any(kind in MULTIPLIES for kind in kinds) and any(kind in _STORES for kind in kinds):
        return False  # [jnk0le] "multiplication ... can't dual issue with stores"
    if younger.kind is Kind.BITS:
        return False  # [jnk0le] "must be placed in older op", and not two of them
    return not (_uses_shifter(older) and _uses_shifter(younger))


def _changes_bank(older: Instruction, younger: Instruction) -> bool:
    """Whether two loads access an even and an odd word, as far as their offsets from one base tell."""
    if older.offset is None or younger.offset is None or older.address_sources != younger.address_sources:
        return False
    return bool((older.offset ^ younger.offset) & 4)


def _uses_shifter(instruction: Instruction) -> bool:
    """[jnk0le] One inline shift, shifted constant or bit-field operation a cycle."""
    operation = instruction.operation
    bits = operation in _SHIFTING_BITS or operation.startswith(_EXTEND_AND_ADD)
    return bool(instruction.shifted) or instruction.shifted_constant or bits


MODEL = CycleModel("cortex-m7 pipeline", 0.2, CortexM7, 12, False)
