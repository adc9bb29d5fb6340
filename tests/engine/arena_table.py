"""The arena of networks that papers and peers use, by plan.

    python -m tests.engine.arena_table

Bytes of the planned arena, which is what the linked ELF takes: input image, row buffers and scratch included. Cycles
are estimates, against whole tensors: of the smallest plan, and of the fastest one that keeps to the target.
"""

from collections.abc import Callable

import numpy as np

from mcubuild import ROOT
from mcubuild.board import read_board
from mcubuild.engine.pieces import Piece, pieces
from mcubuild.engine.segments import Segment, choose_segments
from mcubuild.engine.target import Target
from mcubuild.importers.tflite import import_tflite
from mcubuild.ir.graph import Graph, macs
from mcubuild.nas.arch import Space, draw
from mcubuild.nas.baselines import mobilenet_v2, proxyless_mobile
from mcubuild.nas.skeleton import skeleton
from mcubuild.spec.engine import EngineSettings

MODELS = ROOT.parent / "shared" / "models"


def mobile_80() -> Graph:
    """The first network of width 0.5 at 80x80 that is drawn with 11 to 12 million MACs: of the kind of mcunet-vww1."""
    space, rng = Space(0.5, 80, 3, 2), np.random.default_rng(0)
    while True:
        graph = skeleton(draw(space, rng), 8)
        if 11e6 <= sum(macs(graph, op) for op in graph.ops) <= 12e6:
            return graph


def _model(name: str) -> Callable[[], Graph]:
    return lambda: import_tflite(MODELS / f"{name}.tflite").graph


NETWORKS: dict[str, tuple[Callable[[], Graph], float, str, str]] = {
    "vww96": (_model("vww96"), 36, "98.3", "59.3"),
    "kws": (_model("kws"), 10.5, "22.3", "refused"),
    "resnet": (_model("resnet"), 24, "53.7", "refused"),
    "w0.5-r80, 11 to 12M MACs": (mobile_80, 42, "", "92"),
    "MobileNetV2 w0.35 r144": (lambda: mobilenet_v2(0.35, 144), 90, "", "308"),
    "ProxylessNAS (mobile) w0.3 r176": (lambda: proxyless_mobile(0.3, 176), 118, "453", "259"),
    "MobileNetV2 w0.3 r64": (lambda: mobilenet_v2(0.3, 64), 22, "173", "61"),
}
"""Network, target in kB, and what TensorFlow Lite Micro and TinyEngine take (the latter of its own networks' sizes)."""


def trade_off(cut: list[Piece]) -> list[list[Segment]]:
    """Plans from the fastest to the smallest: each takes less memory than the one before."""
    plans = [choose_segments(cut, None)]
    least = max(segment.height for segment in choose_segments(cut, 0))
    while (height := max(segment.height for segment in plans[-1])) > least:
        plans.append(choose_segments(cut, height - 4))
    return plans


def kilobytes(segments: list[Segment]) -> float:
    """The arena."""
    return max(segment.height for segment in segments) / 1024


def more(segments: list[Segment], fastest: list[Segment]) -> float:
    """Cycles beyond those of ``fastest``, as a share of these."""
    return sum(s.cycles for s in segments) / sum(s.cycles for s in fastest) - 1


def main() -> None:
    """Print the table, and below it the trade-off of each network."""
    target = Target.of(read_board("stm32f746"), EngineSettings())
    curves = []
    print(f"{'kB of arena':32}  whole  smallest  cycles  target  cycles  streamed input     TFLM  TinyEngine")
    for name, (make, goal, micro, tiny) in NETWORKS.items():
        cut = pieces(make(), target)
        plans = trade_off(cut)
        fastest, smallest = plans[0], plans[-1]
        kept = choose_segments(cut, int(goal * 1024))
        streamed = choose_segments(cut, 0, fed=True)
        verdict = "" if kilobytes(smallest) <= goal else "  missed"
        print(
            f"{name:32} {kilobytes(fastest):6.1f} {kilobytes(smallest):9.1f} {more(smallest, fastest):+7.1%} {goal:7g} "
            f"{more(kept, fastest):+7.1%} {kilobytes(streamed):15.1f} {micro:>8} {tiny:>11}{verdict}"
        )
        cycles = [sum(s.cycles for s in plan) for plan in plans]
        points = [
            f"{kilobytes(plan):.1f} ({count / cycles[0] - 1:+.1%})"
            for index, (plan, count) in enumerate(zip(plans, cycles, strict=True))
            if index in (0, len(plans) - 1) or index % max(1, len(plans) // 6) == 0
        ]
        curves.append(f"{name}: {', '.join(points)}")
    print("\nkB of arena and estimated cycles against whole tensors")
    print("\n".join(curves))


if __name__ == "__main__":
    main()
