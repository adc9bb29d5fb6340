"""What a kernel is: a family of specialised C functions for some operators, with its needs and its costs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mcubuild.board import CoreName
from mcubuild.cores.costs import costs_of, uncosted
from mcubuild.engine.assembly.constants import Channels, Constants, Field
from mcubuild.engine.assembly.routine import Routine
from mcubuild.engine.layer import Layer, align
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Dtype, Op
from mcubuild.spec.engine import EngineSettings

UNFUSED_BYTES = 900
"""Upper estimate of the code of separate passes."""
CHANNEL_BYTES = 4 + 4 + 1
"""Constants that every output channel has besides its weights: bias, multiplier, shift."""
WIDE_BYTES = 4
"""What a bias of 64 bits takes besides."""
BOTH: frozenset[Dtype] = frozenset({"int8", "int16"})
"""Types that portable kernels of all activations serve."""


class Kernel(ABC):
    """One kernel family; its C stands in ``kernels_templates/model/<kind>.c.j2``.

    All methods work on skeletons, except ``arrange``, ``constants`` and the values that ``context`` may add.
    """

    kind: str
    """Name of the template, and part of the C functions' names."""
    template: str = ""
    """Of the C, where that is not called like the kind; also whose costs it has then."""
    family: str = ""
    """The kind to show in reports, for kernels that are a faster form of another; empty: ``kind``."""
    ops: ClassVar[tuple[type[Op], ...]] = ()
    """Operators that it computes whatever their shapes; kernels that look closer say so in ``serves``."""
    common: ClassVar[str] = ""
    """Whose costs it shares with other kernels, besides its own; empty: nobody's."""
    dtypes: ClassVar[frozenset[Dtype]] = frozenset({"int8"})
    """Types that activations may have."""
    offsets: ClassVar[bool] = False
    """Whether weights may have a zero point, ``weight_offset`` in the template."""
    settings: EngineSettings = EngineSettings()
    """The switches; portable kernels know those of their loops."""
    streams: bool = False
    """Whether the C function computes any run of output rows. It then takes, behind its other arguments, ``rows`` (how
    many), ``top`` and ``bottom`` (how many rows of padding their windows reach into above and below); ``input`` points
    at the first row that their windows need and that exists, ``output`` at the first row to write. Rows have no
    alignment but that of their length. Where the output may be written over the input (``overwrites``), it may also
    begin where the first window does: ``top`` rows of the input before ``input``."""

    def switched(self, settings: EngineSettings) -> Self:
        """The kernel with the switches of ``settings``."""
        kernel = copy(self)
        kernel.settings = settings
        return kernel

    @property
    def together(self) -> int:
        """Pixels, and filters, that a portable kernel computes at a time."""
        return 2 if self.settings.tiling else 1

    @property
    def passes_bytes(self) -> int:
        """Code of the passes that a portable kernel makes if they are not fused."""
        return 0 if self.settings.fusion else UNFUSED_BYTES

    def serves(self, layer: Layer, target: Target) -> bool:
        """Whether the kernel can compute ``layer`` on ``target``."""
        return isinstance(layer.op, self.ops)

    def scratch_bytes(self, layer: Layer, rows: int | None = None) -> int:
        """Bytes of working memory in the arena for a call of ``rows`` output rows (None: of the whole layer)."""
        return 0

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """Activations over which the output may be written: both begin, or both end, at the same address."""
        return ()

    def weight_bytes(self, layer: Layer) -> int:
        """Bytes that ``arrange`` makes of the weights; 0 for operators without."""
        return 0

    def arrange(self, layer: Layer, weights: NDArray[np.int8]) -> NDArray[np.int8]:
        """The weights in the order in which the C reads them, int8 (weight_bytes,), narrower ones packed.

        Args:
            layer: the layer.
            weights: one element an int8, in the graph's shape and order.
        """
        raise TypeError(f"{self.kind} has no weights")

    def constants(self, layer: Layer, channels: Channels) -> Constants:
        """What the C reads of the layer's constants; ``constant_bytes`` says their size without any values."""
        weights = self.arrange(layer, channels.weights)
        name = f"filters_{layer.filters}_of_{len(weights)}"
        bias: tuple[Field, ...] = (Field("int32_t", "bias", channels.bias.astype(np.int32)),)
        if channels.wide:  # in halves, as structs with words of 64 bits would be aligned to 8 bytes
            name = f"wide_{name}"
            bias = (*bias, Field("int32_t", "bias_high", (channels.bias >> 32).astype(np.int32)))
        return Constants(
            name,
            (
                *bias,
                Field("int32_t", "multiplier", channels.multiplier),
                Field("int8_t", "shift", channels.shift),
                Field("int8_t", "weights", weights),
            ),
        )

    def constant_bytes(self, layer: Layer) -> int:
        """Bytes in Flash of the layer's struct of constants, and of operands that are constants."""
        weights = self.weight_bytes(layer)
        if weights:
            weights += (CHANNEL_BYTES + WIDE_BYTES * layer.wide) * layer.filters
        own = align(weights)
        return own + sum(align(operand.nbytes) for operand in layer.constant_operands)

    def routines(self, layer: Layer) -> tuple[Routine, ...]:
        """Inner loops in assembly that the C calls."""
        return ()

    @abstractmethod
    def context(self, layer: Layer) -> Mapping[str, object]:
        """Names that the template uses besides the common ones (``codegen.body``)."""

    @abstractmethod
    def code_bytes(self, layer: Layer) -> int:
        """Upper estimate of the compiled function's bytes at -O2, without its routines, from the largest of many."""

    @abstractmethod
    def work(self, layer: Layer) -> Mapping[str, int]:
        """How often each feature occurs that has a cost on a core (``mcubuild.cores.costs``)."""

    @property
    def costed(self) -> tuple[str, ...]:
        """Whose costs they are: those that it has in common with others, and its own."""
        own = self.template or self.kind
        return (self.common, own) if self.common else (own,)

    def cycles(self, layer: Layer, core: CoreName) -> int:
        """Estimated cycles of ``layer``.

        Raises:
            BuildError: a feature of its work has no cost.
        """
        costs, times = costs_of(core, self.costed)
        work = self.work(layer)
        try:
            own = round(times * sum(costs[feature] * count for feature, count in work.items()))
        except KeyError:
            raise uncosted(core, self.costed, work) from None
        return own + self.cycles_inside(layer, core)

    def cycles_inside(self, layer: Layer, core: CoreName) -> int:
        """Estimated cycles of another kernel's function that it calls."""
        return 0


def products(layer: Layer, feature: str = "mac") -> str:
    """The cost model's ``feature`` that counts multiply-accumulates: unpacking narrow weights takes time."""
    return feature if layer.weights.bits == 8 else f"{feature}{layer.weights.bits}"


def matrix_products(layer: Layer, pixels: int) -> dict[str, int]:
    """Multiply-accumulates in tiles of two pixels by two filters; and "lone" ones, of a pixel that is left over."""
    lone = layer.macs // pixels if pixels % 2 else 0
    return {products(layer): layer.macs - lone, products(layer, "lone"): lone}


def loops(count: int) -> int:
    """Copies of a loop body that takes ``count`` things two by two: one more for an odd last one."""
    return 1 if count == 1 else 1 + count % 2
