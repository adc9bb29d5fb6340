"""What a cycle model needs to know of an instruction: its class, and which registers it reads and writes when."""

from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Any


class Kind(IntEnum):
    """Classes of instructions that cycle models tell apart."""

    ALU = auto()
    SHIFT = auto()
    """A move with a shift: LSL, LSR, ASR, ROR."""
    COMPARE = auto()
    BITS = auto()
    """Bit fields, extension, packing, reversal, SIMD within a register, saturation."""
    MULTIPLY = auto()
    MULTIPLY_ADD = auto()
    LONG_MULTIPLY = auto()
    LONG_MULTIPLY_ADD = auto()
    DIVIDE = auto()
    LOAD = auto()
    STORE = auto()
    LOAD_MANY = auto()
    """LDM, POP, LDRD: ``registers`` of them."""
    STORE_MANY = auto()
    BRANCH = auto()
    """To a fixed address, conditional or not; BL too."""
    BRANCH_REGISTER = auto()
    TABLE_BRANCH = auto()
    IT = auto()
    NOP = auto()
    SYSTEM = auto()
    """Barriers, MSR and the like."""
    FLOAT = auto()
    """Addition, multiplication, comparison, conversion of single precision."""
    FLOAT_MULTIPLY_ADD = auto()
    FLOAT_DIVIDE = auto()
    """And square root."""
    FLOAT_MOVE = auto()
    """Between the register files or within them; ``registers`` core registers take part."""
    FLOAT_LOAD = auto()
    FLOAT_STORE = auto()


LOADS = frozenset({Kind.LOAD, Kind.LOAD_MANY, Kind.FLOAT_LOAD})
MULTIPLIES = frozenset({Kind.MULTIPLY, Kind.MULTIPLY_ADD, Kind.LONG_MULTIPLY, Kind.LONG_MULTIPLY_ADD})

FLAGS = "flags"
"""The condition flags, as if they were a register."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One decoded instruction."""

    address: int
    size: int
    """Bytes: 2 or 4."""
    operation: str
    """The mnemonic without condition, width and flag suffix: ``add``, ``smlad``, ``vldr``."""
    kind: Kind
    sources: frozenset[str]
    """Registers of ordinary operands: factors of a product, stored data, flags of a condition."""
    address_sources: frozenset[str]
    """Registers that form an address."""
    shifted: frozenset[str]
    """Registers that pass through the shifter first: ``asr #31`` behind an operand, what SXTAB, PKHBT or BFI takes."""
    accumulators: frozenset[str]
    """Registers that a product is added to."""
    results: frozenset[str]
    """Registers written, except for ``base_update``."""
    base_update: str | None
    """The base register of a pre- or post-indexed access."""
    registers: int
    """How many registers are loaded, stored or moved; 1 for others."""
    offset: int | None
    """The immediate offset of an access; None for a register offset or no access."""
    shifted_constant: bool
    """Whether an immediate takes the shifter: eight bits moved to another place."""
    dsp: bool
    """Whether the instruction belongs to the DSP extension."""

    @property
    def writes_pc(self) -> bool:
        """Whether this loads or computes the program counter."""
        return "pc" in self.results

    @property
    def wide_off_word(self) -> bool:
        """Whether this is a 32-bit instruction that does not start at a word boundary."""
        return self.size == 4 and self.address % 4 != 0


