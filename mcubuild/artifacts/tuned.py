"""tune.json: which kernel computes each layer fastest, measured."""

from mcubuild.artifacts import Artifact

TUNED = "tune.json"


class TunedLayer(Artifact, frozen=True):
    """A layer that several kernels can compute."""

    kernel: str
    """The fastest."""
    cycles: dict[str, int]
    """Of each kernel."""


class Tuned(Artifact, frozen=True):
    """The whole file."""

    layers: dict[str, TunedLayer]
    """By the tensor that they write."""

    @property
    def kernels(self) -> dict[str, str]:
        """The fastest kernels, by their layer's output."""
        return {name: layer.kernel for name, layer in self.layers.items()}
