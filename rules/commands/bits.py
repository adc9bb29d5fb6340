"""One super network and one budget with several bit widths: ``doit bits spec=<file> [widths=8,4,4x4,mixed]``.

Each width is a build of its own: its search asks for the memory and the time that networks take with these bits, and
fine-tuning, rounding and firmware follow. Data, search space and super network are those of the spec as it is written.
The stages are tasks of the same graph, so that they run in several processes and come from the store as any others.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from mcubuild.errors import BuildError, shown
from rules.arguments import asked_for
from rules.command import nothing_to_do
from rules.graph import STAGES, broken_task
from rules.options import WIDTHS, usage
from rules.stage import Resolved, leading_to, pipeline, searches, stem
from rules.stages import margin, supernet

_NAME = "bits"


def widths() -> dict[str, Mapping[str, Any]]:
    """Bits of weights and activations, as a spec has them, by the words of ``widths=``: 8, 4, 4x8, mixed.

    Raises:
        BuildError: there are no such bits.
    """
    from pydantic import TypeAdapter, ValidationError

    from mcubuild.spec.bits import Bits, BitsSettings

    found = dict[str, Mapping[str, Any]]()
    for word in WIDTHS.words:
        numbers = re.fullmatch(r"(\d{1,2})(?:x(\d{1,2}))?", word, re.ASCII)
        table = {"weights": int(numbers[1]), "activations": int(numbers[2] or 8)} if numbers else word
        try:
            bits: BitsSettings = TypeAdapter(Bits).validate_python(table)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise BuildError(f"widths={shown(word)}: {reason}; write such as widths={WIDTHS.default}.") from None
        found.setdefault(word, bits.model_dump(mode="json"))
    if not found:
        raise BuildError(f"widths={WIDTHS.given}: names no bits; write such as widths={WIDTHS.default}.")
    return found


def asked() -> bool:
    """Whether the command line asks for this command."""
    return any(word.partition(":")[0] == _NAME for word in asked_for())


def builds(specs: Iterable[Resolved]) -> Iterator[Resolved]:
    """The builds of every width of each of ``specs`` that searches, and the others as they are.

    Raises:
        BuildError: ``widths=`` names bits that there are not.
    """
    wanted = widths()
    for resolved in specs:
        if not searches(resolved):
            yield resolved
            continue
        own = resolved["spec"]["bits"]
        if own not in wanted.values():
            yield resolved  # whose super network it is
        for word, bits in wanted.items():
            one = resolved if bits == own else _with_bits(resolved, word, bits)
            yield {**one, "chosen": {**resolved.get("chosen", {}), "bits": word}, "page": _NAME}


def _with_bits(resolved: Resolved, word: str, bits: Mapping[str, Any]) -> Resolved:
    """The build with these ``bits`` that takes everything up to the super network from ``resolved``."""
    name = resolved["spec"]["name"]
    stages = leading_to(set(supernet.STAGE.outputs), pipeline(STAGES, resolved))
    shared = [artifact for stage in stages if stage.name != margin.STAGE.name for artifact in stage.outputs]
    spec = {**resolved["spec"], "name": f"{name}-bits-{word}", "bits": bits}
    return {**resolved, "spec": spec, "shares": {"with": name, "artifacts": shared}}


def tasks(specs: Sequence[Resolved], broken: Mapping[str, str], named: Collection[str]) -> Iterator[dict[str, Any]]:
    """A doit task for each spec, which stands for its builds; and a refusal for others that are ``named``."""
    doc = "accuracy, memory and time of {} with weights of 8, 4 and mixed bits"
    yield {"basename": _NAME, "name": None, "doc": f"{doc.format('a spec')}: {usage(_NAME)}"}
    groups: dict[str, list[str]] = {}
    for resolved in specs:
        if resolved.get("page") == _NAME:
            groups.setdefault(stem(resolved), []).append(resolved["spec"]["name"])
        elif searches(resolved):
            groups.setdefault(stem(resolved), [])
        elif stem(resolved) in named:
            yield broken_task(_NAME, stem(resolved), nothing_to_do(_NAME, resolved))
    for name, members in groups.items():
        yield {
            "basename": _NAME,
            "name": name,
            "doc": doc.format(name),
            "actions": None,
            "task_dep": [f"build:{member}" for member in members],
        }
    yield from (broken_task(_NAME, name, reason) for name, reason in broken.items())
