"""A network that puts out what it reads, and how its errors are judged."""

from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.ir.graph import Graph
from mcubuild.tasks.anomaly_detection.errors import Errors

FRAMES, BANDS = 4, 6
VALUES = FRAMES * BANDS
ERRORS = {
    "usual": Errors(VALUES, 0.9, -100, threshold=1234),
    "coarse": Errors(VALUES, 40.0, 127),
    "fine": Errors(VALUES, 0.01, 5),
}


def autoencoder() -> Graph:
    sketch = Sketch((1, FRAMES, 1, BANDS))
    sketch.conv(sketch.conv("input", 8, FRAMES, FRAMES), VALUES)
    return with_random_values(sketch.graph())
