"""Whatever holds for spaces holds for those of every kind of blocks."""

import json
from dataclasses import astuple
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pytest
import torch

from mcubuild.board import read_board
from mcubuild.engine.memory.footprint import estimate
from mcubuild.nas.space.arch import Arch, Space, draw, largest, parse_key, smallest, stages_for
from mcubuild.nas.space.backbones import BACKBONES
from mcubuild.nas.space.blocks import Basic, MaxPool, Stem
from mcubuild.nas.space.candidates import Candidates, Limits
from mcubuild.nas.space.family import Family, within
from mcubuild.nas.space.footprints import Footprints
from mcubuild.nas.space.skeleton import block_skeleton, skeleton
from mcubuild.nas.training.network import build_network, initialise
from mcubuild.nas.training.supernet import SuperNetwork, sort_channels
from mcubuild.nas.training.supernet_training import train
from mcubuild.resolution import square
from mcubuild.spec.budget import Budget
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.space import BlockKind
from mcubuild.spec.supernet import SupernetSettings
from tests.nas.toy import LEARNING, split

BOARD = read_board("stm32f412")
BLOCKS = list(BACKBONES)
NEW = ["plain", "residual"]


def space_of(block: str, width: float = 0.4, resolution: int = 20, channels: int = 1) -> Space:
    return Space(width, square(resolution), channels, 5, stages_for(square(resolution), block), block)


def supernet_of(space: Space) -> SuperNetwork:
    torch.manual_seed(0)
    network = SuperNetwork(space, kernel_transform=True)
    initialise(network)
    for parameter in network.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=1, std=0.3)
    return network


def test_the_spec_knows_all_kinds() -> None:
    assert get_args(BlockKind) == tuple(BACKBONES)


def test_small_networks_that_beginners_train_are_in_the_spaces() -> None:
    plain = parse_key(Space(0.4, square(32), 3, 10, 3, "plain"), "3x4/3x4/3x3").blocks()
    assert [block.outputs for block in plain.values() if isinstance(block, Stem)] == [24, 48, 64]
    assert [block.size.height for block in plain.values()] == [32, 32, 16, 16, 8, 8, 4]
    assert plain["stages.0.pool"] == MaxPool(square(32), 24, 2)
    residual = parse_key(Space(1 / 3, square(32), 3, 10, 3, "residual"), "3x4/3x4/3x4").blocks()
    blocks = [block for block in residual.values() if isinstance(block, Basic)]
    assert [(block.size.height, block.hidden, block.outputs, block.stride) for block in blocks] == [
        (32, 16, 16, 1), (32, 32, 32, 2), (16, 64, 64, 2)
    ]  # fmt: skip
    assert residual["stem"] == Stem(square(32), 3, 16, 3, 1)


@pytest.mark.parametrize("block", NEW)
def test_spaces_reach_from_25_thousand_weights_to_800_thousand(block: str) -> None:
    def weights(arch: Arch) -> int:
        return sum(parameter.numel() for parameter in build_network(arch).parameters())

    assert weights(smallest(space_of(block, 0.2, 28))) < 25_000
    assert weights(largest(space_of(block, 1.0, 32))) > 800_000


@pytest.mark.parametrize(
    ("block", "counts"),
    [("mobile", [2, 2, 2, 4]), ("plain", [2, 3, 3, 4]), ("residual", [2, 3, 3, 4])],
)
def test_as_many_stages_as_leave_maps_worth_it(block: str, counts: list[int]) -> None:
    assert [stages_for(square(side), block) for side in (8, 28, 32, 64)] == counts
    space = Space(0.5, square(64), 3, 2, 99, block)
    assert space.count == len(BACKBONES[block].widths), "no more than there are"


def test_names_tell_kinds_apart_and_files_without_a_kind_are_of_mobile_spaces() -> None:
    assert space_of("plain", 0.5, 32).name == "plain-w0.5-r32-s3" and space_of("mobile").name == "w0.4-r20-s2"
    assert Space(0.5, square(64), 3, 10, block="residual").name == "residual-w0.5-r64"
    values = space_of("mobile").to_json()
    del values["block"]
    assert Space.from_json(values) == space_of("mobile")


@pytest.mark.parametrize("block", BLOCKS)
def test_json_and_key_round_trip(block: str) -> None:
    space = space_of(block)
    for seed in range(10):
        arch = draw(space, np.random.default_rng(seed))
        assert Arch.from_json(json.loads(json.dumps(arch.to_json()))) == arch == parse_key(space, arch.key)


