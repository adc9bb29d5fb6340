"""The network as C: one function a layer, shapes as constants, and the memory plan for the report."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import ceil, prod
from pathlib import Path
from typing import Literal

import jinja2
import msgspec
import numpy as np
from numpy.typing import NDArray

from mcubuild.artifacts import write_artifact
from mcubuild.artifacts.plan import PLAN, Planned, PlannedLayer, PlannedTensor, Predicted
from mcubuild.engine.assembly.constants import Channels, Constants, Field, channels
from mcubuild.engine.assembly.routine import Routine
from mcubuild.engine.assembly.schedule import ordered
from mcubuild.engine.emit.chaincode import ChainCode
from mcubuild.engine.emit.naming import PREFIX, file_name
from mcubuild.engine.kernels import choose
from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.kernels.packed import Packed
from mcubuild.engine.layer import ALIGNMENT, Layer, align, layers
from mcubuild.engine.memory.footprint import Footprint, estimate
from mcubuild.engine.memory.planner import ChainPlan, Placement, Plan
from mcubuild.engine.memory.streaming import SOURCE
from mcubuild.engine.memory.variables import as_bytes, initial_tables, updates
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError
from mcubuild.escape import Text, add_filters
from mcubuild.ir.files import fingerprint
from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import BYTES, Graph, Tensor
from mcubuild.ir.ops.elementwise import Add
from mcubuild.ir.ops.movement import Reshape
from mcubuild.ir.ops.pool import AveragePool2D
from mcubuild.ir.ops.weighted import Conv2D, Weighted
from mcubuild.project import folders
from mcubuild.tasks.anomaly_detection import errors
from mcubuild.tasks.anomaly_detection.errors import ERROR_BYTES, Errors
from mcubuild.tasks.detection.decode import BOX_BYTES, UNITS, Decoding

TEMPLATES = "kernels_templates/model"
FILES = ("README.md", "CMakeLists.txt", "model.h", "model.c", "kernels.S", "weights.h", "weights.c", "preprocess.c")
"""What is generated: enough to compile the network into any firmware; names for the prefix ``model``."""
TILE = 4
"""Pixels that kernels of convolutions compute together, for each of which they read all of the layer's constants."""
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
class Body:
    """A kernel specialised for a shape; layers for which the template gives the same C share it."""

    name: str
    text: str


@dataclass(frozen=True)
class GeneratedLayer:
    """A layer in the generated C."""

    layer: Layer
    kernel: Kernel
    bodies: tuple[Body, ...]
    """The function that computes it, behind those that this one calls."""
    constants: Constants | None
    prefix: str

    @property
    def body(self) -> Body:
        """The function that computes it."""
        return self.bodies[-1]

    @property
    def name(self) -> str:
        """The C function."""
        return f"layer_{self.layer.index:02d}_{self.kernel.kind}"

    @property
    def constants_name(self) -> str:
        """The C object with the constants."""
        return f"{self.prefix}_layer_{self.layer.index:02d}_filters"

    def operand_name(self, name: str) -> str:
        """The C object with a constant that the layer computes on."""
        position = [operand.name for operand in self.layer.constant_operands].index(name)
        return f"{self.prefix}_layer_{self.layer.index:02d}_operand_{position}"


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
    generated = _layers(graph, plan, target, environment, prefix)
    bodies = list({body.name: body for layer in generated for body in layer.bodies}.values())
    routines = _routines(generated, target, environment, prefix)
    text = "".join([*(body.text for body in bodies), *(routine["twin"] for routine in routines)])
    weighted = [layer for layer in generated if layer.constants is not None]
    names = {each.layer.index: each.name for each in generated}
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
        "layers": [_layer_values(layer, plan) for layer in generated],
        "chains": _chain_values(graph, plan, names),
        "moves": plan.moves or updates(graph),
        "variables": _variable_values(graph, plan, prefix),
        "steps": _steps(graph, plan, names),
        "structs": list({struct["name"]: struct for struct in map(_struct_values, weighted)}.values()),
        "constants": [_constant_values(layer) for layer in weighted],
        "operands": [
            *(operand for layer in generated for operand in _operand_values(layer)),
            *_initial_values(graph, prefix),
        ],
    }
    for name in FILES:
        text = environment.get_template(f"{name}.j2").render(values)
        (out / file_name(name, prefix)).write_text(text, encoding="utf-8")
    footprint = estimate(graph, target, stack)
    planned = _planned(graph, generated, plan, replace(footprint, sram=footprint.sram + arena - plan.arena))
    if boxes is not None:
        layers = (*planned.layers, _planned_boxes(graph, boxes, prefix, len(generated)))
        planned = msgspec.structs.replace(planned, layers=layers)
    if error is not None:
        layers = (*planned.layers, _planned_error(graph, error, prefix, len(generated)))
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


