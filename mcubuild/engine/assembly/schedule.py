"""The order of instructions: straight-line assembly, rearranged for a core's pipeline.

Templates of inner loops state what is computed, with registers assigned, in an order that is easy to follow; the filter
``ordered`` puts independent instructions in the order in which the core wastes the fewest cycles. Only the order
changes: every instruction still reads what it read before. The latencies are a summary of what the cycle models in
``mcubuild.measure.cycles`` know (where the sources are): here they decide an order, there they are the yardstick.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mcubuild.board import CoreName
from mcubuild.cores.core import core_of

_EARLY, _LATE, _ACCUMULATE, _STORED = 0, 1, 2, 3
"""Cycles after issue at which a Cortex-M7 reads an operand: addresses and shifts, arithmetic, sums, stored data."""

_MULTIPLIES = re.compile(r"sm(lad|labb|labt|latb|latt|lal|ull|mlar|mulr|ulbb|uad)|mla|mul|smmlar")
_BITS = re.compile(r"[su]xt|pkh|ssat|usat|bfi|bfc|[su]bfx|sel|ssub8|usub8|rev")
_SLOW_BITS = ("ssat", "usat")
_REGISTER = re.compile(r"\b(?:r\d+|lr|sp|s\d+)\b")
_DOUBLE = re.compile(r"\bd(\d+)\b")


@dataclass
class _Line:
    """An instruction, and what has to come before it."""

    text: str
    unit: str
    """``multiply``, ``load``, ``store``, ``bits``, ``pair`` (moves two registers: alone), ``branch`` or ``alu``."""
    shifts: bool
    """Whether it takes the shifter besides its own unit."""
    reads: dict[str, int]
    """Registers and when the Cortex-M7 reads them."""
    writes: dict[str, int]
    """Registers and when their values can be read, in cycles after issue."""
    offset: int | None
    """Of a load with a fixed offset."""
    base: str | None
    after: dict[int, int] = field(default_factory=dict)
    """Index of a line that must come first -> cycles between."""
    urgency: int = 0
    """Cycles from here to the end along the longest chain."""


def ordered(text: str, core: CoreName) -> str:
    """Straight-line instructions, one a line, in a good order for ``core``; comments and blank lines are dropped.

    Args:
        text: instructions without labels or branches. Loads never read what stores of the block write, but for words
            on the stack; stores keep their order.
        core: it issues one or two at a time.
    """
    lines = [_parse(line) for raw in text.splitlines() if (line := raw.split("@")[0].strip())]
    _link(lines)
    order = _pairs(lines) if core_of(core).issues == 2 else _singles(lines)
    return "".join(f"    {lines[index].text}\n" for index in order)


def _parse(text: str) -> _Line:
    operation, _, rest = text.partition(" ")
    name = operation.removesuffix(".w")
    rest = _DOUBLE.sub(lambda match: f"s{2 * int(match[1])}, s{2 * int(match[1]) + 1}", rest)
    registers = _REGISTER.findall(rest)
    shifted = re.search(r"(\w+), (?:asr|lsl|lsr|ror) #", rest)
    unit = _unit(name, text)
    stage = dict.fromkeys(registers, _LATE)
    if shifted and unit == "alu":
        stage[shifted[1]] = _EARLY
    if name in _SLOW_BITS or name in ("ubfx", "sbfx"):
        stage = dict.fromkeys(registers, _EARLY)
    written = 1
    kept: list[str] = []
    if unit == "store":
        written = 0
        stage = dict.fromkeys(registers, _EARLY) | {registers[0]: _STORED}
    elif unit == "load":
        stage = dict.fromkeys(registers[1:], _EARLY)
    elif name == "smlal":
        written, kept = 2, registers[:2]
    elif unit == "multiply" and len(registers) == 4:
        kept = registers[3:]
    elif name == "bfi":
        kept = registers[:1]
    elif unit == "pair":
        written = 2 if text.split()[1][0] == "r" else 1
    elif name in ("cmp", "tst"):
        written = 0
    reads = {r: stage.get(r, _LATE) for r in registers[written:]} | dict.fromkeys(kept, _ACCUMULATE)
    if name == "bfi":
        reads |= dict.fromkeys(kept, _LATE)
    writes = dict.fromkeys(registers[:written], _ready(name, unit))
    base = re.search(r"\[(\w+)", rest)
    if base and ("]!" in rest or re.search(r"\], #", rest)):
        writes[base[1]] = 1
    if name in ("cmp", "tst", "subs", "adds"):
        writes["flags"] = 2
    if name == "ssub8":
        writes["ge"] = 2
    if name == "sel":
        reads["ge"] = _LATE
    if unit == "store":
        writes["stack" if base and base[1] == "sp" else "output"] = 0
    elif base and base[1] == "sp":
        reads["stack"] = _EARLY
    offset = re.search(r"\[\w+(?:, #(-?\d+))?\]$", rest)
    number = int(offset[1] or 0) if unit == "load" and offset else None
    shifts = (bool(shifted) and unit == "alu") or name in ("bfi", "ubfx", "sbfx", "pkhbt", "pkhtb")
    return _Line(text, unit, shifts, reads, writes, number, base[1] if base else None)


def _unit(name: str, text: str) -> str:
    if _MULTIPLIES.fullmatch(name):
        return "multiply"
    if name.startswith("ldr"):
        return "load"
    if name.startswith("str"):
        return "store"
    if _BITS.match(name):
        return "bits"
    if name == "vmov" and re.search(r"\bd\d|,.*,", text):
        return "pair"
    return "alu"


def _ready(name: str, unit: str) -> int:
    """When the Cortex-M7 has the result, in cycles after issue."""
    if unit in ("multiply", "load", "pair") or name in _SLOW_BITS or name == "vmov":
        return 3
    return 2


def _link(lines: Sequence[_Line]) -> None:
    """What has to come before what: results before their readers, readers before the next result."""
    writer: dict[str, int] = {}
    readers: dict[str, list[int]] = {}
    for index, line in enumerate(lines):
        for register, stage in line.reads.items():
            if register in writer:
                wait = max(lines[writer[register]].writes[register] - stage, 0)
                line.after[writer[register]] = max(line.after.get(writer[register], 0), wait)
            readers.setdefault(register, []).append(index)
        for register in line.writes:
            for before in readers.pop(register, []):
                if before != index:
                    line.after.setdefault(before, 0)
            if register in writer and register not in line.reads:
                line.after.setdefault(writer[register], 1)
            writer[register] = index
    for index in reversed(range(len(lines))):
        for before, wait in lines[index].after.items():
            lines[before].urgency = max(lines[before].urgency, lines[index].urgency + max(wait, 1))


def _singles(lines: Sequence[_Line]) -> list[int]:
    """One instruction at a time: loads in a row, as each behind another takes a cycle less; the rest as written."""
    order: list[int] = []
    left = list(range(len(lines)))
    while left:
        ready = [index for index in left if all(before in order for before in lines[index].after)]
        last = lines[order[-1]] if order else None
        loads = [index for index in ready if lines[index].unit == "load"]
        others = [index for index in ready if lines[index].unit != "load"]
        if loads and last is not None and last.unit == "load":
            choice = loads[0]
        else:
            settled = [i for i in others if not (last and last.unit != "load" and _addressed(lines[i], last))]
            choice = (settled or others or loads)[0]
        order.append(choice)
        left.remove(choice)
    return order


def _addressed(line: _Line, last: _Line) -> bool:
    """Whether the line's address is what the last one computed."""
    return line.base is not None and line.base in last.writes


