"""Activations of 4 bits: a kernel of bytes computes them tile by tile, unpacked into the scratch and packed behind it.

A row is words of eight numbers: 0 to 3 in the lower halves of the four bytes, 4 to 7 in the upper ones, so that a word
becomes two words of bytes in a few instructions. The kernel of bytes computes outputs of 8 bits with the same scale and
zero point, and packing saturates them: the same numbers as those of a clamp to 4 bits.

Tiles are as small as costs little:

- runs of pixels, of operators that compute pixel by pixel;
- strips of rows, of kernels that stream, all channels or, where these do not depend on each other, eight at a time.
  Rows that the next strip needs once more stay, unpacked. So a strip's inputs are not needed any more when its outputs
  are written, and these may lie over them: strips go up if the output begins behind the input, as where both end at the
  same address, else down;
- otherwise the whole layer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from math import ceil
from typing import Any, Literal

import numpy as np

from mcubuild.board import CoreName
from mcubuild.engine.assembly.constants import Channels, Constants, channels
from mcubuild.engine.assembly.routine import Routine
from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer, align
from mcubuild.engine.target import Target
from mcubuild.ir.geometry import height
from mcubuild.ir.graph import Graph, Quantization, Tensor, packed_bytes
from mcubuild.ir.ops.elementwise import Elementwise
from mcubuild.ir.ops.reduction import Mean
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D

NUMBERS = 8
"""Numbers a word, and channels of a group."""
_PIXELS = 4
"""Of a run, at least: as many as kernels with the DSP extension compute together."""
_STRIP, _GROUP_STRIP = 4096, 2048
"""Bytes of unpacked inputs and outputs with which a strip has several rows of outputs: of all channels, of a group."""
_BEHIND = NUMBERS - 1
"""Bytes that unpacking a last word that is not full writes too many, and packing reads."""


@dataclass(frozen=True)
class Cut:
    """What a tile of a layer is."""

    columns: int = 0
    """Pixels of a run; 0: of no use here."""
    channels: int = 0
    """Of a group; 0: all together."""

    @classmethod
    def of(cls, layer: Layer) -> "Cut":
        """The smallest tiles that are whole words."""
        op, activations = layer.op, [layer.graph.tensor(name) for name in (*layer.op.operands, layer.op.output)]
        if any(len(tensor.shape) != 4 or tensor.name in layer.graph.constants for tensor in activations):
            return cls()
        width = layer.output.shape[2]
        if width >= _PIXELS and _by_pixel(layer):
            depths = [tensor.shape[3] for tensor in activations if tensor.packed]
            runs = (run for run in range(_PIXELS, width) if width % run == 0)
            whole = (run for run in runs if all(run * depth % NUMBERS == 0 for depth in depths))
            return cls(columns=next(whole, width))
        apart = isinstance(op, DepthwiseConv2D) and layer.filters == layer.input.shape[3] and layer.output.packed
        mean = isinstance(op, Mean) and op.axes == (1, 2)
        if (apart or mean) and layer.input.packed and layer.input.shape[3] % NUMBERS == 0:
            return cls(channels=NUMBERS)
        return cls()

    def tile(self, layer: Layer, number: int = 0) -> Layer:
        """The layer of bytes that computes a tile: of strips, in full height; of groups, that of the given number."""
        if (self, number) not in layer.known:
            layer.known[self, number] = self._tile(layer, number)
        found: Layer = layer.known[self, number]
        return found

    def _tile(self, layer: Layer, number: int) -> Layer:
        graph, op = layer.graph, layer.op
        names = dict.fromkeys((*op.operands, *op.constants, op.output))
        tensors: dict[str, Tensor] = {name: graph.tensor(name) for name in names}
        constants: dict[str, Any] = {name: graph.constants[name] for name in names if name in graph.constants}
        part = slice(number * self.channels, (number + 1) * self.channels)
        for name in (*op.operands, op.output):
            tensor, shape = tensors[name], tensors[name].shape
            if self.columns:
                shape = (1, 1, self.columns, shape[3])
            elif self.channels:
                shape = (*shape[:3], self.channels)
            tensors[name] = replace(tensor, shape=shape, bits=8 if tensor.packed else tensor.bits)
        for name in op.constants if self.channels else ():
            tensors[name] = _narrowed(tensors[name], part)
            if name in constants:
                constants[name] = np.ascontiguousarray(constants[name][..., part])
        inputs = tuple(dict.fromkeys(name for name in op.operands if name not in constants))
        return Layer(Graph("tile", tensors, (op,), inputs, (op.output,), constants), 0)

    def groups(self, layer: Layer) -> int:
        """How many groups of channels there are."""
        return layer.input.shape[3] // self.channels if self.channels else 1


@dataclass(frozen=True)
class View:
    """How tiles of an activation lie in it."""

    packed: bool
    rows: int
    """Of the activation."""
    elements: int
    """Of a row of a tile."""
    words: int
    """That these are, packed."""
    pitch: int
    """Bytes between rows."""
    step: int
    """Bytes between words of a row of a tile."""
    ctype: str


def _by_pixel(layer: Layer) -> bool:
    """Whether each pixel of the output depends on the same pixel of the operands."""
    op = layer.op
    if isinstance(op, Conv2D):
        return layer.kernel_size == op.stride == (1, 1) and not any(op.padding)
    return isinstance(op, Elementwise) and all(layer.graph.tensor(n).shape == layer.output.shape for n in op.operands)


def _narrowed(tensor: Tensor, part: slice) -> Tensor:
    """Weights or biases of some channels, which come last."""
    quantization = tensor.quantization
    if quantization is not None and len(quantization.scale) > 1:
        quantization = Quantization(quantization.scale[part], quantization.zero_point, quantization.axis)
    return replace(tensor, shape=(*tensor.shape[:-1], part.stop - part.start), quantization=quantization)


class Packed(Kernel):
    """Any operator that a kernel of bytes computes."""

    template = "packed"

    def __init__(self, inner: Kernel, cut: Cut, layer: Layer) -> None:
        """Around the kernel ``inner``, which computes a tile of ``layer``."""
        self.inner, self.cut, self.settings = inner, cut, inner.settings
        self.kind, self.family = f"packed_{inner.kind}", inner.family or inner.kind
        images = all(len(layer.graph.tensor(name).shape) == 4 for name in (*layer.op.operands, layer.op.output))
        self.form: Literal["pixels", "rows", "whole"] = (
            "pixels" if cut.columns else "rows" if inner.streams and images else "whole"
        )
        self.streams = self.form != "whole"

    def tile(self, layer: Layer) -> Layer:
        """The layer that the kernel inside computes."""
        return self.cut.tile(layer)

    def in_bytes(self, layer: Layer) -> Layer:
        """The same with all groups of channels."""
        return Cut(self.cut.columns).tile(layer)

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """Packed operands that each tile has read as far as it writes."""
        op, graph = layer.op, layer.graph
        if not layer.output.packed:
            return ()
        if self.form != "whole" and isinstance(op, Elementwise):
            return tuple(name for name in op.operands if graph.tensor(name).packed)
        if not (self.form == "rows" and isinstance(op, DepthwiseConv2D) and layer.input.packed):
            return ()
        (_, rows, columns, channels), (_, height, width, depth) = layer.output.shape, layer.input.shape
        behind = rows <= height and columns * channels <= width * depth and op.padding[0] < layer.kernel_size[0]
        return (op.input,) if behind else ()

    def _strip(self, layer: Layer) -> int:
        """Rows of outputs a strip."""
        if self.form != "rows":
            return layer.vertical.rows
        if Packed not in layer.known:
            layer.known[Packed] = self._highest_strip(layer)
        found: int = layer.known[Packed]
        return found

    def _highest_strip(self, layer: Layer) -> int:
        """The same of a kernel that streams; how it cuts the layer depends on the layer alone."""
        rows = layer.vertical.rows
        # Strips of a group should not take more than what packing saves.
        most = min(_GROUP_STRIP, max(layer.input.nbytes, layer.output.nbytes)) if self.cut.channels else _STRIP
        strips = range(2, rows + 2, 2)
        fitting = [*takewhile(lambda strip: sum(self._buffers(layer, min(strip, rows))) <= most, strips)]
        return min(max(fitting, default=2 if self.cut.channels else 1), rows)

    def _buffers(self, layer: Layer, rows: int) -> list[int]:
        """Bytes of each operand and of the output of a tile, unpacked; 0 of those that lie elsewhere as bytes."""
        tile, op = self.tile(layer), layer.op
        sizes = []
        for name in (*op.operands, op.output):
            inside = tile.graph.tensor(name)
            elements = inside.elements
            if self.form == "rows":
                elements = elements // height(inside.shape) * (rows if name == op.output else tile.vertical.span(rows))
            sizes.append(align(elements + _BEHIND) if layer.graph.tensor(name).packed else 0)
        return sizes

    def _called(self, layer: Layer, rows: int | None) -> int:
        """Rows that a tile has in a call of ``rows`` rows."""
        return min(self._strip(layer), rows or layer.vertical.rows)

    def scratch_bytes(self, layer: Layer, rows: int | None = None) -> int:
        """The unpacked tile, and what the kernel inside takes."""
        return sum(self._buffers(layer, self._called(layer, rows))) + self._inner_scratch(layer, rows)

    def _inner_scratch(self, layer: Layer, rows: int | None = None) -> int:
        return self.inner.scratch_bytes(self.tile(layer), self._called(layer, rows) if self.form == "rows" else None)

    def constants(self, layer: Layer, channels: Channels) -> Constants:
        """Those of the kernel inside; group by group."""
        first, *others = (self._constants(layer, group) for group in range(self.cut.groups(layer)))
        return replace(first, others=tuple(other.fields for other in others))

    def _constants(self, layer: Layer, group: int) -> Constants:
        tile = self.cut.tile(layer, group)
        return self.inner.constants(tile, channels(tile))

    def constant_bytes(self, layer: Layer) -> int:
        """Those of the kernel inside; group by group."""
        return self.cut.groups(layer) * self.inner.constant_bytes(self.tile(layer))

    def routines(self, layer: Layer) -> tuple[Routine, ...]:
        """Those of the kernel inside."""
        return self.inner.routines(self.tile(layer))

    def context(self, layer: Layer) -> Mapping[str, object]:
        """How tiles lie in memory."""
        op, window = layer.op, layer.vertical
        return {
            "form": self.form,
            "operands": [{**vars(self._view(layer, name)), "number": index} for index, name in enumerate(op.operands)],
            "output": vars(self._view(layer, op.output)),
            "groups": self.cut.groups(layer),
            "runs": layer.output.shape[2] // self.cut.columns if self.cut.columns else 0,
            "strip": self._strip(layer),
            "size": window.size,
            "stride": window.stride,
            "behind": _BEHIND + 3,
            "scratch": self._inner_scratch(layer),
            "takes_scratch": self.scratch_bytes(layer) > 0,
            "takes_rows": self.inner.streams,
            "buffers": self._buffers(layer, self._strip(layer)),
        }

    def _view(self, layer: Layer, name: str) -> View:
        """An activation that the layer reads or writes."""
        tensor, inside = layer.graph.tensor(name), self.tile(layer).graph.tensor(name)
        rows, elements = height(tensor.shape), inside.elements // height(inside.shape)
        step = packed_bytes(tensor.shape[3]) if self.cut.channels else 4
        words = ceil(elements / NUMBERS)
        return View(tensor.packed, rows, elements, words, tensor.nbytes // rows, step, f"{tensor.dtype}_t")

    def code_bytes(self, layer: Layer) -> int:
        """The kernel inside, and the loops around it, in which compilers make more of a portable kernel."""
        rows = 550 if self.routines(layer) else 1100
        return self.inner.code_bytes(self.tile(layer)) + {"pixels": 250, "rows": rows, "whole": 200}[self.form]

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Words unpacked and packed, and the rows of tiles that these are in; tiles; bytes that stay; calls."""
        groups, rows = self.cut.groups(layer), layer.vertical.rows
        runs = rows * (layer.output.shape[2] // self.cut.columns) if self.form == "pixels" else 0
        strips = ceil(rows / self._strip(layer))
        stay = max(layer.vertical.size - layer.vertical.stride, 0) * (strips - 1) * groups if self.form == "rows" else 0
        inputs = [view for name in layer.op.operands if (view := self._view(layer, name)).packed]
        outputs = [view for view in [self._view(layer, layer.op.output)] if view.packed]
        unpacked, packed = ([runs or groups * view.rows for view in views] for views in (inputs, outputs))
        return {
            "call": 1,
            "tile": runs or strips * groups,
            "unpack": sum(unpacked),
            "unpacked": sum(lines * view.words for lines, view in zip(unpacked, inputs, strict=True)),
            "pack": sum(packed),
            "packed": sum(lines * view.words for lines, view in zip(packed, outputs, strict=True)),
            "kept": sum(stay * view.elements for view in inputs),
        }

    def cycles_inside(self, layer: Layer, core: CoreName) -> int:
        """Those of the kernel inside, tile by tile."""
        tile, rows = self.tile(layer), layer.vertical.rows
        if self.form == "pixels":
            return rows * (layer.output.shape[2] // self.cut.columns) * self.inner.cycles(tile, core)
        whole, rest = divmod(rows, self._strip(layer))
        strips = whole * self.inner.cycles(tile.part(self._strip(layer)), core)
        return self.cut.groups(layer) * (strips + (self.inner.cycles(tile.part(rest), core) if rest else 0))


def packed(layer: Layer, target: Target, serving: Callable[[Layer, Target], list[Kernel]]) -> list[Kernel]:
    """The kernels that can compute a layer with activations of 4 bits: around those that serve all of its tiles."""
    cut = Cut.of(layer)
    found = serving(cut.tile(layer), target)
    if layer.graph.constants:
        for group in range(1, cut.groups(layer)):
            kinds = {kernel.kind for kernel in serving(cut.tile(layer, group), target)}
            found = [kernel for kernel in found if kernel.kind in kinds]
    return [Packed(kernel, cut, layer) for kernel in found]