def _layers(
    graph: Graph, plan: Plan, target: Target, environment: jinja2.Environment, prefix: str
) -> list[GeneratedLayer]:
    """Every layer that does something with its body; equal bodies are one object."""
    bodies: dict[str, Body] = {}
    taken: dict[str, int] = {}
    generated = []

    def body(layer: Layer, kernel: Kernel, values: Mapping[str, object]) -> Body:
        template = environment.get_template(f"{kernel.template or kernel.kind}.c.j2")
        text = template.render(values, name="")
        if text not in bodies:
            stem = f"{kernel.kind}_{_dimensions(layer.input.shape)}_to_{_dimensions(layer.output.shape)}"
            taken[stem] = taken.get(stem, 0) + 1
            name = stem if taken[stem] == 1 else f"{stem}_{taken[stem]}"
            bodies[text] = Body(name, template.render(values, name=name))
        return bodies[text]

    for layer in layers(graph):
        if isinstance(layer.op, Reshape) and layer.output.name in plan.inplace:
            continue
        kernel = choose(layer, target)
        numbers = channels(layer) if isinstance(layer.op, Weighted) else None
        constants = kernel.constants(layer, numbers) if numbers is not None else None
        values, inside = _body_values(layer, kernel, numbers, constants), []
        if isinstance(kernel, Packed):
            tile = kernel.tile(layer)
            if numbers is not None:
                numbers = channels(kernel.in_bytes(layer))
            inside = [body(tile, kernel.inner, _body_values(tile, kernel.inner, numbers, constants))]
            values["inner"] = inside[0].name
        own = body(layer, kernel, values)
        generated.append(GeneratedLayer(layer, kernel, (*inside, own), constants, prefix))
    return generated


def _dimensions(shape: Shape) -> str:
    return "x".join(str(size) for size in shape[1:])


def _body_values(
    layer: Layer, kernel: Kernel, numbers: Channels | None, constants: Constants | None
) -> dict[str, object]:
    """What every kernel's template may use, and what this kernel adds."""
    common: dict[str, object] = {
        "fused": kernel.settings.fusion,
        "unrolled": kernel.settings.unrolling,
        "tiled": kernel.settings.tiling,
        "input_type": _ctype(layer.input),
        "output_type": _ctype(layer.output),
        "input_bytes": BYTES[layer.input.dtype],
        "output_bytes": BYTES[layer.output.dtype],
        "clamp": "clamp16" if layer.output.dtype == "int16" else "clamp",
        "limits": layer.output.limits,
    }
    if isinstance(layer.op, Weighted | Add | AveragePool2D):
        derived = layer.op.parameters(layer.graph)
        common |= {"low": derived.clamp[0], "high": derived.clamp[1]}
    if isinstance(layer.op, Weighted):
        input_quantization = layer.input.quantization
        assert numbers is not None and constants is not None
        assert input_quantization is not None
        common |= {
            "bits": layer.weights.bits,
            "input_zero_point": input_quantization.zero_point,
            "zero_point": numbers.zero_point,
            "rescale": "rescale_wide" if numbers.wide else "rescale" if numbers.plain else "rescale_any",
            "sum_type": "int32_t" if numbers.short else "int64_t",
            "wide": numbers.wide,
            "weight_offset": layer.weight_offset,
            "struct": constants.struct,
        }
    elif isinstance(layer.op, Add):
        add = layer.op.parameters(layer.graph)
        common |= {"add": add, "zero_point": add.output_offset}
    return {**common, **kernel.context(layer)}


