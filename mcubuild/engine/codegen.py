"""The network as C: one function a layer, shapes as constants, and the memory plan for the report."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from mcubuild import ROOT
from mcubuild.engine.chaincode import ChainCode
from mcubuild.engine.constants import Channels, Constants, Field, channels
from mcubuild.engine.footprint import Footprint, estimate
from mcubuild.engine.kernels import choose
from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import ALIGNMENT, Layer, layers
from mcubuild.engine.planner import ChainPlan, Placement, Plan
from mcubuild.engine.routine import Routine
from mcubuild.engine.schedule import ordered
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Add, Conv2D, DepthwiseConv2D, Graph, Shape, Weighted, op_inputs
from mcubuild.ir.parameters import parameters

TEMPLATES = ROOT / "kernels_templates" / "model"
HELPERS = ("clamp", "rescale", "rescale_any", "mean", "low_half", "high_half", "multiply_pair", "requantize")


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
    body: Body
    constants: Constants | None

    @property
    def name(self) -> str:
        """The C function."""
        return f"layer_{self.layer.index:02d}_{self.kernel.kind}"

    @property
    def constants_name(self) -> str:
        """The C object with the constants."""
        return f"layer_{self.layer.index:02d}_filters"


def generate(graph: Graph, plan: Plan, target: Target, out: Path, *, stack: int) -> None:
    """Write model.h, model.c, kernels.S, weights.h, weights.c and plan.json to ``out``.

    Args:
        graph: a quantised graph with values, one input and one output.
        plan: where its activations lie.
        target: as the plan was made for.
        out: an existing folder.
        stack: bytes that the linker reserves for the stack, for the predicted SRAM.

    Raises:
        BuildError: a layer cannot be computed exactly (weights out of range, sums beyond 32 bits), or has no kernel.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["inset"] = inset
    environment.filters["ordered"] = ordered
    generated = _layers(graph, target, environment)
    bodies = list({layer.body.name: layer.body for layer in generated}.values())
    routines = _routines(generated, target, environment)
    text = "".join([*(body.text for body in bodies), *(routine["twin"] for routine in routines)])
    weighted = [layer for layer in generated if layer.constants is not None]
    values: dict[str, object] = {
        "name": graph.name,
        "alignment": ALIGNMENT,
        "arena": plan.arena,
        "input": _interface(graph, plan, graph.inputs[0]),
        "output": _interface(graph, plan, graph.outputs[0]),
        "helpers": [helper for helper in HELPERS if re.search(rf"\b{helper}\(", text)],
        "rolled": not target.settings.unrolling,
        "routines": routines,
        "bodies": bodies,
        "layers": [_layer_values(layer, plan) for layer in generated],
        "chains": _chain_values(generated, plan),
        "moves": plan.moves,
        "steps": _steps(generated, plan),
        "structs": list({struct["name"]: struct for struct in map(_struct_values, weighted)}.values()),
        "constants": [_constant_values(layer) for layer in weighted],
    }
    for name in ("model.h", "model.c", "kernels.S", "weights.h", "weights.c"):
        (out / name).write_text(environment.get_template(f"{name}.j2").render(values), encoding="utf-8")
    document = _plan_document(generated, plan, estimate(graph, target, stack))
    (out / "plan.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def inset(text: str, width: int = 0) -> str:
    """A macro's lines, moved right by ``width``, but for the first, which stands where the template calls the macro."""
    return re.sub(r"\n(?=[^\n])", "\n" + " " * width, text.strip("\n"))


def _layers(graph: Graph, target: Target, environment: jinja2.Environment) -> list[GeneratedLayer]:
    """Every layer with its body; equal bodies are one object."""
    bodies: dict[str, Body] = {}
    taken: dict[str, int] = {}
    generated = []
    for layer in layers(graph):
        kernel = choose(layer, target)
        numbers = channels(layer) if isinstance(layer.op, Weighted) else None
        constants = kernel.constants(layer, numbers) if numbers is not None else None
        template = environment.get_template(f"{kernel.kind}.c.j2")
        values = _body_values(layer, kernel, numbers, constants)
        text = template.render(values, name="")
        if text not in bodies:
            stem = f"{kernel.kind}_{_dimensions(layer.input.shape)}_to_{_dimensions(layer.output.shape)}"
            taken[stem] = taken.get(stem, 0) + 1
            name = stem if taken[stem] == 1 else f"{stem}_{taken[stem]}"
            bodies[text] = Body(name, template.render(values, name=name))
        generated.append(GeneratedLayer(layer, kernel, bodies[text], constants))
    return generated


def _dimensions(shape: Shape) -> str:
    return "x".join(str(size) for size in shape[1:])


def _body_values(
    layer: Layer, kernel: Kernel, numbers: Channels | None, constants: Constants | None
) -> dict[str, object]:
    """What every kernel's template may use, and what this kernel adds."""
    derived = parameters(layer.graph, layer.op)
    input_quantization = layer.input.quantization
    assert input_quantization is not None
    common: dict[str, object] = {
        "low": derived.clamp[0],
        "high": derived.clamp[1],
        "fused": kernel.settings.fusion,
        "unrolled": kernel.settings.unrolling,
        "tiled": kernel.settings.tiling,
    }
    if isinstance(layer.op, Weighted):
        assert numbers is not None and constants is not None
        common |= {
            "bits": layer.weights.bits,
            "input_zero_point": input_quantization.zero_point,
            "zero_point": numbers.zero_point,
            "rescale": "rescale" if numbers.plain else "rescale_any",
            "struct": constants.struct,
        }
    elif isinstance(layer.op, Add):
        add = parameters(layer.graph, layer.op)
        common |= {"add": add, "zero_point": add.output_offset}
    return {**common, **kernel.context(layer)}


def _routines(
    generated: Sequence[GeneratedLayer], target: Target, environment: jinja2.Environment
) -> list[dict[str, str]]:
    """Every routine once: its prototype, its assembly and its twin in C."""
    found: dict[str, Routine] = {}
    for layer in generated:
        found |= {routine.name: routine for routine in layer.kernel.routines(layer.layer)}
    result = []
    for name, routine in sorted(found.items()):
        values = {**dict(routine.values), "name": name, "core": target.core}
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
        "comment": f"{generated.layer.output.name}: weights of {generated.layer.weights.bits} bits, "
        f"{'x'.join(str(size) for size in generated.layer.weights.shape)}",
        "fields": [_rows(field) for field in generated.constants.fields],
    }


