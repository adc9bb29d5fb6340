"""How good a network is with the weights that it inherits from the super network."""

from collections.abc import Mapping
from dataclasses import dataclass

from mcubuild.data.splits import Split
from mcubuild.nas.search.evolution import Score
from mcubuild.nas.space.arch import Arch
from mcubuild.nas.training.recipe import calibrate, device, evaluate
from mcubuild.nas.training.supernet import SuperNetwork
from mcubuild.resolution import Resolution
from mcubuild.tasks.learning import Learning


@dataclass(frozen=True, eq=False)
class Inherited:
    """Scores networks; can be sent to other processes and machines."""

    supernet: SuperNetwork
    """On the CPU."""
    learning: Learning
    samples: Mapping[Resolution, tuple[Split, Split]]
    """By resolution: training samples that batch norm's statistics are taken from, and the samples to judge by."""

    def __call__(self, arch: Arch) -> Score:
        """The score of ``arch``, on a GPU if there is one: a function of the network if operations have one thread."""
        network = self.supernet.extract(arch).to(device())
        calibration, val = self.samples[arch.resolution]
        calibrate(network, calibration)
        score, loss = evaluate(network, val, self.learning)
        return Score(score, -loss)
