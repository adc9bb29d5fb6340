"""How many networks a second the search can ask about whether they fit.

    python -m tests.nas.bench_fits [networks]

Random networks of spaces small and large, each asked about RAM from tight to ample; blocks are known beforehand, as
they are in a search after its first networks. One core's time, the best of three runs; every answer is compared with
that of the plan itself.
"""

import sys
import time

import numpy as np

from mcubuild.board import read_board
from mcubuild.nas.space.arch import Arch, Space, draw
from mcubuild.nas.space.footprints import Footprints
from mcubuild.resolution import square
from mcubuild.spec.budget import Budget
from mcubuild.spec.deployment import Deployment

BOARD = read_board("stm32f746")
SPACES = ((0.2, 48), (0.3, 176), (0.35, 144), (0.5, 80), (0.5, 144), (1.0, 96))
"""Width and resolution."""
SRAM = (32, 64, 128, 256)
"""kB."""
FLASH = 1 << 20
STACK = 2048


def seconds(archs: list[Arch], footprints: Footprints) -> float:
    """The core's time for one question about each network."""
    begun = time.process_time()
    for arch in archs:
        footprints.fits(arch, FLASH)
    return time.process_time() - begun


def agree(archs: list[Arch], footprints: Footprints, sram: int) -> int:
    """Networks of which the plan says the same."""
    plans = [footprints.of(arch) for arch in archs]
    return sum(
        footprints.fits(arch, FLASH) == (plan.sram <= sram and plan.flash <= FLASH)
        for arch, plan in zip(archs, plans, strict=True)
    )


def main(count: int) -> None:
    """Measure and print."""
    print("networks a second   " + "".join(f"{sram:>12} kB" for sram in SRAM))
    total, agreed = 0.0, 0
    for width, resolution in SPACES:
        space, rng = Space(width, square(resolution), 3, 2), np.random.default_rng(0)
        archs = [draw(space, rng) for _ in range(count)]
        line = f"{space.name:20}"
        for sram in SRAM:
            footprints = Footprints(Deployment(BOARD, budget=Budget(sram=sram << 10)))
            share = sum(footprints.fits(arch, FLASH) for arch in archs) / count
            best = min(seconds(archs, footprints) for _ in range(3))
            total += best
            agreed += agree(archs[:50], footprints, sram << 10)
            line += f"{count / best:9,.0f} {share:5.0%}"
        print(line, flush=True)
    questions = len(SPACES) * len(SRAM)
    print(f"\nall: {questions * count / total:,.0f} a second; {agreed} of {questions * min(count, 50)} answers agree")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
