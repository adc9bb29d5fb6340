"""The memory plan as the report shows it: layer by layer, tensor by tensor."""

from collections.abc import Sequence
from math import ceil, prod

from mcubuild.artifacts.plan import Planned, PlannedLayer, PlannedTensor, Predicted
from mcubuild.engine.emit.functions import GeneratedLayer
from mcubuild.engine.memory.footprint import Footprint
from mcubuild.engine.memory.planner import Placement, Plan
from mcubuild.ir.graph import BYTES, Graph
from mcubuild.ir.ops.weighted import Conv2D, Weighted
from mcubuild.tasks.anomaly_detection.errors import ERROR_BYTES, Errors
from mcubuild.tasks.detection.decode import BOX_BYTES, Decoding

_TILE = 4
"""Pixels that kernels of convolutions compute together, for each of which they read all of the layer's constants."""


def memory_plan(graph: Graph, generated: Sequence[GeneratedLayer], plan: Plan, predicted: Footprint) -> Planned:
    """The memory plan for the report."""
    names = {each.layer.index: each.name for each in generated}
    placed = (*plan.activations.items(), *plan.moves.items())
    tensors = [(name, place, graph.tensor(name).shape) for name, place in placed]
    scratch = [(f"{names[index]} scratch", place, (place.nbytes,)) for index, place in plan.scratch.items()]
    return Planned(
        arena=plan.arena,
        lower_bound=plan.lower_bound,
        layers=tuple(_planned_layer(layer, plan) for layer in generated),
        tensors=tuple(
            PlannedTensor(name, place.offset, place.nbytes, shape, place.first, place.last)
            for name, place, shape in (*tensors, *scratch)
        ),
        predicted=Predicted(predicted.sram, predicted.flash, predicted.weights, predicted.code, predicted.cycles),
    )


def _planned_layer(generated: GeneratedLayer, plan: Plan) -> PlannedLayer:
    layer, kernel = generated.layer, generated.kernel
    weights = layer.weights.shape if isinstance(layer.op, Weighted) else ()
    live = [
        (name, place)
        for name, place in (*plan.activations.items(), *plan.moves.items())
        if place.first <= layer.index <= place.last
    ]
    places = [*(place for _, place in live), *(place for index, place in plan.scratch.items() if index == layer.index)]
    return PlannedLayer(
        index=layer.index,
        name=generated.name,
        kind=kernel.family or kernel.kind,
        op=type(layer.op).__name__,
        output=layer.op.output,
        macs=layer.macs,
        bits=layer.weights.bits if isinstance(layer.op, Weighted) else None,
        output_bits=4 if layer.output.packed else 8 * BYTES[layer.output.dtype],
        weights_bytes=kernel.constant_bytes(layer),
        constants=generated.constants_name if generated.constants else None,
        constants_reads=ceil(prod(layer.output.shape[1:3]) / _TILE) if isinstance(layer.op, Conv2D) else 1,
        shape_in=layer.input.shape,
        shape_out=layer.output.shape,
        kernel=layer.kernel_size if len(weights) == 4 else None,
        stride=tuple(getattr(layer.op, "stride", ())) or None,
        live=tuple(name for name, _ in live),
        live_bytes=occupied(places),
    )


def planned_after(graph: Graph, after: Decoding | Errors, prefix: str, index: int) -> PlannedLayer:
    """What is computed of the output, as a layer of its own in plan.json; its tables are counted as code."""
    output = graph.tensor(graph.outputs[0])
    kind = "boxes" if isinstance(after, Decoding) else "error"
    written = BOX_BYTES * after.most if isinstance(after, Decoding) else after.values + ERROR_BYTES
    return PlannedLayer(
        index=index,
        name=f"{prefix}_{kind}",
        kind=kind,
        op=kind.capitalize(),
        output=kind,
        macs=0 if isinstance(after, Decoding) else after.values,
        weights_bytes=0,
        bits=None,
        output_bits=16 if isinstance(after, Decoding) else 32,
        constants=None,
        constants_reads=1,
        shape_in=output.shape,
        shape_out=(1, after.most, BOX_BYTES // 2) if isinstance(after, Decoding) else (1, 1),
        kernel=None,
        stride=None,
        live=(output.name,),
        live_bytes=output.nbytes + written,
    )


def occupied(places: Sequence[Placement]) -> int:
    """Bytes that lie in at least one of ``places``."""
    total = end = 0
    for place in sorted(places, key=lambda place: place.offset):
        total += max(0, place.offset + place.nbytes - max(end, place.offset))
        end = max(end, place.offset + place.nbytes)
    return total
