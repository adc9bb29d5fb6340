"""Small float networks with random weights and batch norm far from its defaults."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from mcubuild.data.splits import Split
from mcubuild.nas.space.arch import Arch, Space, draw, smallest
from mcubuild.nas.space.skeleton import LayerBits
from mcubuild.nas.training.batches import at_resolution
from mcubuild.nas.training.network import Network, build_network
from mcubuild.nas.training.recipe import calibrate
from mcubuild.quant.quantize import quantize
from mcubuild.resolution import Resolution, square
from mcubuild.spec.quantize import QuantizeSettings
from mcubuild.tasks.classification.learning import ClassLearning

NATIVE = 10
SIDE = square(12)


def random_samples(seed: int, count: int, channels: int = 1, classes: int = 5) -> Split:
    """Smooth random images: blobs of light on noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 200, (count, 3, 3, channels))
    x = coarse.repeat(4, axis=1).repeat(4, axis=2)[:, :NATIVE, :NATIVE] + rng.integers(0, 56, (NATIVE, NATIVE, 1))
    return Split(x.astype(np.uint8), rng.integers(0, classes, count).astype(np.int64))


def random_network(seed: int, channels: int = 1, resolution: Resolution = SIDE) -> tuple[Arch, Network]:
    """A network whose layers have lively outputs: its statistics are its own, scale and shift are random."""
    space = Space(width=0.2, resolution=resolution, channels=channels, classes=5)
    # As few blocks as there may be, but with the kernels and expansions of a random network.
    fewest = [len(stage) for stage in smallest(space).stages]
    drawn = draw(space, np.random.default_rng(seed)).stages
    arch = Arch(space, tuple(stage[:count] for stage, count in zip(drawn, fewest, strict=True)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_network(arch)
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.weight.uniform_(0.3, 1.7)
                    module.weight[0] *= -1
                    module.bias.normal_(0.3, 0.6)
            network.classifier.weight.normal_(0, 0.3)
            assert network.classifier.bias is not None
            network.classifier.bias.normal_(0, 0.3)
    calibrate(network, at_resolution(random_samples(seed, 64, channels), resolution))
    return arch, network


def write_weights(network: Network, path: Path) -> Path:
    """The file that fine-tuning writes."""
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)
    return path


def quantize_random(arch: Arch, weights: Path, settings: QuantizeSettings, bits: LayerBits, out: Path) -> None:
    """Quantise with random samples."""
    train, val = (random_samples(seed, 60, arch.space.channels) for seed in (1, 2))
    quantize(
        arch,
        weights,
        train,
        val,
        settings,
        bits=bits,
        learning=ClassLearning("drawings"),
        seed=0,
        out=out,
        work=out / "work",
    )
