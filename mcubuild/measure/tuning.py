"""Autotuning: every kernel that can compute a layer runs in the emulator, and the fastest one is taken.

A layer runs as a network of its own whose weights are all zero: generated code takes the same time whatever the numbers
are. So a measurement depends on the layer's shape alone. The store keeps each of them, for every network that has a
layer of that shape, and an interrupted run goes on where it stopped.
"""

import json
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mcubuild.artifacts import write_artifact
from mcubuild.artifacts.tuned import TUNED, Tuned, TunedLayer
from mcubuild.board import DESCRIPTIVE
from mcubuild.engine.kernels import serving
from mcubuild.engine.layer import Layer, layers
from mcubuild.engine.memory.footprint import arena_within, target_of
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError
from mcubuild.ir.executor import sample_shape
from mcubuild.ir.graph import Graph, Quantization
from mcubuild.measure.build import build_and_run
from mcubuild.measure.cycles.model import cycle_model
from mcubuild.progress import bar
from mcubuild.spec.budget import Budget
from mcubuild.spec.deployment import Deployment
from mcubuild.store import Store, digest_json

_FIELDS = ("input", "left", "right", "weights", "bias", "output")
"""Of operators: those that name tensors."""
_ROOM = 1 << 30
_SCALES = {"right": 0.75, "weights": 1 / 256}
"""With these, and 1 for all others, every kernel's arithmetic is exact."""


@dataclass(frozen=True)
class Bench:
    """What layers are measured on."""

    deployment: Deployment
    code: str
    """Digest of all code that a measurement depends on, the compiler's included."""

    @property
    def alone_on_board(self) -> Deployment:
        """What a layer is built for: it runs on whole tensors, as if the RAM were large."""
        fastest = self.deployment.engine.model_copy(update={"plan": "fastest"})
        return replace(self.deployment, engine=fastest, budget=Budget(sram=_ROOM))

    @property
    def target(self) -> Target:
        """The same for the planner."""
        return target_of(self.alone_on_board)

    def cycles(self, graph: Graph, kind: str) -> int:
        """Cycles of a network of one layer with the kernel ``kind``, measured or from the store.

        Raises:
            BuildError: the firmware cannot be compiled, or does not run.
        """
        built = self.deployment
        settings = {name: getattr(built, name).model_dump(mode="json") for name in ("engine", "firmware")}
        settings["board"] = built.board.model_dump(mode="json", exclude=set(DESCRIPTIVE))
        layer = {"op": type(graph.ops[0]).__name__, **vars(graph.ops[0])}
        tensors = {name: asdict(tensor) for name, tensor in graph.tensors.items()}
        key = digest_json({"cycles": self.code, **settings, "layer": layer, "tensors": tensors, "kernel": kind})
        store = Store()
        with store.lock(key, lambda: None), tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "cycles.json"
            if not store.fetch(key, result.parent, [result.name]):
                result.write_text(json.dumps(self._measure(graph, kind)))
                store.put(key, result.parent, [result.name])
            cycles: int = json.loads(result.read_text())
        return cycles

    def _measure(self, graph: Graph, kind: str) -> int:
        zeros = np.zeros((1, *sample_shape(graph)), np.int8)
        with tempfile.TemporaryDirectory() as folder:
            tuned = {graph.ops[0].output: kind}
            outcome = build_and_run(graph, self.alone_on_board, zeros, Path(folder), tuned)
        cycles = outcome.measured.layers[0].cycles
        assert cycles is not None, "the core has a cycle model"
        return round(cycles)

    def alone(self, layer: Layer, kinds: list[str]) -> Graph:
        """A network of ``layer`` alone: of as many rows as the board's RAM holds, tensors called as the operator does.

        Args:
            layer: the layer.
            kinds: kernels, all of which the RAM is to suffice for.
        """
        most = arena_within(self.deployment.sram, self.deployment.stack)
        rows = layer.vertical.rows
        while True:
            graph = _stand_in(layer.part(rows))
            targets = (replace(self.target, tuned={"output": kind}) for kind in kinds)
            if rows == 1 or all(plan(graph, target).arena <= most for target in targets):
                return graph
            rows = -(-rows // 2)


def _stand_in(layer: Layer) -> Graph:
    """The layer with weights of zero."""
    names: dict[str, Any] = {name: name for name in _FIELDS if hasattr(layer.op, name)}
    op = layer.op.changed(**names)
    tensors = {
        name: replace(
            layer.graph.tensor(getattr(layer.op, name)),
            name=name,
            quantization=None if name == "bias" else Quantization((_SCALES.get(name, 1.0),)),
        )
        for name in names
    }
    known = {*op.constants, *(name for name in names if getattr(layer.op, name) in layer.graph.constants)}
    constants = {name: np.zeros(tensors[name].shape, tensors[name].dtype) for name in sorted(known)}
    inputs = tuple(name for name in op.operands if name not in known)
    return Graph("layer", tensors, (op,), inputs, (op.output,), constants)


def tune(graph: Graph, bench: Bench, out: Path) -> None:
    """Measure every kernel of every layer that has a choice, and write tune.json to ``out``.

    Args:
        graph: the network, with values: they decide which kernels compute a layer exactly.
        bench: what to measure on.
        out: an existing folder.

    Raises:
        BuildError: the board's core has no cycle model, or a firmware cannot be compiled.
    """
    board = bench.deployment.board
    if cycle_model(board.core) is None:
        raise BuildError(
            f"engine.tune: found board {board.name!r} with a {board.core}, whose cycles nothing models; "
            f"leave engine.tune out: kernels are then chosen by their estimated cycles."
        )
    able = [(layer, [kernel.kind for kernel in serving(layer, bench.target)]) for layer in layers(graph)]
    choices = [(layer.output.name, kinds, bench.alone(layer, kinds)) for layer, kinds in able if kinds[1:]]
    result: dict[str, TunedLayer] = {}
    with bar("tune", sum(len(kinds) for _, kinds, _ in choices)) as progress:
        for name, kinds, stand_in in choices:
            cycles: dict[str, int] = {}
            for kind in kinds:
                cycles[kind] = bench.cycles(stand_in, kind)
                progress.advance(layer=name)
            result[name] = TunedLayer(min(kinds, key=lambda kind: (cycles[kind], kind)), cycles)
    write_artifact(Tuned(result), out / TUNED)
