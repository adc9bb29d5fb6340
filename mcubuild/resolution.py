"""Height and width of pictures and maps as one value."""

from dataclasses import dataclass
from math import sqrt
from typing import Any


@dataclass(frozen=True)
class Resolution:
    """Pixels in both directions; series of values are one pixel wide. In order of their areas."""

    height: int
    width: int

    @property
    def pixels(self) -> int:
        """All of them."""
        return self.height * self.width

    @property
    def longer(self) -> int:
        """The longer side."""
        return max(self.height, self.width)

    @property
    def side(self) -> float:
        """That of a square with as many pixels; of series their length."""
        return self.height if self.width == 1 else sqrt(self.pixels)

    def reduced(self, stride: int) -> "Resolution":
        """Of the map that a window leaves at such steps, where borders are padded: ceil(sides / stride)."""
        return Resolution(-(-self.height // stride), -(-self.width // stride))

    def covers(self, other: "Resolution") -> bool:
        """Whether it is as high and as wide at least."""
        return self.height >= other.height and self.width >= other.width

    def __lt__(self, other: "Resolution") -> bool:
        return (self.pixels, self.height) < (other.pixels, other.height)

    def __str__(self) -> str:
        """Height and width, "128x160"; one number of squares, and of series their length."""
        return f"{self.height}" if self.width in (self.height, 1) else f"{self.height}x{self.width}"


def square(side: int) -> Resolution:
    """As high as wide."""
    return Resolution(side, side)


def parse_resolution(value: Any) -> Resolution:
    """That of a side in pixels, or of a height and width such as "128x160".

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, Resolution):
        return value
    sides = value.split("x") if isinstance(value, str) else [value]
    if len(sides) <= 2 and all(type(side) is int or (isinstance(side, str) and side.isdecimal()) for side in sides):
        return Resolution(int(sides[0]), int(sides[-1]))
    raise ValueError(f'found {value!r}; write a side in pixels, 128, or height x width, "128x160"')
