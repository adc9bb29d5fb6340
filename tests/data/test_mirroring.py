import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mcubuild.data.mirroring import survives_mirroring

Signs = tuple[NDArray[np.uint8], NDArray[np.int64]]
SHAPES = {
    "left": ((-2, -1, 7, 1), ((-7, 0), (-1, -5), (-1, 5))),
    "right": ((-7, -1, 2, 1), ((7, 0), (1, -5), (1, 5))),
    "up": ((-1, -2, 1, 7), ((0, -7), (-5, -1), (5, -1))),
    "bar": ((-7, -2, 7, 2), ()),
    "post": ((-2, -7, 2, 7), ()),
    "square": ((-5, -5, 5, 5), ()),
}
"""A rectangle and a triangle each."""


def _signs(names: tuple[str, ...], count: int = 30, seed: int = 0) -> Signs:
    """Shapes of any size, place and colour, on a ground of another."""
    rng, pictures, labels = np.random.default_rng(seed), [], []
    for _ in range(count):
        for label, name in enumerate(names):
            ground, ink = rng.integers(60), rng.integers(150, 256)
            image = Image.new("L", (128, 128), int(ground))
            draw = ImageDraw.Draw(image)
            size, (x, y) = rng.uniform(4, 7), rng.uniform(50, 78, 2)
            box, corners = SHAPES[name]
            draw.rectangle([size * v + at for v, at in zip(box, (x, y, x, y), strict=True)], fill=int(ink))
            if corners:
                draw.polygon([(size * right + x, size * down + y) for right, down in corners], fill=int(ink))
            pictures.append(np.asarray(image.resize((24, 24), Image.Resampling.BILINEAR))[..., np.newaxis])
            labels.append(label)
    return np.stack(pictures), np.array(labels)


def test_arrows_do_not_survive() -> None:
    assert not survives_mirroring(*_signs(("left", "right")))


def test_one_arrow_among_many_symmetric_signs_is_enough() -> None:
    symmetric = ("up", "bar", "post", "square")
    assert survives_mirroring(*_signs(symmetric))
    assert not survives_mirroring(*_signs((*symmetric, "left")))


def test_things_that_face_either_way_survive() -> None:
    """One class of arrows to both sides, one of bars."""
    x, y = _signs(("left", "right", "bar", "post"))
    assert survives_mirroring(x, y // 2)


@pytest.mark.parametrize("count", [60, 1797])
def test_digits_do_not_survive(count: int) -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    assert not survives_mirroring(x[:count], bunch.target[:count].astype(np.int64))


def test_nothing_is_concluded_from_what_cannot_be_told_apart() -> None:
    """Noise, blank pictures, a single class or a handful of samples."""
    rng = np.random.default_rng(0)
    noise = rng.integers(256, size=(300, 16, 16, 3)).astype(np.uint8)
    assert survives_mirroring(noise, rng.integers(3, size=300))
    assert survives_mirroring(np.zeros((50, 8, 8, 1), np.uint8), rng.integers(3, size=50))
    x, y = _signs(("left", "right"), 2)
    assert survives_mirroring(x, y)
    assert survives_mirroring(x, np.zeros_like(y))


def test_the_order_of_samples_may_be_that_of_classes() -> None:
    x, y = _signs(("left", "right", "up", "bar"))
    order = np.argsort(y, kind="stable")
    assert not survives_mirroring(x[order], y[order])
