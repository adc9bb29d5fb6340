"""Rules applied to a graph until none is left that applies."""

from collections.abc import Sequence
from dataclasses import replace

from mcubuild.ir.graph import Graph, Op
from mcubuild.ir.rewriting.facts import Facts
from mcubuild.ir.rewriting.rule import Match, Replacement, Rule


def rewritten(graph: Graph, rules: Sequence[Rule]) -> Graph:
    """The graph after all that ``rules`` find in it; its inputs stay, and so do its outputs' number and order.

    Args:
        graph: a quantised graph with values.
        rules: in the order in which they are tried at each operator. None may undo what another does.
    """
    facts, before = Facts(graph), None
    while facts is not before:
        before = facts
        index = 0
        while index < len(facts.graph.ops):
            changed = _changed(facts, index, rules)
            if changed is None:
                index += 1
            else:
                index = max(0, index - (len(facts.graph.ops) - len(changed.ops)))
                facts = Facts(changed)
    return facts.graph


def _changed(facts: Facts, index: int, rules: Sequence[Rule]) -> Graph | None:
    """The graph after the first rule that applies to what ends with operator ``index``."""
    graph = facts.graph
    for rule in rules:
        match = _match(facts, graph.ops[index], rule)
        if match is not None and rule.applies(match):
            replacement = rule.rewrite(match)
            if replacement.same is None or _may_stand(graph, replacement.same, match.last.output):
                return _replaced(graph, index, replacement)
    return None


def _match(facts: Facts, op: Op, rule: Rule) -> Match | None:
    """The operators that end with ``op``, where they follow the pattern."""
    ops = [op]
    for kind in reversed(rule.pattern[1:]):
        names = ops[0].operands
        if not isinstance(ops[0], kind) or len(names) != 1 or names[0] not in facts.writers:
            return None
        ops.insert(0, facts.writers[names[0]])
    if not isinstance(ops[0], rule.pattern[0]):
        return None
    tensors = [facts.graph.tensor(name) for each in ops for name in (*each.operands, each.output)]
    return Match(facts, tuple(ops)) if all(tensor.dtype in rule.types for tensor in tensors) else None


def _may_stand(graph: Graph, same: str, output: str) -> bool:
    """Whether readers of ``output`` may read ``same``: an operator of its own writes each of the network's results."""
    return output not in graph.results or same not in {
        *graph.inputs,
        *graph.outputs,
        *graph.constants,
        *graph.variables,
    }


def _replaced(graph: Graph, index: int, replacement: Replacement) -> Graph:
    """The graph with the replacement, without operators, tensors and constants that no output needs any more."""
    output, same = graph.ops[index].output, replacement.same
    ops = [*graph.ops[:index], *replacement.ops, *graph.ops[index + 1 :]]
    outputs, variables = graph.outputs, graph.variables
    if same is not None:
        ops = [op.reading(output, same) if output in op.operands else op for op in ops]
        outputs = tuple(same if name == output else name for name in outputs)
        variables = {
            name: replace(each, next=same) if each.next == output else each for name, each in variables.items()
        }
    needed, used = {*outputs, *(variable.next for variable in variables.values())}, list[Op]()
    for op in reversed(ops):
        if op.output in needed:
            needed.update((*op.operands, *op.constants))
            used.append(op)
    needed.update((*graph.inputs, *variables))
    tensors = {**graph.tensors, **{tensor.name: tensor for tensor in replacement.tensors}}
    constants = {**graph.constants, **replacement.constants}
    return replace(
        graph,
        tensors={name: tensor for name, tensor in tensors.items() if name in needed},
        ops=tuple(reversed(used)),
        outputs=outputs,
        variables=variables,
        constants={name: values for name, values in constants.items() if name in needed},
    )