def _rows(field: Field) -> str:
    """Numbers in lines of at most about 100 characters."""
    per_line = 20 if field.ctype == "int8_t" else 8
    numbers = [str(value) if value > -(2**31) else "INT32_MIN" for value in field.values.tolist()]
    lines = (", ".join(numbers[start : start + per_line]) for start in range(0, len(numbers), per_line))
    return "\n".join(f"        {line}," for line in lines)


def _interface(graph: Graph, plan: Plan, name: str) -> dict[str, object]:
    return {
        "name": name,
        "shape": _dimensions(graph.tensor(name).shape),
        "offset": plan.activations[name].offset,
        "nbytes": plan.activations[name].nbytes,
    }


def _layer_values(generated: GeneratedLayer, plan: Plan) -> dict[str, object]:
    layer = generated.layer
    names = op_inputs(layer.op)
    chain = plan.chain_of(layer.index)
    if chain is None:
        buffers = [*(plan.activations[name] for name in names), plan.written(layer.op.output)]
        arguments = [f"arena + {buffer.offset}" for buffer in buffers]
    else:
        arguments = [*(f"input{number}" for number in range(len(names))), "to"]
    lines = [
        *(f"{name}: {_where(layer.graph, plan, name)}" for name in dict.fromkeys(names)),
        f"-> {layer.op.output}: {_dimensions(layer.output.shape)} at {_span(plan.written(layer.op.output))}"
        + (f", over {plan.inplace[layer.op.output]}" if layer.op.output in plan.inplace else ""),
    ]
    scratch = plan.scratch.get(layer.index)
    if scratch is not None:
        arguments.append(f"arena + {scratch.offset}")
        lines.append(f"scratch: {_span(scratch)}")
    if generated.constants is not None:
        arguments.append(f"&{generated.constants_name}")
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
        "comment": "\n   ".join(lines),
    }


