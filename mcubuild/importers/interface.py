"""What stands between a network of int8 and the numbers that its author feeds it: float32, uint8 or int8."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.graph import Shape

Number: TypeAlias = Literal["float32", "uint8", "int8"]


@dataclass(frozen=True)
class Interface:
    """One input or output of the file, which the graph has as int8."""

    name: str
    """Of the tensor in the file."""
    dtype: Number
    """What the file says; uint8 is int8 plus 128."""
    shape: Shape
    """As in the file."""
    scale: float
    zero_point: int
    """Of the graph's int8 tensor."""

    def to_int8(self, values: NDArray[Any]) -> NDArray[np.int8]:
        """Values of ``dtype`` as the graph's int8, in any shape."""
        if self.dtype == "float32":
            ratio = values.astype(np.float32) / np.float32(self.scale)
            rounded = np.copysign(np.floor(np.abs(ratio).astype(np.float64) + 0.5), ratio)
            return np.clip(np.nan_to_num(rounded) + self.zero_point, -128, 127).astype(np.int8)
        same: NDArray[np.int8] = (values.astype(np.int16) - (128 if self.dtype == "uint8" else 0)).astype(np.int8)
        return same
