"""Sizes, windows and rows: how operators lie on images."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[int, int]
"""Height, width."""
Padding: TypeAlias = tuple[int, int, int, int]
"""Top, bottom, left, right, in pixels; padded pixels hold the input's zero point."""


@dataclass(frozen=True)
class Rows:
    """How an operator's output rows read its input rows: windows of ``size`` rows, ``stride`` apart.

    The first window begins ``padding`` rows above the input.
    """

    rows: int
    """Output rows."""
    size: int = 1
    stride: int = 1
    padding: int = 0

    @property
    def above(self) -> int:
        """Padding rows that a window covers together with rows of the input: they take room in row buffers."""
        return min(self.padding, self.size - 1)

    def span(self, rows: int) -> int:
        """Input rows, padding included, that the windows of ``rows`` neighbouring output rows cover."""
        return (rows - 1) * self.stride + self.size

    def outside(self, first: int, rows: int, height: int) -> Pair:
        """Padding rows above and below an input of ``height`` rows that output rows from ``first`` on need."""
        begin = first * self.stride - self.padding
        return max(-begin, 0), max(begin + self.span(rows) - height, 0)


def height(shape: Shape) -> int:
    """Rows of a tensor: those of an image, (1, H, W, C); tensors of another rank are one row."""
    return shape[1] if len(shape) == 4 else 1


def same_padding(size: Pair, kernel: Pair, stride: Pair) -> Padding:
    """TensorFlow's SAME padding: output = ceil(size / stride), the odd pixel at the bottom and right.

    The kernel of a dilated convolution counts with its gaps (``dilated``).
    """
    total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(size, kernel, stride, strict=True)]
    return total[0] // 2, total[0] - total[0] // 2, total[1] // 2, total[1] - total[1] // 2


def dilated(kernel: Pair, dilation: Pair) -> Pair:
    """Height and width that a kernel with gaps covers."""
    return (kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1


def window_shape(size: Shape, kernel: Pair, stride: Pair, padding: Padding) -> Pair:
    """Height and width of what windows over an image (1, H, W, C) give."""
    top, bottom, left, right = padding
    return (size[1] + top + bottom - kernel[0]) // stride[0] + 1, (size[2] + left + right - kernel[1]) // stride[1] + 1


def windows(x: NDArray[Any], kernel: Pair, stride: Pair, dilation: Pair = (1, 1)) -> NDArray[Any]:
    """View (N, OH, OW, C, KH, KW) of the windows in x (N, H, W, C)."""
    every = sliding_window_view(x, dilated(kernel, dilation), axis=(1, 2))
    return every[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