def _pairs(lines: Sequence[_Line]) -> list[int]:
    """Two instructions a cycle: the best of several ways to break ties."""
    ways: list[Callable[[int], tuple[int, ...]]] = [
        lambda index: (-lines[index].urgency, index),
        lambda index: (lines[index].unit != "multiply", -lines[index].urgency, index),
        lambda index: (index,),
        lambda index: (-lines[index].urgency // 4, index),
        lambda index: (-lines[index].urgency + index // 4, index),
    ]
    return min((_pairs_by(lines, way) for way in ways), key=lambda result: result[0])[1]


def _pairs_by(lines: Sequence[_Line], rank: Callable[[int], tuple[int, ...]]) -> tuple[int, list[int]]:
    """Cycles, and the order that a list scheduler finds."""
    issued: dict[int, int] = {}
    order: list[int] = []
    cycle = 0

    def ready() -> list[int]:
        return sorted(
            (
                index
                for index, line in enumerate(lines)
                if index not in issued
                and all(before in issued and issued[before] + wait <= cycle for before, wait in line.after.items())
            ),
            key=rank,
        )

    while len(order) < len(lines):
        candidates = ready()
        if candidates:
            first = candidates[0]
            issued[first] = cycle
            partner = next((index for index in ready() if _together(lines[first], lines[index])), None)
            swapped = next((index for index in candidates[1:] if _together(lines[index], lines[first])), None)
            if partner is None and swapped is not None:
                order += [swapped, first]
                issued[swapped] = cycle
            else:
                order.append(first)
                if partner is not None:
                    order.append(partner)
                    issued[partner] = cycle
        cycle += 1
    return cycle, order


def _together(older: _Line, younger: _Line) -> bool:
    """Whether a Cortex-M7 issues the two in one cycle, as far as their units are concerned."""
    units = {older.unit, younger.unit}
    if "pair" in units or younger.unit == "bits" or (older.shifts and younger.shifts):
        return False
    if units == {"multiply", "store"}:
        return False
    if older.unit == younger.unit == "load":
        known = older.offset is not None and younger.offset is not None and older.base == younger.base
        return known and bool(((older.offset or 0) ^ (younger.offset or 0)) & 4)
    return len(units) > 1 or older.unit == "alu"
