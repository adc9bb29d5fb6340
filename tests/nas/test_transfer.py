"""What one super network hands on to another."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mcubuild.nas.space.arch import Space, largest
from mcubuild.nas.training.network import ConvNorm
from mcubuild.nas.training.supernet import SuperNetwork, fresh, share
from mcubuild.nas.training.transfer import Known, carry, carry_rows, for_channels, shared_classes, warm_start
from mcubuild.resolution import square

SPACE = Space(width=0.3, resolution=square(16), channels=1, classes=3, count=2)
CLASSES = ("a", "b", "c")


def learned(space: Space, classes: tuple[str, ...] = CLASSES) -> tuple[Known, SuperNetwork]:
    """A super network none of whose weights has the value that it began with."""
    network = fresh(space, 5)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.ndim:
                value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    return Known(space, classes, network.state_dict()), network


def started(known: Known, space: Space, out: Path, classes: tuple[str, ...] = CLASSES) -> SuperNetwork:
    out.mkdir(exist_ok=True)
    warm_start(known, space, classes, kernel_transform=False, seed=1, out=out)
    network = SuperNetwork(space)
    network.load_state_dict(load_file(out / "start.safetensors"))
    return network


def test_the_same_space_and_classes_carry_everything(tmp_path: Path) -> None:
    known, network = learned(SPACE)
    begun = started(known, SPACE, tmp_path)
    assert all(torch.equal(value, known.weights[name]) for name, value in begun.state_dict().items())
    told = json.loads((tmp_path / "start.json").read_text())
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert told == {"space": "w0.3-r16-s2", "weights": weights, "carried": weights, "classes": ["a", "b", "c"]}


def test_a_resolution_does_not_matter_to_channels(tmp_path: Path) -> None:
    known, _ = learned(SPACE)
    begun = started(known, replace(SPACE, resolution=square(32)), tmp_path)
    for name, value in begun.state_dict().items():
        if not name.startswith("classifier"):
            wanted = known.weights[name]
            assert torch.equal(share(value, tuple(wanted.shape)), wanted)


def test_a_narrower_network_has_the_first_channels(tmp_path: Path) -> None:
    known, _ = learned(replace(SPACE, width=0.6))
    begun = started(known, SPACE, tmp_path)
    for name, value in begun.state_dict().items():
        if not name.startswith("classifier"):
            assert torch.equal(value, share(known.weights[name], tuple(value.shape)))
    told = json.loads((tmp_path / "start.json").read_text())
    assert told["classes"] == [] and told["weights"] - told["carried"] == begun.classifier.weight.numel() + 3


def test_carried_channels_of_a_wider_network_with_more_stages_compute_what_they_did(tmp_path: Path) -> None:
    known, network = learned(SPACE)
    begun = started(known, replace(SPACE, width=0.6, resolution=square(32), count=3), tmp_path)
    x = torch.rand(4, 1, 16, 16)
    y = x
    for name in largest(SPACE).blocks():
        if name != "head":
            x = network.eval().get_submodule(name)(x)
            y = begun.eval().get_submodule(name)(y)
            torch.testing.assert_close(y[:, : x.shape[1]], x)
    assert y.shape[1] > x.shape[1] and begun.get_submodule("stages.2.0") is not None
    new = begun.get_submodule("stages.2.0.depthwise.conv").weight
    assert isinstance(new, torch.Tensor) and new.std() > 0
    told = json.loads((tmp_path / "start.json").read_text())
    body = sum(value.numel() for name, value in network.named_parameters() if not name.startswith("classifier"))
    assert told["carried"] == body and told["classes"] == []


@pytest.mark.parametrize(("there", "here"), [(3, 1), (1, 3)])
def test_grey_and_colour(there: int, here: int) -> None:
    torch.manual_seed(0)
    layer = torch.rand(4, there, 3, 3)
    grey, rgb = torch.rand(2, 1, 8, 8), torch.rand(2, 3, 8, 8)
    x, y = (
        (grey.expand(-1, 3, -1, -1), grey)
        if here == 1
        else ((rgb * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True), rgb)
    )
    conv = torch.nn.functional.conv2d
    torch.testing.assert_close(conv(y, for_channels(layer, here)), conv(x, layer))
    assert for_channels(layer, there) is layer


@pytest.mark.parametrize("block", ["plain", "residual"])
@pytest.mark.parametrize("width", [0.3, 0.6])
def test_carried_channels_of_other_blocks_compute_what_they_did(tmp_path: Path, block: str, width: float) -> None:
    space = replace(SPACE, block=block, width=0.3)
    known, network = learned(space)
    begun = started(known, replace(space, width=width, channels=3), tmp_path)
    grey = torch.rand(2, 1, 16, 16)
    x, y = grey, grey.expand(-1, 3, -1, -1)
    for name in largest(space).blocks():
        if name != "head":
            x = network.eval().get_submodule(name)(x)
            y = begun.eval().get_submodule(name)(y)
            torch.testing.assert_close(y[:, : x.shape[1]], x)
    told = json.loads((tmp_path / "start.json").read_text())
    assert told["classes"] == (["a", "b", "c"] if width == 0.3 else []) and told["carried"] > 0


@pytest.mark.parametrize(("there", "here"), [("mobile", "residual"), ("plain", "mobile"), ("residual", "plain")])
def test_other_blocks_begin_afresh(tmp_path: Path, there: str, here: str) -> None:
    known, _ = learned(replace(SPACE, block=there))
    space = replace(SPACE, block=here)
    begun = started(known, space, tmp_path)
    assert all(torch.equal(value, begun.state_dict()[name]) for name, value in fresh(space, 1).state_dict().items())
    told = json.loads((tmp_path / "start.json").read_text())
    assert (told["carried"], told["classes"]) == (0, [])


def test_classes_are_known_by_name(tmp_path: Path) -> None:
    known, _ = learned(replace(SPACE, classes=2), ("c", "a"))
    begun = started(known, SPACE, tmp_path)
    theirs = known.weights["classifier.weight"]
    assert torch.equal(begun.classifier.weight[0], theirs[1]) and torch.equal(begun.classifier.weight[2], theirs[0])
    assert begun.classifier.weight[1].abs().max() < 0.1  # fresh
    assert begun.classifier.bias is not None
    assert begun.classifier.bias.tolist() == [
        known.weights["classifier.bias"][1],
        0,
        known.weights["classifier.bias"][0],
    ]
    assert shared_classes(known, replace(SPACE, count=1), CLASSES) == {}  # other features


def test_what_is_fresh_depends_on_the_seed_alone(tmp_path: Path) -> None:
    known, _ = learned(SPACE)
    wide = replace(SPACE, width=0.6)
    one, same = (started(known, wide, tmp_path / name).state_dict() for name in ("one", "same"))
    assert all(torch.equal(value, same[name]) for name, value in one.items())


def test_small_kernels_become_the_centre_of_large_ones() -> None:
    source, own = torch.ones(2, 1, 3, 3), torch.full((3, 1, 7, 7), 2.0)
    value, count = carry(source, own)
    assert count == 18 and value[:2].sum() == 18 and torch.equal(value[:2, :, 2:5, 2:5], source)
    assert torch.equal(value[2], own[2])  # no channel of the source
    assert torch.equal(own, torch.full((3, 1, 7, 7), 2.0))


def test_what_the_source_lacks_is_fresh() -> None:
    own = torch.rand(3, 2)
    assert carry(None, own) == (own, 0)
    assert carry(torch.rand(3), own) == (own, 0)
    assert carry_rows(torch.rand(5, 2), own, {})[1] == 0


def test_batch_norm_is_carried(tmp_path: Path) -> None:
    known, network = learned(SPACE)
    begun = started(known, replace(SPACE, width=0.6), tmp_path)
    there, here = network.stem.norm, begun.stem.norm
    assert isinstance(begun.stem, ConvNorm)
    for name in ("weight", "bias", "running_mean", "running_var"):
        first = getattr(here, name)[: network.stem.conv.weight.shape[0]]
        assert torch.equal(first, getattr(there, name))
