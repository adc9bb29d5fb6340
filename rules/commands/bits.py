"""One super network and one budget with several bit widths: ``doit bits spec=<file> [widths=8,4,4x4,mixed]``.

Each width is a build of its own: its search asks for the memory and the time that networks take with these bits, and
fine-tuning, rounding and firmware follow. Data, search space and super network are those of the spec as it is written.
"""

import re
from collections.abc import Mapping
from typing import Any

from mcubuild.errors import BuildError, shown, tell
from rules.command import Command
from rules.derived import Comparison, derived
from rules.graph import STAGES
from rules.options import WIDTHS
from rules.stage import Resolved, leading_to, pipeline, searches
from rules.stages import margin, supernet

_NAME = "bits"
_MIXED = ("image_classification", "audio_classification", "sensor_classification")
"""Tasks whose layers may have different widths."""


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
        if (value := bits.model_dump(mode="json")) not in found.values():
            found[word] = value
    if not found:
        raise BuildError(f"widths={WIDTHS.given}: names no bits; write such as widths={WIDTHS.default}.")
    return found


def _builds(resolved: Resolved) -> Comparison:
    """Those of every width, each with everything up to the super network of the spec as it is written.

    Raises:
        BuildError: ``widths=`` names bits that there are not.
    """
    name, found = resolved["spec"]["name"], list[Resolved]()
    shared = leading_to({*supernet.STAGE.outputs}, pipeline(STAGES, resolved))
    shared = [stage for stage in shared if stage.name != margin.STAGE.name]
    for word, bits in widths().items():
        if bits["weights"] == "mixed" and resolved["spec"]["task"] not in _MIXED:
            tell(f"{name}: without mixed bits, which are for networks that answer with classes.")
            continue
        one = derived(resolved, f"{name}-{_NAME}-{word}", {"bits": bits}, sharing=shared, part=False)
        found.append({**one, "chosen": {**resolved.get("chosen", {}), "bits": word}, "page": _NAME})
    return Comparison(found)


COMMAND = Command(
    name=_NAME,
    doc="accuracy, memory and time of {} with weights of 8, 4 and mixed bits",
    work=None,
    derives=_builds,
    serves=searches,
)
