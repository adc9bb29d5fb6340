"""The network as a folder of C: what templates are filled in with, and what is around the layers for its callers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import ceil
from pathlib import Path
from typing import Literal

import jinja2
import msgspec
import numpy as np
from numpy.typing import NDArray

from mcubuild.artifacts import write_artifact
from mcubuild.artifacts.plan import PLAN
from mcubuild.engine.assembly.constants import Field
from mcubuild.engine.assembly.schedule import ordered
from mcubuild.engine.emit.calls import calls, chain_values, layer_values
from mcubuild.engine.emit.chaincode import ChainCode
from mcubuild.engine.emit.functions import dimensions, layer_functions, routine_values
from mcubuild.engine.emit.naming import PREFIX, file_name
from mcubuild.engine.emit.planned import memory_plan, planned_after
from mcubuild.engine.emit.tables import (
    constant_values,
    in_lines,
    initial_values,
    operand_values,
    struct_values,
    variable_values,
)
from mcubuild.engine.layer import ALIGNMENT, align
from mcubuild.engine.memory.footprint import estimate
from mcubuild.engine.memory.planner import Plan
from mcubuild.engine.memory.variables import updates
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError
from mcubuild.escape import Text, add_filters
from mcubuild.ir.files import fingerprint
from mcubuild.ir.graph import Graph
from mcubuild.project import folders
from mcubuild.tasks.anomaly_detection import errors
from mcubuild.tasks.anomaly_detection.errors import ERROR_BYTES, Errors
from mcubuild.tasks.detection.decode import BOX_BYTES, UNITS, Decoding

TEMPLATES = "kernels_templates/model"
FILES = ("README.md", "CMakeLists.txt", "model.h", "model.c", "kernels.S", "weights.h", "weights.c", "preprocess.c")
"""What is generated: enough to compile the network into any firmware; names for the prefix ``model``."""
COLUMNS = 16
"""Of a picture that preprocess.c resizes together, ..."""
WEIGHTS = 128
"""... with at most so many weights: 0.5 kB of stack, and few passes over a picture that is reduced ten times."""
HELPERS = (
    "clamp",
    "clamp16",
    "rescale",
    "rescale_wide",
    "rescale_any",
    "rounded_shift",
    "high_product",
    "shifted_left",
    "mean",
    "low_half",
    "high_half",
    "multiply_pair",
    "multiply_narrow_pair",
    "narrow",
    "requantize",
    "move",
    "unpack",
    "pack",
)


@dataclass(frozen=True)
class Channel:
    """Of a series of values: level = round((value - low) * scale), in 32-bit floats."""

    name: str
    low: float
    scale: float
    """Levels a unit."""


def generate(
    graph: Graph,
    plan: Plan,
    target: Target,
    out: Path,
    *,
    stack: int,
    classes: Sequence[str] = (),
    data: Literal["pictures", "sounds", "series"] | None = None,
    stored: int | None = None,
    whole: bool = False,
    levels: tuple[float, float] | None = None,
    table: NDArray[np.int8] | None = None,
    channels: Sequence[Channel] = (),
    after: Decoding | Errors | None = None,
    prefix: str = PREFIX,
) -> None:
    """Write FILES and plan.json, the memory plan for the report, to ``out``.

    Args:
        graph: a quantised graph with values.
        plan: where its activations lie.
        target: as the plan was made for.
        out: an existing folder.
        stack: bytes that the linker reserves for the stack, for the predicted SRAM.
        classes: names of the classes by label, where they are known.
        data: what the network is trained on, or fed with, where that is known.
        stored: side of the pictures, or length of the series, as the data set keeps them, from which they are resized
            to the network's; by default the network's.
        whole: pictures are seen whole, stretched to the input's shape; else the square in the middle is taken.
        levels: values of more than 8 bits that pictures had as levels 0 and 255, if they had such.
        table: the input for each level of a picture, int8 (256,); by default level - 128.
        channels: of series, in order.
        after: what is computed of the only output: boxes that it tells of, or how far it is from the input.
        prefix: what every file and every global name of the C begins with.

    Raises:
        BuildError: a layer cannot be computed exactly (weights out of range, sums beyond 32 bits), or has no kernel; or
            an input or output has 4 bits; or a window that is to be compared with the output is not read as a whole.
    """
    for name in (*graph.inputs, *graph.outputs):
        if graph.tensor(name).packed:
            raise BuildError(f"{name!r} has 4 bits; what callers of the C write and read must have 8 or 16.")
    environment = _environment(prefix)
    generated = layer_functions(graph, plan, target, environment, prefix)
    bodies = list({body.name: body for layer in generated for body in layer.bodies}.values())
    routines = routine_values(generated, target, environment, prefix)
    text = "".join([*(body.text for body in bodies), *(routine["twin"] for routine in routines)])
    weighted = [layer for layer in generated if layer.constants is not None]
    names = {each.layer.index: each.name for each in generated}
    codes = {chain.steps: ChainCode(graph, plan, chain) for chain in plan.chains}
    arena, room, kept = plan.arena, 0, 0
    boxes = after if isinstance(after, Decoding) else None
    error = after if isinstance(after, Errors) else None
    if boxes is not None:
        room = _room(plan, graph.outputs[0], BOX_BYTES * boxes.most)
        arena = max(arena, align(room + BOX_BYTES * boxes.most))
    if error is not None:
        if any(chain.fed for chain in plan.chains):
            raise BuildError(
                f"budget.sram: found so little that rows of the window would be read one by one ({plan.arena} bytes of "
                f"arena), but its error needs all of it: allow {error.values} bytes more."
            )
        kept = align(arena)
        room = kept + align(error.values)
        arena = room + align(ERROR_BYTES)
    values: dict[str, object] = {
        "name": Text(graph.name),
        "alignment": ALIGNMENT,
        "arena": arena,
        "hash": fingerprint(graph)[:16],
        "classes": [Text(name) for name in classes],
        "pictures": _pictures(graph, stored, table, whole)
        if data == "pictures" and _takes_pictures(graph, whole)
        else None,
        "levels": None if levels is None else _levels(*levels),
        "sounds": data == "sounds",
        "series": _series(graph, stored, channels) if data == "series" and _takes_series(graph, channels) else None,
        "boxes": None if boxes is None else {**_boxes(boxes), "offset": room, "bytes": BOX_BYTES * boxes.most},
        "error": None if error is None else {**_error(error), "kept": kept, "offset": room},
        "macs": sum(layer.layer.macs for layer in generated),
        "weights": sum(layer.kernel.constant_bytes(layer.layer) for layer in weighted),
        "instructions": _instructions(target),
        "inputs": [_interface(graph, plan, name) for name in graph.inputs],
        "streamed": any(chain.fed for chain in plan.chains),
        "outputs": [_interface(graph, plan, name) for name in graph.outputs],
        "helpers": [helper for helper in HELPERS if re.search(rf"\b{helper}\(", text)],
        "routines": routines,
        "bodies": bodies,
        "layers": [layer_values(layer, plan, codes) for layer in generated],
        "chains": chain_values(plan, codes, names),
        "moves": plan.moves or updates(graph),
        "variables": variable_values(graph, plan, prefix),
        "steps": calls(graph, plan, names),
        "structs": list({struct["name"]: struct for struct in map(struct_values, weighted)}.values()),
        "constants": [constant_values(layer) for layer in weighted],
        "operands": [
            *(operand for layer in generated for operand in operand_values(layer)),
            *initial_values(graph, prefix),
        ],
    }
    for name in FILES:
        text = environment.get_template(f"{name}.j2").render(values)
        (out / file_name(name, prefix)).write_text(text, encoding="utf-8")
    footprint = estimate(graph, target, stack)
    planned = memory_plan(graph, generated, plan, replace(footprint, sram=footprint.sram + arena - plan.arena))
    if after is not None:
        layers = (*planned.layers, planned_after(graph, after, prefix, len(generated)))
        planned = msgspec.structs.replace(planned, layers=layers)
    write_artifact(planned, out / PLAN)


@cache
def _environment(prefix: str) -> jinja2.Environment:
    """One for all networks, as reading the templates takes longer than filling them in.

    Templates write ``{{ prefix }}_`` and ``{{ PREFIX }}_`` before global names, and ``{{ "weights.h" | file }}``.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders(TEMPLATES)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {"prefix": prefix, "PREFIX": prefix.upper()}
    environment.filters["file"] = lambda name: file_name(name, prefix)
    environment.filters["inset"] = inset
    environment.filters["ordered"] = ordered
    add_filters(environment)
    return environment


