"""Exponential moving average of a network's weights."""

from typing import Any

import torch
from torch import Tensor, nn


class Average:
    """The average of a network's parameters over the steps, recent ones counting most.

    In early steps the decay is (1 + step) / (10 + step), if that is less, so that the average soon forgets the fresh
    weights (the rule of TensorFlow's ``ExponentialMovingAverage``). Batch norm's statistics are not averaged: they must
    be calibrated.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._network, self._decay, self._steps = network, decay, 0
        self._weights = {name: value.detach().clone() for name, value in network.named_parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """Count the network's weights in."""
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        self._steps += 1
        for name, value in self._network.named_parameters():
            self._weights[name].lerp_(value, 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the network's weights with their average; a second call undoes it."""
        for name, value in self._network.named_parameters():
            kept = value.clone()
            value.copy_(self._weights[name])
            self._weights[name].copy_(kept)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a step changes."""
        return {"steps": self._steps, "weights": self._weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set what ``state_dict`` gave."""
        self._steps = state["steps"]
        weights: dict[str, Tensor] = state["weights"]
        for name, value in weights.items():
            self._weights[name].copy_(value)
