"""Images, signals as images of one row, and windows that slide over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcubuild.importers.builder import UnsupportedError
from mcubuild.importers.lowering.lowering import Lowering
from mcubuild.importers.lowering.place import Placed, channels_last
from mcubuild.importers.program import Call

_LARGEST = 4096
"""Of windows, strides and dilations: more than any image has pixels."""


@dataclass(frozen=True)
class Window:
    """How a window slides over an image."""

    size: tuple[int, int]
    """Height and width of the result."""
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: tuple[int, int, int, int]
    """Top, bottom, left, right."""

    @property
    def options(self) -> Mapping[str, int]:
        """As operators of the file have them."""
        return {
            "StrideH": self.stride[0],
            "StrideW": self.stride[1],
            "DilationHFactor": self.dilation[0],
            "DilationWFactor": self.dilation[1],
            "FilterHeight": self.kernel[0],
            "FilterWidth": self.kernel[1],
            **self.padding(self.pads),
        }

    @staticmethod
    def padding(pads: tuple[int, int, int, int]) -> Mapping[str, int]:
        """Top, bottom, left, right, beside which the schema's two kinds of padding do not count."""
        return dict(zip(("PadTop", "PadBottom", "PadLeft", "PadRight"), pads, strict=True))


def image(lowering: Lowering, call: Call, x: Placed) -> Placed:
    """``x`` with channels last, of shape (1, C, H, W) in the program; a signal (1, C, W) has a height of 1.

    Raises:
        UnsupportedError: it has other axes, or a batch.
    """
    if len(x.shape) not in (3, 4) or x.shape[0] != 1:
        raise UnsupportedError(f"is supported on (1, channels, height, width), not on {x.shape}")
    x = lowering.arranged(call, x, channels_last(len(x.shape)))
    if len(x.shape) == 4:
        return x
    return lowering.reshaped(call, x, (1, x.shape[1], 1, x.shape[2]), channels_last(4))


def restored(lowering: Lowering, call: Call, x: Placed, rank: int) -> Placed:
    """What ``image`` made of a value with ``rank`` axes, with these axes."""
    if rank == 4:
        return x
    return lowering.reshaped(call, x, (1, x.shape[1], x.shape[3]), channels_last(3))


def window_of(call: Call, shape: Sequence[int], kernel: Sequence[int], *, signal: bool) -> Window:
    """The window that the options say.

    Args:
        call: the operator.
        shape: of the image (1, C, H, W).
        kernel: height and width of the window.
        signal: whether the program's operand has one axis besides channels, so that its options are of that.

    Raises:
        ValueError: options that make no sense.
    """

    def pair(option: str) -> tuple[int, int]:
        found = tuple(call.options.get(option) or (1,) * (1 if signal else 2))
        if len(found) != (1 if signal else 2) or not all(0 < each <= _LARGEST for each in found):
            raise ValueError(f"has {option} {found}")
        return (1, found[0]) if signal else (found[0], found[1])

    stride, dilation, reach = pair("strides"), pair("dilations"), (kernel[0], kernel[1])
    spans = [(size - 1) * gap + 1 for size, gap in zip(reach, dilation, strict=True)]
    pads = _pads(call, shape, spans, stride, signal)
    sizes = []
    for axis in (0, 1):
        free = shape[2 + axis] + pads[2 * axis] + pads[2 * axis + 1] - spans[axis]
        if free < 0:
            raise ValueError(f"has a window of {spans} over {tuple(shape[2:])} with pads {pads}")
        if call.options.get("ceil_mode") and free % stride[axis]:
            # A window that begins beyond what was padded at the end does not count.
            count = -(-free // stride[axis])
            if count * stride[axis] < shape[2 + axis] + pads[2 * axis]:
                pads[2 * axis + 1] += count * stride[axis] - free
                free = count * stride[axis]
        sizes.append(free // stride[axis] + 1)
    return Window((sizes[0], sizes[1]), reach, stride, dilation, (pads[0], pads[1], pads[2], pads[3]))


def _pads(call: Call, shape: Sequence[int], spans: Sequence[int], stride: Sequence[int], signal: bool) -> list[int]:
    """Top, bottom, left, right."""
    automatic = call.options.get("auto_pad", "NOTSET")
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        pads = []
        for axis in (0, 1):
            size = shape[2 + axis]
            total = max((-(-size // stride[axis]) - 1) * stride[axis] + spans[axis] - size, 0)
            first = total // 2 if automatic == "SAME_UPPER" else total - total // 2
            pads += [first, total - first]
        return pads
    found = list(call.options.get("pads") or (0,) * (2 if signal else 4))
    if automatic == "VALID":
        found = [0] * len(found)
    if len(found) != (2 if signal else 4) or not all(0 <= pad <= _LARGEST for pad in found):
        raise ValueError(f"has pads {tuple(found)}")
    return [0, 0, *found] if signal else [found[0], found[2], found[1], found[3]]
