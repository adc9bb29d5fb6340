"""Rules applied to a graph until none is left that applies."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mcubuild.ir.graph import Concat, Graph, Op, op_constants, op_inputs
from mcubuild.ir.rewriting.rule import Match, Replacement, Rule


def rewritten(graph: Graph, rules: Sequence[Rule]) -> Graph:
    """The graph after all that ``rules`` find in it; its inputs stay, and so do its outputs' number and order.

    Args:
        graph: a quantised graph with values.
        rules: in the order in which they are tried at each operator. None may undo what another does.
    """
    index = 0
    while index < len(graph.ops):
        changed = _first(graph, index, rules)
        if changed is None:
            index += 1
        else:
            graph, index = changed, 0
    return graph


def _first(graph: Graph, index: int, rules: Sequence[Rule]) -> Graph | None:
    """The graph after the first rule that applies to what ends with operator ``index``."""
    for rule in rules:
        match = _match(graph, index, rule)
        if match is not None and rule.applies(match):
            replacement = rule.rewrite(match)
            if replacement.same is None or _may_stand(graph, replacement.same, match.ops[-1].output):
                return _used(_replaced(graph, index, replacement))
    return None


def _match(graph: Graph, index: int, rule: Rule) -> Match | None:
    """The operators that end with number ``index``, where they follow the pattern."""
    writers = {op.output: op for op in graph.ops}
    ops = [graph.ops[index]]
    for kind in reversed(rule.pattern[1:]):
        if not isinstance(ops[0], kind) or len(op_inputs(ops[0])) != 1 or op_inputs(ops[0])[0] not in writers:
            return None
        ops.insert(0, writers[op_inputs(ops[0])[0]])
    names = {name for op in ops for name in (*op_inputs(op), op.output)}
    if not isinstance(ops[0], rule.pattern[0]) or any(graph.tensor(name).dtype != "int8" for name in names):
        return None
    return Match(graph, tuple(ops))


def _may_stand(graph: Graph, same: str, output: str) -> bool:
    """Whether readers of ``output`` may read ``same``: an operator of its own writes each of the network's outputs."""
    return output not in graph.outputs or same not in {*graph.inputs, *graph.outputs, *graph.constants}


def _replaced(graph: Graph, index: int, replacement: Replacement) -> Graph:
    output, same = graph.ops[index].output, replacement.same
    ops = [*graph.ops[:index], *replacement.ops, *graph.ops[index + 1 :]]
    outputs = graph.outputs
    if same is not None:
        ops = [_reading(op, output, same) for op in ops]
        outputs = tuple(same if name == output else name for name in outputs)
    return replace(
        graph,
        tensors={**graph.tensors, **{tensor.name: tensor for tensor in replacement.tensors}},
        ops=tuple(ops),
        outputs=outputs,
        constants={**graph.constants, **replacement.constants},
    )


def _reading(op: Op, old: str, new: str) -> Op:
    """The operator with the input ``new`` wherever it read ``old``."""
    if old not in op_inputs(op):
        return op
    operands = {"input": new, "left": new, "right": new}
    changed: dict[str, Any] = {name: value for name, value in operands.items() if getattr(op, name, None) == old}
    if isinstance(op, Concat):
        changed["inputs"] = tuple(new if name == old else name for name in op.inputs)
    return replace(op, **changed)


def _used(graph: Graph) -> Graph:
    """The graph without operators, tensors and constants that no output needs."""
    needed = set(graph.outputs)
    ops: list[Op] = []
    for op in reversed(graph.ops):
        if op.output in needed:
            needed.update((*op_inputs(op), *op_constants(op)))
            ops.insert(0, op)
    needed.update(graph.inputs)
    return replace(
        graph,
        tensors={name: tensor for name, tensor in graph.tensors.items() if name in needed},
        ops=tuple(ops),
        constants={name: values for name, values in graph.constants.items() if name in needed},
    )
