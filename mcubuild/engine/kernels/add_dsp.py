"""Sum of two tensors with the DSP extension, eight elements at a time.

Of the two operands, the one with the larger scale has the factor 1/2, which needs no multiplication.
"""

from collections.abc import Mapping

from mcubuild.engine.assembly.routine import Routine
from mcubuild.engine.kernels.add import ElementwiseAdd
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.arithmetic import FixedPoint
from mcubuild.ir.ops.elementwise import Add, SumParameters

_HALF = FixedPoint(1 << 30, 0)
_FINE = range(31)
_COARSE = range(1, 22)
"""Shifts of the first operand and of the sum with which nothing leaves 32 bits: sums stay below 2**28."""


class AddDsp(ElementwiseAdd):
    """Add."""

    kind = "add_dsp"
    family = "add"

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every Add with factors that are in range; those of networks' scales are."""
        if not (super().serves(layer, target) and target.assembly and target.fpu):
            return False
        if layer.output.quantization is None:
            return True
        first, add = _first(layer), _parameters(layer)
        return (
            _HALF in (add.left, add.right)
            and first.multiplier > 0
            and -first.shift in _FINE
            and -add.output.shift in _COARSE
        )

    def routines(self, layer: Layer) -> tuple[Routine, ...]:
        """The sums; of a skeleton, with shifts as they often are."""
        fine, coarse = 1, 18
        if layer.output.quantization is not None:
            fine, coarse = -_first(layer).shift, -_parameters(layer).output.shift
        return (Routine("add", (("fine", fine), ("coarse", coarse)), 490),)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Constants."""
        add, first = _parameters(layer), _first(layer)
        offsets = [add.left_offset, add.right_offset]
        if _swapped(add):
            offsets.reverse()
        shift = -add.output.shift
        return {
            **super().context(layer),
            "routine": self.routines(layer)[0].name,
            "swapped": _swapped(add),
            "factors": [
                *(offset * 65536 + offset % 65536 for offset in offsets),
                first.multiplier,
                (1 << -first.shift) // 2,
                add.output.multiplier,
                (1 << (shift - 1)) + (add.output_offset << shift),
                shift,
            ],
        }

    def code_bytes(self, layer: Layer) -> int:
        """A call, and a loop for what is left over."""
        return 150 if layer.output.shape[-1] % 8 == 0 else 600


def _parameters(layer: Layer) -> SumParameters:
    assert isinstance(layer.op, Add)
    return layer.op.parameters(layer.graph)


def _swapped(add: SumParameters) -> bool:
    """Whether the right operand is the first one, that with the smaller scale."""
    return add.left == _HALF


def _first(layer: Layer) -> FixedPoint:
    """The factor of the operand with the smaller scale."""
    add = _parameters(layer)
    return add.right if _swapped(add) else add.left


KERNEL = AddDsp()
