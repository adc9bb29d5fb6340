"""The inputs that a firmware is run on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.resize import network_input
from mcubuild.data.splits import read_split
from mcubuild.resolution import Resolution


def read_samples(files: Mapping[str, Path], shape: Sequence[int]) -> NDArray[np.int8]:
    """Inputs int8 (N, ...): those prepared for an imported network, or else the images of the test split.

    Args:
        files: ``inputs.npy`` or ``test.npz``, by name.
        shape: of the network's input, (1, height, width, channels) where there are images.

    Raises:
        BuildError: a file is missing or damaged.
    """
    if "inputs.npy" in files:
        inputs: NDArray[np.int8] = np.load(files["inputs.npy"])
        return inputs
    return network_input(read_split(files["test.npz"]).x, Resolution(*shape[1:3]))
