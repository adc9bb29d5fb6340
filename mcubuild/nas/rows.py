"""A network, searched for or published, as a row of blocks."""

from typing import TypeAlias

from mcubuild.nas.arch import Arch
from mcubuild.nas.baselines import Baseline, baseline_blocks
from mcubuild.nas.blocks import Block, blocks

Described: TypeAlias = Arch | Baseline
"""Whatever arch.json may describe."""


def row(arch: Described) -> dict[str, Block]:
    """The blocks of ``arch`` by name, in the order in which they run."""
    return baseline_blocks(arch) if isinstance(arch, Baseline) else blocks(arch)