def _ctype(tensor: Tensor) -> str:
    return f"{tensor.dtype}_t"


def _typed(tensor: Tensor, pointer: str, *, written: bool = False) -> str:
    """A pointer to bytes as one to the tensor's elements."""
    if tensor.dtype == "int8":
        return pointer
    return (
        f"({_ctype(tensor)} *)(void *)({pointer})"
        if written
        else f"(const {_ctype(tensor)} *)(const void *)({pointer})"
    )


def _routines(
    generated: Sequence[GeneratedLayer], target: Target, environment: jinja2.Environment, prefix: str
) -> list[dict[str, str]]:
    """Every routine once: its prototype, its assembly and its twin in C."""
    found: dict[str, Routine] = {}
    for layer in generated:
        found |= {routine.name: routine for routine in layer.kernel.routines(layer.layer)}
    result = []
    for name, routine in sorted(found.items()):
        values = {**dict(routine.values), "name": f"{prefix}_{name}", "core": target.core}
        twin = environment.get_template(f"assembly/{routine.template}.c.j2")
        result.append(
            {
                "signature": str(getattr(twin.make_module(values), "signature")).strip(),  # noqa: B009
                "twin": twin.render(values).strip("\n") + "\n",
                "assembly": environment.get_template(f"assembly/{routine.template}.S.j2").render(values).strip("\n"),
            }
        )
    return result


def _struct_values(generated: GeneratedLayer) -> dict[str, object]:
    assert generated.constants is not None
    return {"name": generated.constants.struct, "fields": generated.constants.fields}


def _constant_values(generated: GeneratedLayer) -> dict[str, object]:
    assert generated.constants is not None
    return {
        "name": generated.constants_name,
        "struct": generated.constants.struct,
        "comment": Text(
            f"{generated.layer.output.name}: weights of {generated.layer.weights.bits} bits, "
            f"{'x'.join(str(size) for size in generated.layer.weights.shape)}"
        ),
        "structs": [
            [_rows(field) for field in fields] for fields in (generated.constants.fields, *generated.constants.others)
        ],
    }


def _operand_values(generated: GeneratedLayer) -> list[dict[str, object]]:
    graph = generated.layer.graph
    return [
        {
            "name": generated.operand_name(operand.name),
            "bytes": align(operand.nbytes),
            "comment": Text(f"{operand.name}: {_dimensions(operand.shape)}"),
            "rows": _rows(Field("int8_t", "values", as_bytes(graph.constants[operand.name]))),
        }
        for operand in generated.layer.constant_operands
    ]


def _variable_values(graph: Graph, plan: Plan, prefix: str) -> list[dict[str, object]]:
    """What model_reset writes: a byte again and again, or a table."""
    tables, places = initial_tables(graph), plan.activations
    return [
        {
            "name": Text(name),
            "offset": places[name].offset,
            "bytes": places[name].nbytes,
            "table": _initial_name(graph, name, prefix) if name in tables else None,
            "byte": int(as_bytes(variable.initial)[0]),
        }
        for name, variable in graph.variables.items()
    ]


def _initial_values(graph: Graph, prefix: str) -> list[dict[str, object]]:
    return [
        {
            "name": _initial_name(graph, name, prefix),
            "bytes": len(table),
            "comment": Text(f"{name}: before the first run"),
            "rows": _rows(Field("int8_t", "values", table)),
        }
        for name, table in initial_tables(graph).items()
    ]


def _initial_name(graph: Graph, name: str, prefix: str) -> str:
    return f"{prefix}_variable_{list(graph.variables).index(name):02d}_initial"


