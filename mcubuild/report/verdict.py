"""Does the firmware keep its promises? If not: by how much."""

from typing import Literal

from mcubuild.report.model import BudgetLines, Limit
from mcubuild.units import format_size, format_time

Unit = Literal["B", "ms"]


def limit(used: float | None, allowed: float | None, unit: Unit) -> Limit:
    """``used`` against ``allowed``, which may be met exactly; both in ``unit``. What is not known breaks any limit."""
    margin = None if allowed is None or used is None else allowed - used
    return Limit(
        limit=allowed, used=used, ok=allowed is None or (margin is not None and margin >= 0), margin=margin, unit=unit
    )


def amount(value: float, unit: Unit) -> str:
    """``value`` for people."""
    return format_size(value) if unit == "B" else format_time(value / 1e3)


def reasons(budget: BudgetLines, *, stack: int, stack_reserved: int, mismatches: int, samples: int) -> list[str]:
    """Why the verdict is "fail": each broken promise, and by how much.

    Args:
        budget: use against limits.
        stack: bytes of the stack's high-water mark.
        stack_reserved: bytes that the linker set aside for it.
        mismatches: samples whose outputs differ in any bit from the integer reference's.
        samples: samples that were run.
    """
    lines = (("SRAM", budget.sram), ("Flash", budget.flash), ("Latency", budget.latency))
    broken = [_over(title, line) for title, line in lines if not line.ok]
    if stack > stack_reserved:
        broken.append(
            f"The stack reached {stack} B, {stack - stack_reserved} B beyond the {stack_reserved} B reserved for it: "
            f"it overwrites other data; raise firmware.stack"
        )
    if mismatches:
        broken.append(
            f"The outputs of {mismatches} of {samples} samples differ from the integer reference; "
            f"the two must agree in every bit"
        )
    return broken


def _over(title: str, line: Limit) -> str:
    assert line.limit is not None
    if line.used is None:
        return f"{title} is limited to {amount(line.limit, line.unit)} but not known: the core has no cycle model"
    over = line.used - line.limit
    # Bytes are exact: "0.0 kB over" would hide a small overrun.
    by = f"{over:.0f} B" if line.unit == "B" and over < 10240 else amount(over, line.unit)
    return (
        f"{title} is {by} ({over / line.limit:.1%}) over its budget: "
        f"{amount(line.used, line.unit)} of {amount(line.limit, line.unit)}"
    )


def cautions(
    budget: BudgetLines, *, uncertainty: float | None, samples: int, available: int, promised: int, linked: int
) -> list[str]:
    """Why to read some figures with care.

    Args:
        budget: use against limits.
        uncertainty: of the latency, relative.
        samples: samples that the firmware classified.
        available: samples of the test split.
        promised: bytes of RAM that the planner promised, with the reserved stack.
        linked: bytes of RAM that the linker gave, with the reserved stack.
    """
    found = []
    latency = budget.latency
    if latency.limit is not None and latency.used is not None and uncertainty:
        low, high = latency.used * (1 - uncertainty), latency.used * (1 + uncertainty)
        if low <= latency.limit < high:
            found.append(
                f"The latency limit of {amount(latency.limit, 'ms')} lies inside the cycle model's uncertainty "
                f"({amount(low, 'ms')} to {amount(high, 'ms')}): only a board can settle it"
            )
    if samples < available:
        found.append(f"The firmware classified {samples} of the {available} test samples")
    if promised != linked:
        found.append(f"The memory planner promised {promised} B SRAM, the linked firmware takes {linked} B")
    return found
