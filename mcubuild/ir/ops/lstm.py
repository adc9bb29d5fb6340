"""Long short-term memory over a sequence, as Keras has it: four gates, no peepholes, no projection.

Source: ``UNIDIRECTIONAL_SEQUENCE_LSTM`` of TensorFlow Lite Micro (``lstm_eval.h``): sums and gates are int16.
"""

from dataclasses import dataclass
from math import log2
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import FixedPoint, requantize_wide, requantize_wrapped
from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import INT16, Graph, Levels, Op
from mcubuild.ir.ops.sigmoid import SigmoidParameters, interpolated
from mcubuild.ir.ops.weighted import MOST_ENLARGED_SUM

_SUM_SCALE: Final = 2.0**-12
"""Of what the gates' functions see."""
_GATE_SCALE: Final = 2.0**-15
"""Of what they give."""
GATES: Final = ("logistic", "logistic", "tanh", "logistic")
"""Functions of the gates: input, forget, cell, output."""
PLAIN: Final = SigmoidParameters(3, 0)
"""From sums to the table."""


@dataclass(frozen=True)
class LstmParameters:
    """Of Lstm. Every rescaled value saturates at its type; gates are in 1/32768, sums in 1/4096.

    sum = rescale(bias + sum(weights * (input + input_offset)), factors[gate][0])
        + rescale(sum(recurrent * (hidden + hidden_offset)), factors[gate][1])
    cell = clip(rescale(forget_gate * cell, kept) + rescale(input_gate * cell_gate, added))
    hidden = rescale(tanh(cell) * output_gate, shown) - hidden_offset
    """

    input_offset: int
    hidden_offset: int
    factors: tuple[tuple[FixedPoint, FixedPoint], ...]
    kept: FixedPoint
    added: FixedPoint
    shown: FixedPoint
    clip: int
    """Largest magnitude of a cell; 0: that of its type."""
    tanh: SigmoidParameters
    """From cells to the table."""


@dataclass(frozen=True)
class Lstm(Op):
    """Input (1, T, I), and hidden and cell (1, U) from before -> output (1, T, U) of the input's type.

    Constants of the gates input, forget, cell and output, one behind the other: weights int8 (1, 4 U, I), recurrent
    int8 (1, 4 U, U), bias (1, 4 U) of int32, or of int64 where the input is int16. Cells are int16.
    """

    input: str
    hidden: str
    cell: str
    weights: str
    recurrent: str
    bias: str
    output: str
    cell_clip: float
    """Largest magnitude of a cell; 0: any."""

    @property
    def operands(self) -> tuple[str, ...]:
        """The input, what is kept and the constants."""
        return self.input, self.hidden, self.cell, self.weights, self.recurrent, self.bias

    @property
    def state(self) -> tuple[str, ...]:
        """Hidden and cell."""
        return self.hidden, self.cell

    def output_shape(self, graph: Graph) -> Shape:
        """The hidden values of every step."""
        shape, units = graph.tensor(self.input).shape, graph.tensor(self.hidden).shape[-1]
        shapes = [graph.tensor(name).shape for name in self.operands[1:]]
        gates = 4 * units
        if len(shape) != 3 or shapes != [(1, units), (1, units), (1, gates, shape[2]), (1, gates, units), (1, gates)]:
            raise ValueError(f"Lstm of {self.input!r} {shape} with {units} units: shapes do not go together")
        return 1, shape[1], units

    def macs(self, graph: Graph) -> int:
        """Every step uses all weights."""
        weights = graph.tensor(self.weights).elements + graph.tensor(self.recurrent).elements
        return graph.tensor(self.input).shape[1] * weights

    def parameters(self, graph: Graph) -> LstmParameters:
        """Source: ``PrepareGateParametersInteger`` and ``CreateLstmCellStateInfo`` of TensorFlow Lite Micro."""
        (x, x_zero), (hidden, hidden_zero), (cell, _) = (
            graph.scale(name) for name in (self.input, self.hidden, self.cell)
        )
        power = round(log2(cell))
        if abs(log2(cell) - power) > 1e-3 or not -27 <= power <= 2:
            raise ValueError(f"Lstm: the scale {cell} of {self.cell!r} is no power of two")
        units = graph.tensor(self.hidden).shape[-1]
        scales = [graph.quantization(name).scale[::units] for name in (self.weights, self.recurrent)]
        factors = tuple(
            (FixedPoint.of(x * first / _SUM_SCALE), FixedPoint.of(hidden * second / _SUM_SCALE))
            for first, second in zip(*scales, strict=True)
        )
        wide = graph.tensor(self.input).dtype == "int16"
        if wide and max(factor.shift for pair in factors for factor in pair) > MOST_ENLARGED_SUM:
            raise ValueError(f"Lstm: the scales of its weights are too large for sums in {_SUM_SCALE}")
        shift = 12 + power
        return LstmParameters(
            input_offset=-x_zero,
            hidden_offset=-hidden_zero,
            factors=factors,
            kept=FixedPoint.of(_GATE_SCALE * cell / cell),
            added=FixedPoint.of(_GATE_SCALE * _GATE_SCALE / cell),
            shown=FixedPoint.of(_GATE_SCALE * _GATE_SCALE / hidden),
            clip=int(min(self.cell_clip / cell, 32767.0)),
            tanh=SigmoidParameters(3 << shift, 0) if shift >= 0 else SigmoidParameters(3, -shift),
        )

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """Step by step."""
        x, hidden, cell, weights, recurrent, bias = operands
        derived, count, units = self.parameters(graph), len(hidden), hidden.shape[1]
        seen = np.broadcast_to(x, (count, *x.shape[1:])).astype(np.int64) + derived.input_offset
        first = seen @ weights[0].T.astype(np.int64) + bias
        requantize = _wide if x.dtype == np.int16 else requantize_wrapped
        limits = graph.tensor(self.hidden).limits
        results = []
        for step in range(x.shape[1]):
            second = (hidden.astype(np.int64) + derived.hidden_offset) @ recurrent[0].T.astype(np.int64)
            gates = []
            for gate, (function, factors) in enumerate(zip(GATES, derived.factors, strict=True)):
                part = slice(gate * units, (gate + 1) * units)
                sums = np.clip(requantize(first[:, step, part], factors[0]), *INT16)
                sums = np.clip(sums + np.clip(requantize(second[:, part], factors[1]), *INT16), *INT16)
                gates.append(interpolated(sums, function, PLAIN))  # type: ignore[arg-type]
            entered, forgotten, candidate, shown = gates
            kept = np.clip(derived.kept.times(forgotten * cell), *INT16)
            added = np.clip(derived.added.times(entered * candidate), *INT16)
            limit = (-derived.clip, derived.clip) if derived.clip else INT16
            cell[:] = np.clip(np.clip(kept + added, *INT16), *limit)
            product = interpolated(cell.astype(np.int64), "tanh", derived.tanh) * shown
            hidden[:] = np.clip(derived.shown.times(product) - derived.hidden_offset, *limits)
            results.append(hidden.copy())
        return np.stack(results, axis=1)


def _wide(sums: NDArray[np.int64], factor: FixedPoint) -> NDArray[np.int64]:
    return requantize_wide(sums, factor.multiplier, factor.shift)


OPERATORS = (Lstm,)
