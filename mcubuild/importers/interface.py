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
        wide: NDArray[np.float64] = np.asarray(values, np.float64)
        if self.dtype == "float32":
            ratio = (wide.astype(np.float32) / np.float32(self.scale)).astype(np.float64)
            wide = np.copysign(np.floor(np.abs(np.nan_to_num(ratio)) + 0.5), ratio) + self.zero_point
        elif self.dtype == "uint8":
            wide = wide - 128
        return np.asarray(np.clip(wide, -128, 127), np.int8)
