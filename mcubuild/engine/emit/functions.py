"""The functions of the network's C: a kernel specialised for each layer's shape, and routines in assembly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jinja2

from mcubuild.engine.assembly.constants import Channels, Constants, channels
from mcubuild.engine.assembly.routine import Routine
from mcubuild.engine.kernels import choose
from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.kernels.packed import Packed
from mcubuild.engine.layer import Layer, layers
from mcubuild.engine.memory.planner import Plan
from mcubuild.engine.target import Target
from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import BYTES, Graph, Tensor
from mcubuild.ir.ops.elementwise import Add
from mcubuild.ir.ops.movement import Reshape
from mcubuild.ir.ops.pool import AveragePool2D
from mcubuild.ir.ops.weighted import Weighted


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


def layer_functions(
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
            stem = f"{kernel.kind}_{dimensions(layer.input.shape)}_to_{dimensions(layer.output.shape)}"
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


def _body_values(
    layer: Layer, kernel: Kernel, numbers: Channels | None, constants: Constants | None
) -> dict[str, object]:
    """What every kernel's template may use, and what this kernel adds."""
    common: dict[str, object] = {
        "fused": kernel.settings.fusion,
        "unrolled": kernel.settings.unrolling,
        "tiled": kernel.settings.tiling,
        "input_type": ctype(layer.input),
        "output_type": ctype(layer.output),
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


def dimensions(shape: Shape) -> str:
    """A shape without its batch, as names and comments have it: 3x3x8."""
    return "x".join(str(size) for size in shape[1:])


def ctype(tensor: Tensor) -> str:
    """The C type of the tensor's elements."""
    return f"{tensor.dtype}_t"


def routine_values(
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