def _chain_values(generated: Sequence[GeneratedLayer], plan: Plan) -> list[dict[str, object]]:
    result: list[dict[str, object]] = []
    for chain in plan.chains:
        code = ChainCode(generated[0].layer.graph, plan, chain)
        order = code.order
        pairs = [f"{{{call.stage}, {call.rows}}}," for call in order.calls]
        lines = (" ".join(pairs[start : start + 14]) for start in range(0, len(pairs), 14))
        result.append(
            {
                "name": _chain_name(chain),
                "rows": chain.rows,
                "order": order,
                "text": "\n".join(f"        {line}" for line in lines),
                "tensors": code.tensors(),
                "layers": [generated[index].name for index in chain.steps],
            }
        )
    return result


def _chain_name(chain: ChainPlan) -> str:
    return f"layers_{chain.steps.start:02d}_to_{chain.steps[-1]:02d}"


def _steps(generated: Sequence[GeneratedLayer], plan: Plan) -> list[str]:
    """The calls of model_run."""
    steps = []
    for layer in generated:
        index, output = layer.layer.index, layer.layer.op.output
        chain = plan.chain_of(index)
        if chain is None:
            steps.append(f"{layer.name}(arena)")
        elif index == chain.steps.start:
            steps.append(f"{_chain_name(chain)}(arena)")
        if output in plan.moves:
            before, after = plan.moves[output], plan.activations[output]
            steps.append(f"move(arena + {after.offset}, arena + {before.offset}, {after.nbytes})")
    return steps


def _where(graph: Graph, plan: Plan, name: str) -> str:
    return f"{_dimensions(graph.tensor(name).shape)} at {_span(plan.activations[name])}"


def _span(place: Placement) -> str:
    return f"{place.offset} ... {place.offset + place.nbytes - 1}"


def _plan_document(generated: Sequence[GeneratedLayer], plan: Plan, predicted: Footprint) -> Mapping[str, object]:
    """The memory plan for the report."""
    graph = generated[0].layer.graph
    return {
        "arena": plan.arena,
        "lower_bound": plan.lower_bound,
        "layers": [_layer_document(layer, plan) for layer in generated],
        "tensors": [
            {
                "name": name,
                "offset": place.offset,
                "bytes": place.nbytes,
                "shape": list(graph.tensor(name).shape),
                "first": place.first,
                "last": place.last,
            }
            for name, place in (*plan.activations.items(), *plan.moves.items())
        ]
        + [
            {
                "name": f"{generated[index].name} scratch",
                "offset": place.offset,
                "bytes": place.nbytes,
                "shape": [place.nbytes],
                "first": place.first,
                "last": place.last,
            }
            for index, place in plan.scratch.items()
        ],
        "predicted": {
            "sram": predicted.sram,
            "flash": predicted.flash,
            "weights": predicted.weights,
            "code": predicted.code,
            "cycles": predicted.cycles,
        },
    }


def _layer_document(generated: GeneratedLayer, plan: Plan) -> dict[str, object]:
    layer, kernel = generated.layer, generated.kernel
    live = [
        (name, place)
        for name, place in (*plan.activations.items(), *plan.moves.items())
        if place.first <= layer.index <= place.last
    ]
    places = [*(place for _, place in live), *(place for index, place in plan.scratch.items() if index == layer.index)]
    return {
        "index": layer.index,
        "name": generated.name,
        "kind": kernel.family or kernel.kind,
        "op": type(layer.op).__name__,
        "output": layer.op.output,
        "macs": layer.macs,
        "weights_bytes": kernel.constant_bytes(layer),
        "shape_in": list(layer.input.shape),
        "shape_out": list(layer.output.shape),
        "kernel": list(layer.kernel_size) if isinstance(layer.op, Conv2D | DepthwiseConv2D) else None,
        "stride": list(getattr(layer.op, "stride", ())) or None,
        "live": [name for name, _ in live],
        "live_bytes": occupied(places),
    }


def occupied(places: Sequence[Placement]) -> int:
    """Bytes that lie in at least one of ``places``."""
    total = end = 0
    for place in sorted(places, key=lambda place: place.offset):
        total += max(0, place.offset + place.nbytes - max(end, place.offset))
        end = max(end, place.offset + place.nbytes)
    return total