_KINDS: dict[str, Kind] = {
    name: kind
    for kind, names in {
        Kind.SHIFT: "lsl lsr asr ror rrx",
        Kind.COMPARE: "cmp cmn tst teq",
        Kind.BITS: (
            "bfi bfc sbfx ubfx rbit rev rev16 revsh clz sxtb sxth uxtb uxth sxtb16 uxtb16 sxtab sxtah uxtab uxtah "
            "sxtab16 uxtab16 pkhbt pkhtb ssat usat ssat16 usat16 sel usad8 usada8 qadd qsub qdadd qdsub "
            "sadd8 sadd16 sasx ssax ssub8 ssub16 uadd8 uadd16 uasx usax usub8 usub16 "
            "shadd8 shadd16 shasx shsax shsub8 shsub16 uhadd8 uhadd16 uhasx uhsax uhsub8 uhsub16 "
            "qadd8 qadd16 qasx qsax qsub8 qsub16 uqadd8 uqadd16 uqasx uqsax uqsub8 uqsub16"
        ),
        Kind.MULTIPLY: "mul smulbb smulbt smultb smultt smulwb smulwt smuad smuadx smusd smusdx smmul smmulr",
        Kind.MULTIPLY_ADD: (
            "mla mls smlabb smlabt smlatb smlatt smlawb smlawt smlad smladx smlsd smlsdx smmla smmlar smmls smmlsr"
        ),
        Kind.LONG_MULTIPLY: "smull umull",
        Kind.LONG_MULTIPLY_ADD: ("smlal umlal umaal smlalbb smlalbt smlaltb smlaltt smlald smlaldx smlsld smlsldx"),
        Kind.DIVIDE: "sdiv udiv",
        Kind.LOAD: "ldr ldrb ldrh ldrsb ldrsh ldrex ldrexb ldrexh ldrt ldrbt ldrht ldrsbt ldrsht",
        Kind.STORE: "str strb strh strex strexb strexh strt strbt strht",
        Kind.LOAD_MANY: "ldm ldmdb pop ldrd vldmia vldmdb vpop",
        Kind.STORE_MANY: "stm stmdb push strd vstmia vstmdb vpush",
        Kind.BRANCH: "b bl cbz cbnz",
        Kind.BRANCH_REGISTER: "bx blx bxns blxns",
        Kind.TABLE_BRANCH: "tbb tbh",
        Kind.IT: "it",
        Kind.SYSTEM: "dmb dsb isb msr mrs cps svc bkpt udf clrex vmsr sev wfi wfe yield dbg",
        Kind.FLOAT_MULTIPLY_ADD: "vmla vmls vnmla vnmls vfma vfms vfnma vfnms",
        Kind.FLOAT_DIVIDE: "vdiv vsqrt",
        Kind.FLOAT_MOVE: "vmov vmrs fmstat",
        Kind.FLOAT_LOAD: "vldr",
        Kind.FLOAT_STORE: "vstr",
        Kind.NOP: "nop hint",
    }.items()
    for name in names.split()
}

_STACK = {"pop", "push", "vpop", "vpush"}
_READ_CARRY = {"adc", "sbc", "rrx", "sel"}
_SHIFT_AND_COMBINE = ("sxta", "uxta", "pkh", "bfi")  # shift their last operand, even if by nothing
_EXTEND = {"sxtb", "sxth", "uxtb", "uxth", "sxtb16", "uxtb16"}  # rotate, but not in the shifter
_PLAIN_IMMEDIATE = {"addw", "subw", "movw", "movt"}


def classify(decoded: Any) -> Instruction:
    """The instruction that capstone decoded (a ``capstone.CsInsn`` with details).

    Which operand is read and which written is derived here from the operation: capstone 5 forgets the accumulators of
    SMLAL, the second source of SXTAB and PKHBT, the source of SSAT and the list of VLDM.
    """
    from capstone import arm_const as arm

    operation = decoded.insn_name()
    kind = _KINDS.get(operation, Kind.FLOAT if operation.startswith("v") else Kind.ALU)
    registers: list[tuple[str, ...]] = []
    shifted: set[str] = set()
    address: list[str] = []  # base, index
    offset: int | None = None
    post_indexed = shifted_constant = False
    for operand in decoded.operands:
        if operand.type == arm.ARM_OP_REG:
            names = _names(decoded.reg_name(operand.reg))
            registers.append(names)
            if operand.shift.type != arm.ARM_SFT_INVALID:
                shifted.update(names)
        elif operand.type == arm.ARM_OP_MEM:
            address = [decoded.reg_name(register) for register in (operand.mem.base, operand.mem.index) if register]
            offset = operand.mem.disp if not operand.mem.index else None
        elif operand.type == arm.ARM_OP_IMM:
            post_indexed = bool(address)
            modified = kind in (Kind.ALU, Kind.COMPARE) and decoded.size == 4
            shifted_constant = modified and decoded.mnemonic not in _PLAIN_IMMEDIATE and _shifts(operand.imm)
    if kind in (Kind.LOAD_MANY, Kind.STORE_MANY) and not address:
        address = ["sp"] if operation in _STACK else list(registers.pop(0))
    elif post_indexed:
        offset = 0
    first_is_read = bool(decoded.operands) and bool(decoded.operands[0].access & 1)
    results, sources, accumulators = _roles(kind, operation, registers, first_is_read)
    if operation.startswith(_SHIFT_AND_COMBINE):
        shifted = set(registers[-1])
    elif operation in _EXTEND:
        shifted = set()
    conditional = decoded.cc not in (arm.ARM_CC_INVALID, arm.ARM_CC_AL) and kind is not Kind.IT
    if operation in _READ_CARRY or (conditional and kind is not Kind.BRANCH):
        sources.add(FLAGS)
    without_flags = operation in _READ_CARRY and not decoded.mnemonic.startswith(f"{operation}s")  # capstone says else
    if (decoded.update_flags and not without_flags) or kind is Kind.COMPARE or operation == "fmstat":
        results.add(FLAGS)
    return Instruction(
        address=decoded.address,
        size=decoded.size,
        operation=operation,
        kind=Kind.BRANCH_REGISTER if "pc" in results and kind in (Kind.ALU, Kind.SHIFT) else kind,
        sources=frozenset(sources - shifted),
        address_sources=frozenset(address),
        shifted=frozenset(shifted),
        accumulators=frozenset(accumulators),
        results=frozenset(results),
        base_update=address[0] if decoded.writeback or operation in _STACK else None,
        registers=_moved(kind, registers),
        offset=offset,
        shifted_constant=shifted_constant,
        dsp=any(decoded.group(group) for group in (arm.ARM_GRP_THUMB2DSP, arm.ARM_GRP_T2EXTRACTPACK)),
    )


