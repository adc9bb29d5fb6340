"""How good a network is with the weights that it inherits from the super network."""

from dataclasses import dataclass

from mcubuild.data.splits import Split
from mcubuild.nas.arch import Arch
from mcubuild.nas.evolution import Score
from mcubuild.nas.supernet import SuperNetwork
from mcubuild.nas.training import calibrate, evaluate


@dataclass(frozen=True, eq=False)
class Inherited:
    """Scores networks; can be sent to other processes and machines."""

    supernet: SuperNetwork
    calibration: Split
    """Training samples that batch norm's statistics are taken from."""
    val: Split
    """The samples to judge by."""

    def __call__(self, arch: Arch) -> Score:
        """The score of ``arch``, a function of the network alone where operations have one thread."""
        network = self.supernet.extract(arch)
        calibrate(network, self.calibration)
        accuracy, loss = evaluate(network, self.val)
        return Score(accuracy, -loss)
