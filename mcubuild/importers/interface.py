"""What stands between a network of int8 or int16 and the numbers that its author feeds it: float32, uint8 or those."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import INT8, INT16, Clamp

Number: TypeAlias = Literal["float32", "uint8", "int8", "int16", "int32"]


@dataclass(frozen=True)
class Interface:
    """One input or output of the file, which the graph has as int8 or int16."""

    name: str
    """Of the tensor in the file."""
    dtype: Number
    """What the file says; uint8 is int8 plus 128."""
    shape: Shape
    """As in the file."""
    scale: float
    zero_point: int
    """Of the graph's tensor."""
    operator: str | None = None
    """Of an output: the kind of operator that computes it in the file, changes of type and shape aside."""

    bits: Literal[8, 16, 32] = 8
    """Of the graph's tensor."""
    order: Shape | None = None
    """Where its author has axes elsewhere than the graph: axis i of the file's tensor is the author's ``order[i]``."""

    def arranged(self, values: NDArray[Any]) -> NDArray[Any]:
        """Samples (N, elements) in the author's order as those in the graph's."""
        if self.order is None:
            return values
        count = len(values)
        moved = values.reshape(count, *self.shape).transpose(0, *(axis + 1 for axis in self.order))
        return np.ascontiguousarray(moved).reshape(count, -1)

    @property
    def limits(self) -> Clamp:
        """The smallest and the largest level."""
        return {8: INT8, 16: INT16, 32: (-(2**31), 2**31 - 1)}[self.bits]

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest real value that the graph's tensor holds."""
        low, high = self.limits
        return self.scale * (low - self.zero_point), self.scale * (high - self.zero_point)

    def quantized(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Real values as levels of the graph's tensor, rounded half away from zero as on the device; not clipped."""
        ratio = (values.astype(np.float32) / np.float32(self.scale)).astype(np.float64)
        return np.copysign(np.floor(np.abs(np.nan_to_num(ratio)) + 0.5), ratio) + self.zero_point

    def to_levels(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of ``dtype`` as the graph's int8 or int16, in any shape."""
        wide: NDArray[np.float64] = np.asarray(values, np.float64)
        if self.dtype == "float32":
            wide = self.quantized(wide)
        elif self.dtype == "uint8":
            wide = wide - 128
        return np.clip(wide, *self.limits).astype(f"int{self.bits}")
