"""Trained weights from files."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from mcubuild.errors import BuildError
from mcubuild.nas.space.blocks import Described
from mcubuild.nas.training.network import Network, build_network


def read_network(arch: Described, path: Path) -> Network:
    """The network of ``arch`` with the weights in ``path``, in evaluation mode.

    Raises:
        BuildError: the file is missing or damaged, or holds the weights of another network.
    """
    network = build_network(arch)
    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise BuildError(f"{path}: cannot be read ({error}); delete it and build again.") from None
    except RuntimeError as error:
        problem = " ".join(str(error).split())
        raise BuildError(
            f"{path}: not the weights of {arch.name} ({problem[:200]}); delete it and build again."
        ) from None
    return network.eval()
