"""Does the firmware keep its promises? If not: by how much."""

from typing import Literal

from mcubuild.report.amounts import Unit, amount, bound, distance
from mcubuild.report.model import Author, BudgetLines, Limit, Remote

Origin = Literal["linked", "emulated", "measured", "modelled"]


def limit(used: float | None, allowed: float | None, unit: Unit, origin: Origin = "linked") -> Limit:
    """``used`` against ``allowed``, which may be met exactly; both in ``unit``. What is not known breaks any limit.

    Of a share ``allowed`` is the least, of everything else the most.
    """
    margin = None if allowed is None or used is None else used - allowed if unit == "share" else allowed - used
    return Limit(
        limit=allowed,
        used=used,
        ok=allowed is None or (margin is not None and margin >= 0),
        margin=margin,
        unit=unit,
        origin=origin,
    )


def reasons(
    budget: BudgetLines,
    *,
    stack: int,
    stack_reserved: int,
    mismatches: int,
    samples: int,
    remote: Remote | None = None,
    author: Author | None = None,
) -> list[str]:
    """Why the verdict is "fail": each broken promise, and by how much.

    Args:
        budget: use against limits.
        stack: bytes of the stack's high-water mark.
        stack_reserved: bytes that the linker set aside for it.
        mismatches: samples whose outputs in the emulator differ in any bit from the integer reference's.
        samples: samples that the emulator ran.
        remote: the run on a board or in a second emulator.
        author: how the integer reference agrees with what the network's author computed.
    """
    lines = (("SRAM", budget.sram), ("Flash", budget.flash), ("Latency", budget.latency), ("Energy", budget.energy))
    broken = [_over(title, line) for title, line in lines if not line.ok]
    if not budget.accuracy.ok:
        broken.append(_below(budget))
    if stack > stack_reserved:
        broken.append(
            f"The stack reached {stack} B, {stack - stack_reserved} B beyond the {stack_reserved} B reserved for it: "
            f"it overwrites other data; raise firmware.stack"
        )
    if mismatches:
        broken.append(_differ("", mismatches, samples))
    if remote is not None and remote.mismatches:
        broken.append(_differ(f" on {remote.target} ({remote.runner})", remote.mismatches, remote.samples))
    if author is not None and author.beyond:
        broken.append(
            f"The outputs of {author.beyond} of {author.samples} samples differ from [model] outputs by more than "
            f"tolerance = {author.tolerance}: by {author.largest} steps at most"
        )
    return broken


def _differ(where: str, mismatches: int, samples: int) -> str:
    return (
        f"The outputs of {mismatches} of {samples} samples{where} differ from the integer reference; "
        f"the two must agree in every bit"
    )


def _over(title: str, line: Limit) -> str:
    assert line.limit is not None
    if line.used is None:
        return f"{title} is limited to {amount(line.limit, line.unit)} but not known: the core has no cycle model"
    over = line.used - line.limit
    # Bytes are exact: "0.0 kB over" would hide a small overrun.
    by = f"{over:.0f} B" if line.unit == "B" and over < 10240 else amount(over, line.unit)
    how = "" if line.origin == "linked" else f", {line.origin}"
    return (
        f"{title} is {by} ({over / line.limit:.1%}) over its budget: "
        f"{amount(line.used, line.unit)} of {amount(line.limit, line.unit)}{how}"
    )


def _below(budget: BudgetLines) -> str:
    line = budget.accuracy
    assert line.limit is not None
    if line.used is None or line.margin is None:
        return f"Accuracy must be {bound(line.limit, 'share')} but is not known: there are no labels"
    what = "The lower end of the accuracy's 95 % interval" if budget.strict else "Accuracy"
    return (
        f"{what} is {distance(-line.margin, 'share')} below its budget: {amount(line.used, 'share')} of "
        f"{bound(line.limit, 'share')}, {line.origin}"
    )


def kept(budget: BudgetLines) -> list[str]:
    """What is left below each limit of a budget that is kept, such as ``"SRAM 115.5 kB (90.2%)"``."""
    lines = (("SRAM", budget.sram), ("Flash", budget.flash), ("latency", budget.latency), ("energy", budget.energy))
    found = [
        f"{title} {amount(line.margin, line.unit)} ({line.margin / line.limit:.1%})"
        for title, line in lines
        if line.limit and line.margin is not None
    ]
    if budget.accuracy.margin is not None:
        found.append(f"accuracy {distance(budget.accuracy.margin, 'share')}")
    return found


def cautions(
    budget: BudgetLines,
    *,
    uncertainty: float | None,
    samples: int,
    available: int,
    promised: int,
    linked: int,
    clock_hz: int,
    remote: Remote | None = None,
) -> list[str]:
    """Why to read some figures with care.

    Args:
        budget: use against limits.
        uncertainty: of the emulated latency, relative.
        samples: samples that the firmware classified.
        available: samples of the test split.
        promised: bytes of RAM that the planner promised, with the reserved stack.
        linked: bytes of RAM that the linker gave, with the reserved stack.
        clock_hz: the core's clock in the board file.
        remote: the run on a board or in a second emulator.
    """
    found = []
    for title, line in (("latency", budget.latency), ("energy", budget.energy)):
        if budget.latency.origin == "emulated" and line.limit is not None and line.used is not None and uncertainty:
            low, high = line.used * (1 - uncertainty), line.used * (1 + uncertainty)
            if low <= line.limit < high:
                found.append(
                    f"The {title} limit of {amount(line.limit, line.unit)} lies inside the cycle model's uncertainty "
                    f"({amount(low, line.unit)} to {amount(high, line.unit)}): only a board can settle it"
                )
    if samples < available:
        found.append(f"The firmware classified {samples} of the {available} test samples")
    if promised != linked:
        found.append(f"The memory planner promised {promised} B SRAM, the linked firmware takes {linked} B")
    if remote is not None and remote.silicon:
        found += _board(remote, uncertainty, clock_hz)
    return found


def _board(remote: Remote, uncertainty: float | None, clock_hz: int) -> list[str]:
    """What a board tells of the model and of the board file."""
    found = []
    if remote.ratio is not None and uncertainty is not None and abs(remote.ratio - 1) > uncertainty:
        found.append(
            f"The measured cycles are {remote.ratio:.2f} times the emulated ones, outside the cycle model's "
            f"±{uncertainty:.0%}: trust the measurement; figures by layer and the search's estimates are off as well"
        )
    if remote.clock_hz is not None and remote.clock_hz != clock_hz:
        found.append(
            f"{remote.target} ran at {remote.clock_hz / 1e6:g} MHz, the board file says {clock_hz / 1e6:g} MHz"
        )
    return found
