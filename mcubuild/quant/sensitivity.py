"""What each layer's narrower weights cost: how far the network's answers move when that layer alone has them.

Dong et al., "HAWQ-V2" (arXiv 1911.03852), weigh layers by the trace of the loss's Hessian; here the loss itself is
measured. It is the divergence from the answers of the network in floating point, which no label's noise is in, and
near zero adds up over layers whose errors are independent.
"""

import copy
from collections.abc import Iterable, Mapping

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from torch import Tensor

from mcubuild.data.splits import Split
from mcubuild.nas.training.batches import image_batches
from mcubuild.nas.training.network import Network
from mcubuild.nas.training.recipe import calibrate, workers
from mcubuild.progress import bar
from mcubuild.quant.grid import put_on_grid


class Sensitivity:
    """Judges a network whose layers have weights of given widths by the answers of the network as it is.

    Batch norm is estimated anew from the calibration samples each time, for the network as it is, too: that is what
    quantisation does.
    """

    def __init__(self, network: Network, calibration: Split, val: Split) -> None:
        """Keep the answers of ``network``, float and in evaluation mode, to ``val``; both at its resolution."""
        self._network, self._calibration, self._val = network, calibration, val
        self._answers = self._logits({})

    def of_each(self, names: Iterable[str], bits: int) -> dict[str, float]:
        """The ``divergence`` with weights of ``bits`` bits in one layer alone, by the layer's name."""
        names = list(names)
        with bar("sensitivity", len(names)) as progress, workers() as executor:
            found = {}
            for name, value in zip(names, executor.map(lambda name: self.divergence({name: bits}), names), strict=True):
                found[name] = value
                progress.advance()
        return found

    def divergence(self, bits: Mapping[str, int]) -> float:
        """Mean Kullback-Leibler divergence in nats of the answers with these widths; layers not named are float."""
        return _divergence(self._answers, self._logits(bits))

    def judge(self, bits: Mapping[str, int]) -> tuple[float, float]:
        """The ``divergence``, and the accuracy (0 ... 1), with these widths."""
        logits = self._logits(bits)
        right = np.mean(logits.argmax(dim=1).numpy() == self._val.y)
        return _divergence(self._answers, logits), float(right)

    @torch.no_grad()
    def _logits(self, bits: Mapping[str, int]) -> Tensor:
        network = copy.deepcopy(self._network)
        put_on_grid(network, bits)
        calibrate(network, self._calibration)
        return torch.cat([network(images) for images in image_batches(self._val)]).double()


def _divergence(expected: Tensor, found: Tensor) -> float:
    logs = F.log_softmax(expected, dim=1), F.log_softmax(found, dim=1)
    return float(F.kl_div(logs[1], logs[0], reduction="batchmean", log_target=True))