def _instructions(target: Target) -> str:
    """What the preprocessor has to find for kernels.S: someone else's compiler flags may leave the FPU out."""
    return "defined(__ARM_FEATURE_DSP) && __ARM_ARCH_PROFILE == 'M'" + (" && defined(__ARM_FP)" if target.fpu else "")


def inset(text: str, width: int = 0) -> str:
    """A macro's lines, moved right by ``width``, but for the first, which stands where the template calls the macro."""
    return re.sub(r"\n(?=[^\n])", "\n" + " " * width, text.strip("\n"))


def _interface(graph: Graph, plan: Plan, name: str) -> dict[str, object]:
    quantization = graph.tensor(name).quantization
    assert quantization is not None
    return {
        "name": Text(name),
        "shape": dimensions(graph.tensor(name).shape),
        "scale": repr(quantization.scale[0]),
        "zero_point": quantization.zero_point,
        "offset": plan.activations[name].offset,
        "nbytes": graph.tensor(name).nbytes,
        "dtype": graph.tensor(name).dtype,
        "elements": graph.tensor(name).elements,
        "rows": graph.tensor(name).shape[1],
        "image": graph.tensor(name).shape[1:] if len(graph.tensor(name).shape) == 4 else None,
    }


def _takes_pictures(graph: Graph, whole: bool) -> bool:
    """Whether the only input is int8, grey or RGB, and square if pictures are not seen whole: others are refused before
    they are fed with pictures.
    """
    shapes = [graph.tensor(name).shape for name in graph.inputs]
    fits = len(shapes) == 1 and len(shapes[0]) == 4 and (whole or shapes[0][1] == shapes[0][2])
    return fits and shapes[0][3] in (1, 3) and graph.tensor(graph.inputs[0]).dtype == "int8"


