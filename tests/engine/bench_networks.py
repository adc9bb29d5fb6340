"""Cycles a multiply-accumulate of whole networks, with inner loops in assembly and without.

    python -m tests.engine.bench_networks [name ...]

The networks of MLPerf Tiny are read from ``../shared/models`` if they are there; each output is compared with the
reference executor's.
"""

import sys

from mcubuild import ROOT
from mcubuild.board import read_board
from mcubuild.importers.tflite import import_tflite
from mcubuild.ir.graph import macs
from mcubuild.spec.engine import EngineSettings
from tests.engine.bench_kernels import cycles
from tests.engine.calibrate import BOARDS

MODELS = ROOT.parent / "shared" / "models"
NAMES = ("kws", "resnet", "vww96", "ad01")


def main(wanted: list[str]) -> None:
    """Measure and print."""
    print(f"{'cycles a MAC':12}" + "".join(f"{core:>14} zero-wait     board" for core in BOARDS))
    for name in wanted or NAMES:
        graph = import_tflite(MODELS / f"{name}.tflite").graph
        total = sum(macs(graph, op) for op in graph.ops)
        for engine in (EngineSettings(assembly=False), EngineSettings()):
            line = f"{name:12}"
            for board in map(read_board, BOARDS.values()):
                zero_wait, waiting = (value / total for value in cycles(graph, board, engine))
                line += f"{zero_wait:24.2f}{waiting:10.2f}"
            print(line + ("  assembly" if engine.assembly else "  C only"), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
