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
    operator: str | None = None
    """Of an output: the kind of operator that computes it in the file, changes of type and shape aside."""

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest real value that the int8 tensor holds."""
        return self.scale * (-128 - self.zero_point), self.scale * (127 - self.zero_point)

    def quantized(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Real values as levels of the int8 tensor, rounded half away from zero as on the device; not yet clipped."""
        ratio = (values.astype(np.float32) / np.float32(self.scale)).astype(np.float64)
        return np.copysign(np.floor(np.abs(np.nan_to_num(ratio)) + 0.5), ratio) + self.zero_point

    def to_int8(self, values: NDArray[Any]) -> NDArray[np.int8]:
        """Values of ``dtype`` as the graph's int8, in any shape."""
        wide: NDArray[np.float64] = np.asarray(values, np.float64)
        if self.dtype == "float32":
            wide = self.quantized(wide)
        elif self.dtype == "uint8":
            wide = wide - 128
        return np.asarray(np.clip(wide, -128, 127), np.int8)