def _pictures(graph: Graph, stored: int | None, table: NDArray[np.int8] | None, whole: bool) -> dict[str, object]:
    """The stored side, what bounds the stack of preprocess.c, and the input by level if it is not level - 128."""
    _, height, width, _ = graph.tensor(graph.inputs[0]).shape
    column = 2 * ceil(max((stored or 1) / width, 1)) + 1  # of a resized picture: so many of the stored one at once
    plain = table is None or np.array_equal(table, np.arange(-128, 128))
    return {
        "stored": stored,
        "twice": stored is not None and (height, width) != (stored, stored),
        "whole": whole,
        "columns": max(COLUMNS, column),
        "weights": WEIGHTS,
        "table": None
        if table is None or plain
        else in_lines(Field("int8_t", "table", table)).replace(" " * 8, " " * 4),
    }


def _takes_series(graph: Graph, channels: Sequence[Channel]) -> bool:
    """Whether the only input is one pixel wide and has these channels."""
    shapes = [graph.tensor(name).shape for name in graph.inputs]
    return len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][2:] == (1, len(channels))


def _series(graph: Graph, stored: int | None, channels: Sequence[Channel]) -> dict[str, object]:
    """Lengths, and names and constants of the channels in C: 9 digits tell 32-bit floats apart."""
    length = graph.tensor(graph.inputs[0]).shape[1]
    return {
        "length": length,
        "stored": stored or length,
        "names": [Text(channel.name) for channel in channels],
        "lows": [f"{channel.low:.8e}f" for channel in channels],
        "scales": [f"{channel.scale:.8e}f" for channel in channels],
    }


def _room(plan: Plan, output: str, nbytes: int) -> int:
    """Where in the arena ``nbytes`` of boxes lie, beside the output that they are read from: all else is free then."""
    place = plan.activations[output]
    return 0 if align(nbytes) <= place.offset else align(place.offset + place.nbytes)


def _error(error: Errors) -> dict[str, object]:
    """Table and limits of error.c.j2."""
    table = in_lines(Field("int32_t", "table", error.table.astype(np.int32))).replace(" " * 8, " " * 4)
    return {"elements": error.values, "units": errors.UNITS, "threshold": error.threshold, "table": table}


def _boxes(decoding: Decoding) -> dict[str, object]:
    """Tables and limits of boxes.c.j2."""

    def table(values: NDArray[np.int64]) -> str:
        return in_lines(Field("int32_t", "table", values.astype(np.int32))).replace(" " * 8, " " * 4)

    return {
        "units": UNITS,
        "rows": decoding.grid[0],
        "columns": decoding.grid[1],
        "bottom": UNITS * decoding.input[0],
        "right": UNITS * decoding.input[1],
        "classes": decoding.classes,
        "halves": decoding.halves,
        "steps": decoding.steps,
        "threshold": decoding.threshold,
        "overlap": decoding.overlap,
        "lowest": decoding.lowest,
        "limit": decoding.limit,
        "most": decoding.most,
        "sigmoids": table(decoding.sigmoids),
        "growths": table(decoding.growths),
        "powers": table(decoding.powers) if decoding.scores == "softmax" else None,
    }


def _levels(low: float, high: float) -> dict[str, object]:
    """A range of values in C: integers where both ends are, as those of sensors."""
    whole = low.is_integer() and high.is_integer() and max(abs(low), abs(high)) < 2**31
    shown = [f"{value:.0f}" if whole else repr(value) for value in (low, high)]
    return {"low": shown[0], "high": shown[1], "whole": whole, "wide": high - low >= 2**23}
