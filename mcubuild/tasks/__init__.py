"""What networks are for: a room a task, which alone knows what its answers are and how good they are.

A room is a package here, named in ``ROOMS``. Each of its modules gives what the module of the same name beside this one
asks for, so that a stage reaches what it needs of a task and nothing else:

- ``learning``: targets, loss, score and variation, for those that train (with PyTorch);
- ``reading``: what the bytes of a network's outputs say, and how good that is (with NumPy);
- ``answers``: what they say in words, for whoever sits before a board;
- ``section``: what the report shows.

Search, quantisation, measurement and report know a score: a share, 0 to 1, of which more is better.
"""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Final

from mcubuild.tasks.interval import wilson

ROOMS: Final = {
    "image_classification": "classification",
    "audio_classification": "classification",
    "sensor_classification": "classification",
    "object_detection": "detection",
    "anomaly_detection": "anomaly_detection",
}
"""The room of each task that a spec may have."""
DEFAULT: Final = "image_classification"
"""The task of a network that somebody brought, where nothing says another one."""


@dataclass(frozen=True)
class Metric:
    """What a score is."""

    name: str
    """Such as ``accuracy``."""
    meaning: str
    """Of which share it is, such as ``test samples classified correctly``."""
    interval: str
    """How the 95 % interval comes about, such as ``Wilson``."""
    hits: str
    """What a training counts, for the legend of its curve; a share of its samples or of what is on them."""
    counted: bool
    """Whether it is a share of samples, so that it and their number give its interval."""

    def ends(self, score: float, samples: int) -> tuple[float, float] | None:
        """Of the 95 % interval of a ``score`` on so many samples; ``None`` where these two do not say it."""
        return wilson(score, samples) if self.counted else None


def in_room(task: str, asking: str) -> ModuleType:
    """The module of the task's room that is called like the module ``asking``: its ``__name__``."""
    return import_module(f"{__name__}.{ROOMS[task]}.{asking.rpartition('.')[2]}")
