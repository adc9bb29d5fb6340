"""Products of matrices that are both computed."""

from collections.abc import Mapping

from mcubuild.engine.assembly.nest import broadcast, contiguous, nest
from mcubuild.engine.kernels.base import BOTH, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.arithmetic import reduced
from mcubuild.ir.ops.matmul import MatMul


class MatrixMatrix(Kernel):
    """MatMul."""

    kind = "matmul"
    ops = (MatMul,)
    dtypes = BOTH

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Loops over the outputs, and how the operands are read for each."""
        op, graph, shape = layer.op, layer.graph, layer.output.shape
        assert isinstance(op, MatMul)
        shapes = {"left": graph.tensor(op.left).shape, "right": graph.tensor(op.right).shape}
        strides, steps = {"output": contiguous(shape)}, {}
        for (name, held), turned in zip(shapes.items(), op.transposed, strict=True):
            rows, columns = contiguous(held)[-2:][:: -1 if turned else 1]
            outer = broadcast((*held[:-2], 1, 1), (*shape[:-2], 1, 1))[:-2]
            area = held[-2] * held[-1]
            outer = tuple(step * area for step in outer)
            strides[name] = (*outer, rows, 0) if name == "left" else (*outer, 0, columns)
            steps[name] = columns if name == "left" else rows
        loops = nest(shape, strides)
        derived = op.parameters(graph)
        factor = derived.factor
        return {
            "sizes": loops.sizes,
            "at": loops.indices,
            "steps": steps,
            "depth": op.matrix_shapes(graph)[0][-1],
            "numbers": derived,
            "multiplier": int(reduced(factor.multiplier)) if layer.wide else factor.multiplier,
            "shift": 15 - factor.shift if layer.wide else -factor.shift,
        }

    def code_bytes(self, layer: Layer) -> int:
        """A nest of loops."""
        return 600

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Products, outputs."""
        return {"mac": layer.macs, "output": layer.output.elements}


KERNEL = MatrixMatrix()