def _rows(field: Field) -> str:
    """Numbers in lines of at most about 100 characters."""
    per_line = 20 if field.ctype == "int8_t" else 8
    numbers = [str(value) if value > -(2**31) else "INT32_MIN" for value in field.values.tolist()]
    lines = (", ".join(numbers[start : start + per_line]) for start in range(0, len(numbers), per_line))
    return "\n".join(f"        {line}," for line in lines)


def _interface(graph: Graph, plan: Plan, name: str) -> dict[str, object]:
    quantization = graph.tensor(name).quantization
    assert quantization is not None
    return {
        "name": Text(name),
        "shape": _dimensions(graph.tensor(name).shape),
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
        "table": None if table is None or plain else _rows(Field("int8_t", "table", table)).replace(" " * 8, " " * 4),
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


def _planned_boxes(graph: Graph, decoding: Decoding, prefix: str, index: int) -> PlannedLayer:
    """The boxes in plan.json, as a layer of their own; its tables are counted as code."""
    output = graph.tensor(graph.outputs[0])
    return PlannedLayer(
        index=index,
        name=f"{prefix}_boxes",
        kind="boxes",
        op="Boxes",
        output="boxes",
        macs=0,
        weights_bytes=0,
        bits=None,
        output_bits=16,
        constants=None,
        constants_reads=1,
        shape_in=output.shape,
        shape_out=(1, decoding.most, BOX_BYTES // 2),
        kernel=None,
        stride=None,
        live=(output.name,),
        live_bytes=output.nbytes + BOX_BYTES * decoding.most,
    )


def _planned_error(graph: Graph, error: Errors, prefix: str, index: int) -> PlannedLayer:
    """The error in plan.json, as a layer of its own; its table is counted as code."""
    output = graph.tensor(graph.outputs[0])
    return PlannedLayer(
        index=index,
        name=f"{prefix}_error",
        kind="error",
        op="Error",
        output="error",
        macs=error.values,
        weights_bytes=0,
        bits=None,
        output_bits=32,
        constants=None,
        constants_reads=1,
        shape_in=output.shape,
        shape_out=(1, 1),
        kernel=None,
        stride=None,
        live=(output.name,),
        live_bytes=output.nbytes + error.values + ERROR_BYTES,
    )


def _error(error: Errors) -> dict[str, object]:
    """Table and limits of error.c.j2."""
    table = _rows(Field("int32_t", "table", error.table.astype(np.int32))).replace(" " * 8, " " * 4)
    return {"elements": error.values, "units": errors.UNITS, "threshold": error.threshold, "table": table}


def _boxes(decoding: Decoding) -> dict[str, object]:
    """Tables and limits of boxes.c.j2."""

    def table(values: NDArray[np.int64]) -> str:
        return _rows(Field("int32_t", "table", values.astype(np.int32))).replace(" " * 8, " " * 4)

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


def _layer_values(generated: GeneratedLayer, plan: Plan) -> dict[str, object]:
    layer = generated.layer
    names = layer.op.operands
    chain = plan.chain_of(layer.index)
    if chain is None:
        arguments = [
            f"arena + {plan.activations[name].offset}" if name in plan.activations else generated.operand_name(name)
            for name in names
        ]
        target = f"arena + {plan.written(layer.op.output).offset}"
    else:
        arguments, target = [f"input{number}" for number in range(len(names))], "to"
    arguments = [
        _typed(layer.graph.tensor(name), each, written=name in layer.op.state)
        for name, each in zip(names, arguments, strict=True)
    ]
    arguments.append(_typed(layer.output, target, written=True))
    lines = [
        *(f"{name}: {_where(layer.graph, plan, name)}" for name in dict.fromkeys(names) if name in plan.activations),
        f"-> {layer.op.output}: {_dimensions(layer.output.shape)} at {_span(plan.written(layer.op.output))}"
        + (f", over {plan.inplace[layer.op.output]}" if layer.op.output in plan.inplace else ""),
    ]
    scratch = plan.scratch.get(layer.index)
    if scratch is not None:
        arguments.append(f"arena + {scratch.offset}")
        lines.append(f"scratch: {_span(scratch)}")
    if generated.constants is not None:
        arguments.append(f"{'' if generated.constants.others else '&'}{generated.constants_name}")
    if chain is not None:
        arguments += ["count", "top", "bottom"]
    elif generated.kernel.streams:
        window = layer.vertical
        arguments += map(str, (window.rows, *window.outside(0, window.rows, layer.input_rows)))
    return {
        "name": generated.name,
        "body": generated.body.name,
        "arguments": ", ".join(arguments),
        "call": chain and ChainCode(layer.graph, plan, chain).call(layer.index),
        "comment": [Text(line) for line in lines],
    }


def _chain_values(graph: Graph, plan: Plan, names: Mapping[int, str]) -> list[dict[str, object]]:
    result: list[dict[str, object]] = []
    for chain in plan.chains:
        code = ChainCode(graph, plan, chain)
        order = code.order
        functions = [*(["read_input"] if chain.fed else []), *(names[index] for index in chain.steps)]
        first = SOURCE if chain.fed else 0
        pairs = [f"{{{call.stage - first}, {call.rows}}}," for call in order.calls]
        lines = (" ".join(pairs[start : start + 14]) for start in range(0, len(pairs), 14))
        result.append(
            {
                "name": _chain_name(chain),
                "rows": chain.rows,
                "order": order,
                "text": "\n".join(f"        {line}" for line in lines),
                "tensors": [{**vars(buffer), "name": Text(buffer.name)} for buffer in code.tensors()],
                "layers": functions,
                "source": code.output(0) if chain.fed else None,
            }
        )
    return result


def _chain_name(chain: ChainPlan) -> str:
    return f"layers_{chain.steps.start:02d}_to_{chain.steps[-1]:02d}"


def _steps(graph: Graph, plan: Plan, names: Mapping[int, str]) -> list[str]:
    """The calls of model_run, by the names of the layers' functions."""
    steps, behind = [], updates(graph)
    for index, op in enumerate(graph.ops):
        chain = plan.chain_of(index)
        if chain is not None and index == chain.steps.start:
            steps.append(f"{_chain_name(chain)}(arena{', read, context' if chain.fed else ''})")
        elif chain is None and index in names:
            steps.append(f"{names[index]}(arena)")
        if op.output in plan.moves:
            before, after = plan.moves[op.output], plan.activations[op.output]
            steps.append(f"move(arena + {after.offset}, arena + {before.offset}, {after.nbytes})")
        for name in (name for name, step in behind.items() if step == index):
            to, source = plan.activations[name], plan.activations[graph.variables[name].next]
            steps.append(f"move(arena + {to.offset}, arena + {source.offset}, {to.nbytes})")
    return steps


def _where(graph: Graph, plan: Plan, name: str) -> str:
    return f"{_dimensions(graph.tensor(name).shape)} at {_span(plan.activations[name])}"


def _span(place: Placement) -> str:
    return f"{place.offset} ... {place.offset + place.nbytes - 1}"


def _planned(graph: Graph, generated: Sequence[GeneratedLayer], plan: Plan, predicted: Footprint) -> Planned:
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
        constants_reads=ceil(prod(layer.output.shape[1:3]) / TILE) if isinstance(layer.op, Conv2D) else 1,
        shape_in=layer.input.shape,
        shape_out=layer.output.shape,
        kernel=layer.kernel_size if len(weights) == 4 else None,
        stride=tuple(getattr(layer.op, "stride", ())) or None,
        live=tuple(name for name, _ in live),
        live_bytes=occupied(places),
    )


def occupied(places: Sequence[Placement]) -> int:
    """Bytes that lie in at least one of ``places``."""
    total = end = 0
    for place in sorted(places, key=lambda place: place.offset):
        total += max(0, place.offset + place.nbytes - max(end, place.offset))
        end = max(end, place.offset + place.nbytes)
    return total
