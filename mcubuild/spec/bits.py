"""bits: how many bits numbers have on the board."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator

from mcubuild.errors import shown
from mcubuild.settings import Settings

Width: TypeAlias = Literal[4, 8, "mixed"]
"""Bits of the weights: of all layers, or ``"mixed"``, 8 or 4 for each layer by itself."""
WIDTHS: tuple[Literal[8], Literal[4]] = (8, 4)
"""That a layer's weights may have, and activations, the widest first."""


class BitsSettings(Settings):
    """Bits of weights and activations."""

    weights: Width = 8
    """Of all layers; or ``"mixed"``: 8 or 4 for each layer, as Flash and latency allow and accuracy asks for."""
    activations: Literal[4, 8] = 8
    """Of tensors between layers. With 4, two share a byte of RAM; the network's input, the mean of all pixels and the
    answer keep 8."""
    ends: Literal[4, 8] | None = None
    """Bits of the weights of the first and of the last layer, which often lose the most by few bits. Default: those of
    the others."""


def _table(value: Any) -> Any:
    """The table that bits of the weights alone are short for."""
    if isinstance(value, BitsSettings):
        return value
    table = value if isinstance(value, dict) else {"weights": value}
    weights, activations, ends = table.get("weights", 8), table.get("activations", 8), table.get("ends")
    known = table.keys() <= BitsSettings.model_fields.keys()
    asked = _is_one_of(weights, (*WIDTHS, "mixed")) and _is_one_of(activations, WIDTHS)
    if known and asked and (ends is None or _is_one_of(ends, WIDTHS)):
        return {**table, "ends": None if ends == weights else ends}
    raise ValueError(
        f'found {shown(value)}; must be 4 or 8 or "mixed", or such as {{ weights = 4, activations = 4, ends = 8 }}'
    )


def _is_one_of(value: Any, allowed: tuple[Any, ...]) -> bool:
    """Neither 8.0 nor True is a number of bits."""
    return any(type(value) is type(one) and value == one for one in allowed)


if TYPE_CHECKING:
    Bits = BitsSettings
else:
    Bits = Annotated[BitsSettings, BeforeValidator(_table, json_schema_input_type=Width | BitsSettings)]
"""``bits = 4`` is short for a table with those ``weights`` alone."""
