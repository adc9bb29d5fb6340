import torch
from torch import nn

from mcubuild.nas.training.average import Average


def _filled(value: float) -> nn.Linear:
    network = nn.Linear(1, 1)
    _fill(network, value)
    return network


def _fill(network: nn.Linear, value: float) -> None:
    for parameter in network.parameters():
        nn.init.constant_(parameter, value)


def test_the_average_follows_the_weights_and_swaps_with_them() -> None:
    network = _filled(0)
    average = Average(network, 0.15)
    _fill(network, 1)
    average.update()  # the first decay is a tenth
    _fill(network, 2)
    average.update()
    average.swap()
    assert torch.allclose(network.weight, torch.tensor(0.15 * 0.9 + 0.85 * 2))
    average.swap()
    assert network.weight.item() == network.bias.item() == 2


def test_the_average_goes_on_from_its_state() -> None:
    network = _filled(1)
    average = Average(network, 0.9)
    _fill(network, 3)
    average.update()
    other = Average(_filled(7), 0.9)
    other.load_state_dict(average.state_dict())
    assert other.state_dict()["steps"] == 1
    assert torch.equal(other.state_dict()["weights"]["bias"], average.state_dict()["weights"]["bias"])
