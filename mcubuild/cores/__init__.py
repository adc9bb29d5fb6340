"""Processor cores, a module each, named like the core: what compilers, emulators and estimates must know of it.

A new core is such a module, and a cycle model in ``mcubuild.measure.cycles`` that it names; what kernels cost on it is
measured (``costs/``).
"""

from pathlib import Path

_PREFIX = "cortex_"


def names() -> tuple[str, ...]:
    """The cores that there are, sorted: ``cortex-m0plus``, ...; their modules are not imported."""
    return tuple(sorted(path.stem.replace("_", "-") for path in Path(__file__).parent.glob(f"{_PREFIX}*.py")))