def _names(register: str) -> tuple[str, ...]:
    """A register's name; for d0..d15 those of the two single-precision registers that it is made of."""
    if register[0] == "d" and register[1:].isdigit():
        return f"s{2 * int(register[1:])}", f"s{2 * int(register[1:]) + 1}"
    return (register,)


def _shifts(value: int) -> bool:
    """Whether a 32-bit modified immediate is eight bits moved to another place, not a byte or a repeated pattern."""
    value &= 0xFFFFFFFF
    low, half = value & 0xFF, value & 0xFFFF
    patterns = {low, low | low << 16, (half & 0xFF00) | (half & 0xFF00) << 16, low * 0x01010101}
    return value not in patterns


def _roles(
    kind: Kind, operation: str, operands: list[tuple[str, ...]], first_is_read: bool
) -> tuple[set[str], set[str], set[str]]:
    """Results, sources and accumulators among the register operands, which stand in the order of the assembler."""

    def union(some: list[tuple[str, ...]]) -> set[str]:
        return {name for names in some for name in names}

    if kind in (Kind.LOAD, Kind.LOAD_MANY, Kind.FLOAT_LOAD):
        return union(operands), set(), set()
    if kind in (Kind.STORE, Kind.STORE_MANY, Kind.FLOAT_STORE):
        if operation.startswith("strex"):
            return union(operands[:1]), union(operands[1:]), set()
        return set(), union(operands), set()
    if kind in (Kind.COMPARE, Kind.TABLE_BRANCH, Kind.SYSTEM) or operation.startswith("vcmp"):
        return set(), union(operands), set()
    if kind in (Kind.BRANCH, Kind.BRANCH_REGISTER):
        return {"pc"} | ({"lr"} if operation in ("bl", "blx", "blxns") else set()), union(operands), set()
    if kind is Kind.MULTIPLY_ADD:
        return union(operands[:1]), union(operands[1:3]), union(operands[3:])
    if kind in (Kind.LONG_MULTIPLY, Kind.LONG_MULTIPLY_ADD):
        accumulators = union(operands[:2]) if kind is Kind.LONG_MULTIPLY_ADD else set()
        return union(operands[:2]), union(operands[2:]), accumulators
    if kind is Kind.FLOAT_MULTIPLY_ADD:
        return union(operands[:1]), union(operands[1:]), union(operands[:1])
    if kind is Kind.FLOAT_MOVE:
        core = [names for names in operands if names[0][0] == "r" or names[0] in ("lr", "sp", "ip", "sb", "sl", "fp")]
        two = len(operands) == 4 or (len(operands) == 3 and operands[0] in core and operands[1] in core)
        return union(operands[: 1 + two]), union(operands[1 + two :]), set()
    return union(operands[:1]), union(operands[1:] + (operands[:1] if first_is_read else [])), set()


def _moved(kind: Kind, operands: list[tuple[str, ...]]) -> int:
    if kind in (Kind.LOAD_MANY, Kind.STORE_MANY, Kind.FLOAT_LOAD, Kind.FLOAT_STORE):
        return sum(len(names) for names in operands)
    if kind is Kind.FLOAT_MOVE:
        return max(1, len(operands) - 2) if len(operands) > 2 else 1
    return 1
