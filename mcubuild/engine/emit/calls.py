"""The calls of model_run: which function runs when, on which bytes of the arena."""

from collections.abc import Mapping
from typing import TypeAlias

from mcubuild.engine.emit.chaincode import ChainCode
from mcubuild.engine.emit.functions import GeneratedLayer, ctype, dimensions
from mcubuild.engine.memory.planner import ChainPlan, Placement, Plan
from mcubuild.engine.memory.streaming import SOURCE
from mcubuild.engine.memory.variables import updates
from mcubuild.escape import Text
from mcubuild.ir.graph import Graph, Tensor

Codes: TypeAlias = Mapping[range, ChainCode]
"""What templates need to know of chains, by their layers."""


def layer_values(generated: GeneratedLayer, plan: Plan, codes: Codes) -> dict[str, object]:
    """The function that calls a layer's body: its name, the arguments, and where what they point to lies."""
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
        f"-> {layer.op.output}: {dimensions(layer.output.shape)} at {_span(plan.written(layer.op.output))}"
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
        "call": chain and codes[chain.steps].call(layer.index),
        "comment": [Text(line) for line in lines],
    }


def _typed(tensor: Tensor, pointer: str, *, written: bool = False) -> str:
    """A pointer to bytes as one to the tensor's elements."""
    if tensor.dtype == "int8":
        return pointer
    return (
        f"({ctype(tensor)} *)(void *)({pointer})" if written else f"(const {ctype(tensor)} *)(const void *)({pointer})"
    )


def chain_values(plan: Plan, codes: Codes, names: Mapping[int, str]) -> list[dict[str, object]]:
    """The drivers of chains: their calls in order, by the names of the layers' functions."""
    result: list[dict[str, object]] = []
    for chain in plan.chains:
        code = codes[chain.steps]
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


def calls(graph: Graph, plan: Plan, names: Mapping[int, str]) -> list[str]:
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
    return f"{dimensions(graph.tensor(name).shape)} at {_span(plan.activations[name])}"


def _span(place: Placement) -> str:
    return f"{place.offset} ... {place.offset + place.nbytes - 1}"
