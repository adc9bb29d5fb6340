"""Invented figures."""

from mcubuild.bench.workbench import Figures


def figures(cycles: float = 1e6, arena: int = 20480, static: int = 32, stack: int = 256) -> Figures:
    """Of a network of a million multiply-accumulates."""
    return Figures(1_000_000, 2e6, 1.1 * cycles, cycles, arena, static, stack, 100_000)