@pytest.mark.parametrize("block", NEW)
@pytest.mark.parametrize("width", [0.2, 0.3, 0.5, 1.0])
def test_no_two_expansions_give_the_same_channels(block: str, width: float) -> None:
    backbone = BACKBONES[block]
    space = space_of(block, width, 32)
    for stage, (outputs, expansions) in enumerate(zip(space.stages, space.expansions, strict=True)):
        networks = [
            Arch(space, tuple(((3, one if n == stage else 4),) for n in range(space.count))) for one in expansions
        ]
        assert len({str(network.blocks()[f"stages.{stage}.0"]) for network in networks}) == len(expansions)
        assert expansions == backbone.expansions(outputs) and expansions[-1] == 4


@pytest.mark.parametrize("block", BLOCKS)
def test_blocks_recur_at_their_places_and_cost_what_the_whole_network_costs(block: str) -> None:
    space, rng = space_of(block), np.random.default_rng(1)
    footprints = Footprints(Deployment(BOARD, budget=Budget(sram=64 << 10)))
    known: dict[object, object] = {}
    for _ in range(20):
        arch = draw(space, rng)
        for place, shape in zip(arch.places(), arch.blocks().values(), strict=True):
            assert known.setdefault(place, shape) == shape
        assert footprints.of(arch) == estimate(skeleton(arch, 8), footprints.target, 2048)
        parts = [block_skeleton(part, 8) for part in arch.blocks().values()]
        for one, other in pairwise(parts):
            assert one.tensor(one.outputs[0]).shape == other.tensor("input").shape


@pytest.mark.parametrize("block", NEW)
def test_proposals_keep_to_limits_and_spaces(block: str) -> None:
    space, beside = space_of(block), space_of(block, 0.3)
    footprints = Footprints(Deployment(BOARD))
    limits = Limits(footprints.of(smallest(space)).flash * 2, None)
    candidates, rng = Candidates(space, footprints, limits, [beside]), np.random.default_rng(0)
    archs = [candidates.draw(rng) for _ in range(20)]
    archs += [candidates.mutate(candidates.cross(one, other, rng), 0.3, rng) for one, other in pairwise(archs)]
    assert {arch.space for arch in archs} == {space, beside}
    for arch in archs:
        assert candidates.fits(arch)
        genes = [choice for stage, own in zip(arch.stages, arch.space.expansions, strict=True) for choice in
                 ((expansion, own) for _, expansion in stage)]  # fmt: skip
        assert all(expansion in own for expansion, own in genes)
        assert candidates.family.parse(candidates.family.key(arch)) == arch


def test_choices_of_a_wider_space_are_those_with_as_many_channels_in_a_narrower() -> None:
    wide, narrow = space_of("plain", 1.0), space_of("plain", 0.1)
    assert narrow.stages == (8, 16) and narrow.expansions == ((4,), (2, 4))
    arch = within(parse_key(wide, "3x2.3x3/3x3"), narrow)
    assert arch == parse_key(narrow, "3x4.3x4/3x4")


@pytest.mark.parametrize("block", NEW)
def test_running_as_a_network_is_running_the_extracted_network(block: str) -> None:
    space = space_of(block)
    family = Family(space, (space_of(block, 0.2),))
    supernet, rng = supernet_of(family.largest), np.random.default_rng(0)
    x = torch.rand(8, 1, *astuple(space.resolution))
    for arch in (smallest(space), largest(space), draw(space, rng), draw(family.neighbours[0], rng)):
        extracted = supernet.extract(arch).train()
        torch.testing.assert_close(supernet.forward_as(x, arch), extracted(x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("block", BLOCKS)
def test_sorted_channels_are_by_importance_and_change_nothing_for_the_largest(block: str) -> None:
    space = space_of(block)
    supernet = supernet_of(space).eval()
    x = torch.rand(4, 1, *astuple(space.resolution))
    with torch.no_grad():
        before = supernet(x)
        sort_channels(supernet)
        torch.testing.assert_close(supernet(x), before, rtol=1e-3, atol=1e-3)
    reader = {"mobile": "stages.0.1.project", "plain": "stages.1.0"}.get(block, "stages.0.1.second")
    norms = supernet.get_parameter(f"{reader}.conv.weight").abs().sum(dim=(0, 2, 3))
    assert bool((norms[:-1] >= norms[1:] - 1e-4).all())


@pytest.mark.parametrize("schedule", ["sandwich", "shrinking"])
@pytest.mark.parametrize("block", NEW)
def test_super_networks_learn(block: str, schedule: Literal["sandwich", "shrinking"], tmp_path: Path) -> None:
    settings = SupernetSettings(epochs=12, batch=32, learning_rate=0.1, schedule=schedule, subnets=1)
    train(
        Space(0.2, square(8), 1, 3, 2, block), split(64, 1), split(32, 2), settings,
        learning=LEARNING, seed=0, out=tmp_path, work=tmp_path / "work",
    )  # fmt: skip
    log = json.loads((tmp_path / "supernet_log.json").read_text())
    assert len(log) == 12
    assert log[-1]["loss"] < log[0]["loss"]
    assert log[-1]["val_accuracy_largest"] > 0.6
