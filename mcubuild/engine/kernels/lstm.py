"""Long short-term memory, step by step."""

from collections.abc import Mapping
from typing import ClassVar

from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.arithmetic import FixedPoint, reduced
from mcubuild.ir.graph import Dtype
from mcubuild.ir.ops.lstm import GATES, PLAIN, Lstm
from mcubuild.ir.ops.sigmoid import sigmoid_table


class Sequence(Kernel):
    """Lstm."""

    kind = "lstm"
    ops = (Lstm,)
    dtypes: ClassVar[frozenset[Dtype]] = frozenset({"int8", "int16", "int32", "int64"})

    def scratch_bytes(self, layer: Layer, rows: int | None = None) -> int:
        """The four gates of a step: all are computed before hidden values change."""
        return 2 * 4 * layer.output.shape[2]

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Sizes, numbers, and the factors of the gates as the C takes them: multiplier and shift to the right."""
        op, graph = layer.op, layer.graph
        assert isinstance(op, Lstm)
        numbers, wide = op.parameters(graph), layer.input.dtype == "int16"
        return {
            "steps": layer.output.shape[1],
            "inputs": layer.input.shape[2],
            "units": layer.output.shape[2],
            "sum_type": "int64_t" if wide else "uint32_t",
            "bias_type": "int64_t" if wide else "int32_t",
            "wide": wide,
            "rescale": "rescale_wide" if wide else "rescale_any",
            "gates": [
                {
                    "first": _right(first, wide),
                    "second": _right(second, wide),
                    "function": function,
                }
                for function, (first, second) in zip(GATES, numbers.factors, strict=True)
            ],
            "numbers": numbers,
            "plain": PLAIN,
            "table": sigmoid_table(),
        }

    def code_bytes(self, layer: Layer) -> int:
        """Sums, five functions and the table."""
        return 1800 + 2 * 256

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Products, units of all steps."""
        return {"mac": layer.macs, "unit": layer.output.elements}


def _right(factor: FixedPoint, wide: bool) -> tuple[int, int]:
    if wide:
        return int(reduced(factor.multiplier)), 15 - factor.shift
    return factor.multiplier, -factor.shift


KERNEL = Sequence()
