"""The constants of the network in C: weights, operands, and what variables begin with."""

from mcubuild.engine.assembly.constants import Field
from mcubuild.engine.emit.functions import GeneratedLayer, dimensions
from mcubuild.engine.layer import align
from mcubuild.engine.memory.planner import Plan
from mcubuild.engine.memory.variables import as_bytes, initial_tables
from mcubuild.escape import Text
from mcubuild.ir.graph import Graph


def struct_values(generated: GeneratedLayer) -> dict[str, object]:
    """The C struct of a layer's constants."""
    assert generated.constants is not None
    return {"name": generated.constants.struct, "fields": generated.constants.fields}


def constant_values(generated: GeneratedLayer) -> dict[str, object]:
    """The C object with a layer's constants."""
    assert generated.constants is not None
    return {
        "name": generated.constants_name,
        "struct": generated.constants.struct,
        "comment": Text(
            f"{generated.layer.output.name}: weights of {generated.layer.weights.bits} bits, "
            f"{'x'.join(str(size) for size in generated.layer.weights.shape)}"
        ),
        "structs": [
            [in_lines(field) for field in fields]
            for fields in (generated.constants.fields, *generated.constants.others)
        ],
    }


def operand_values(generated: GeneratedLayer) -> list[dict[str, object]]:
    """The C objects with constants that a layer computes on as on activations."""
    graph = generated.layer.graph
    return [
        {
            "name": generated.operand_name(operand.name),
            "bytes": align(operand.nbytes),
            "comment": Text(f"{operand.name}: {dimensions(operand.shape)}"),
            "rows": in_lines(Field("int8_t", "values", as_bytes(graph.constants[operand.name]))),
        }
        for operand in generated.layer.constant_operands
    ]


def variable_values(graph: Graph, plan: Plan, prefix: str) -> list[dict[str, object]]:
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


def initial_values(graph: Graph, prefix: str) -> list[dict[str, object]]:
    """The C objects with tables that variables begin with."""
    return [
        {
            "name": _initial_name(graph, name, prefix),
            "bytes": len(table),
            "comment": Text(f"{name}: before the first run"),
            "rows": in_lines(Field("int8_t", "values", table)),
        }
        for name, table in initial_tables(graph).items()
    ]


def _initial_name(graph: Graph, name: str, prefix: str) -> str:
    return f"{prefix}_variable_{list(graph.variables).index(name):02d}_initial"


def in_lines(field: Field) -> str:
    """Numbers in lines of at most about 100 characters."""
    per_line = 20 if field.ctype == "int8_t" else 8
    numbers = [str(value) if value > -(2**31) else "INT32_MIN" for value in field.values.tolist()]
    lines = (", ".join(numbers[start : start + per_line]) for start in range(0, len(numbers), per_line))
    return "\n".join(f"        {line}," for line in lines)
