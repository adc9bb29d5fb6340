"""A space and its neighbours: one super network, one search."""

import json
from dataclasses import astuple, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from mcubuild.board import read_board
from mcubuild.errors import BuildError
from mcubuild.nas.search.choice import choose
from mcubuild.nas.search.search import search
from mcubuild.nas.space.arch import Arch, Space, draw, largest, smallest
from mcubuild.nas.space.candidates import Candidates, Limits
from mcubuild.nas.space.family import Family, within
from mcubuild.nas.space.files import read_arch, read_neighbours, read_space, write_space
from mcubuild.nas.space.footprints import Footprints
from mcubuild.nas.space.optimisation import neighbours
from mcubuild.nas.space.skeleton import skeleton
from mcubuild.nas.training.batches import at_resolution, resized, to_tensor
from mcubuild.nas.training.finetune import finetune
from mcubuild.nas.training.network import initialise
from mcubuild.nas.training.recipe import calibrate, evaluate
from mcubuild.nas.training.supernet import SuperNetwork, read_supernet
from mcubuild.nas.training.supernet_training import train
from mcubuild.resolution import Resolution, square
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.finetune import FinetuneSettings
from mcubuild.spec.search import SearchSettings
from mcubuild.spec.supernet import SupernetSettings
from tests.nas.toy import LEARNING, seconds_for, split

BOARD = read_board("stm32f412")
SPACES = [Space(width, square(side), 1, 3) for width in (0.2, 0.4, 0.6) for side in (6, 8, 12, 16)]
SPACE = Space(0.4, square(8), 1, 3)
NEIGHBOURS = neighbours(SPACE, SPACES)
FAMILY = Family(SPACE, NEIGHBOURS)
NARROW, LOW, HIGH = Space(0.2, square(8), 1, 3), Space(0.4, square(6), 1, 3), Space(0.4, square(12), 1, 3)


def test_neighbours_are_one_step_narrower_and_one_resolution_away() -> None:
    assert {space.name for space in NEIGHBOURS} == {"w0.2-r6", "w0.2-r8", "w0.2-r12", "w0.4-r6", "w0.4-r12"}
    assert {space.name for space in neighbours(SPACES[0], SPACES)} == {"w0.2-r8"}
    assert FAMILY.largest == HIGH and FAMILY.smallest == Space(0.2, square(6), 1, 3)


def test_images_for_all_are_as_high_and_as_wide_as_any_takes() -> None:
    wide, high = (replace(SPACE, resolution=Resolution(*sides)) for sides in ((96, 160), (128, 128)))
    assert Family(high, (wide,)).resolution == Resolution(128, 160)
    assert FAMILY.resolution == FAMILY.largest.resolution == square(12)


def test_space_json_keeps_them_and_has_nothing_more_without(tmp_path: Path) -> None:
    write_space(SPACE, NEIGHBOURS, tmp_path / "some.json")
    assert (read_space(tmp_path / "some.json"), read_neighbours(tmp_path / "some.json")) == (SPACE, NEIGHBOURS)
    write_space(SPACE, (), tmp_path / "none.json")
    assert json.loads((tmp_path / "none.json").read_text()) == SPACE.to_json()
    assert read_neighbours(tmp_path / "none.json") == ()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kernel_transform", [False, True])
def test_running_as_a_network_of_a_smaller_space_is_running_the_extracted_one(
    seed: int, kernel_transform: bool
) -> None:
    whole = Space(width=0.5, resolution=square(40), channels=1, classes=5)
    torch.manual_seed(seed)
    supernet = SuperNetwork(whole, kernel_transform=kernel_transform)
    initialise(supernet)
    for name, parameter in supernet.named_parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=1, std=0.3)
        elif name.startswith("transforms."):
            torch.nn.init.normal_(parameter, std=0.1)
    for space in (Space(0.3, square(40), 1, 5), Space(0.5, square(22), 1, 5), Space(0.1, Resolution(22, 36), 1, 5)):
        arch, size = draw(space, np.random.default_rng(seed)), space.resolution
        x = torch.rand(8, 1, size.height, size.width)
        extracted = supernet.extract(arch).train()
        assert extracted.classifier.in_features == space.stages[-1]
        torch.testing.assert_close(supernet.forward_as(x, arch), extracted(x), rtol=1e-3, atol=2e-4)


def test_batches_are_reduced_as_stored_images_are() -> None:
    images = split(4, 0)
    for size in (square(6), Resolution(6, 8), Resolution(4, 7)):
        exact = to_tensor(at_resolution(images, size).x)
        assert (resized(to_tensor(images.x), size) - exact).abs().max() < 1.5 / 255
    batch = to_tensor(images.x)
    assert resized(batch, square(8)) is batch


def test_choices_are_kept_between_spaces_and_kernels_fit_the_maps() -> None:
    wide, low = Space(0.4, square(40), 1, 3), Space(0.3, square(20), 1, 3)
    arch = within(largest(wide), low)
    assert arch == largest(low) and arch.space == low
    assert within(smallest(low), wide) == smallest(wide)
    assert within(arch, low) is arch


def test_a_space_alone_draws_nothing_for_its_choice() -> None:
    rng, untouched = np.random.default_rng(0), np.random.default_rng(0)
    alone, one, other = Family(SPACE), smallest(SPACE), largest(SPACE)
    assert (alone.draw(rng), alone.mutate(one, 1, rng), alone.cross(one, other, rng)) == (SPACE, one, one)
    assert alone.smaller(other) == []
    assert rng.random() == untouched.random()


def test_width_and_resolution_are_inherited_and_mutated_like_other_choices() -> None:
    footprints = Footprints(Deployment(BOARD))
    candidates = Candidates(SPACE, footprints, Limits(1 << 20, None), NEIGHBOURS)
    rng = np.random.default_rng(0)
    assert {candidates.draw(rng).space for _ in range(60)} == set(FAMILY.spaces)
    one, other = draw(NARROW, rng), draw(HIGH, rng)
    children = [candidates.cross(one, other, rng) for _ in range(40)]
    assert {child.space for child in children} == {NARROW, HIGH, SPACE, Space(0.2, square(12), 1, 3)}
    moved = [candidates.mutate(one, 0.1, rng).space != NARROW for _ in range(300)]
    assert 0.04 < np.mean(moved) < 0.25  # two genes; a fresh one is often the old one


def test_footprints_are_those_of_the_own_space_and_the_limits_hold() -> None:
    footprints = Footprints(Deployment(BOARD))
    least = footprints.of(smallest(FAMILY.smallest))
    only = Limits(least.flash, seconds_for(least.cycles, BOARD))
    # What fits none of the chosen space's networks is met by going to a smaller one.
    candidates = Candidates(SPACE, footprints, only, NEIGHBOURS)
    assert candidates.draw(np.random.default_rng(0)) == smallest(FAMILY.smallest)
    with pytest.raises(BuildError, match=r"w0\.4-r8"):
        Candidates(SPACE, footprints, only)
    for space in (NARROW, LOW):
        arch = draw(space, np.random.default_rng(1))
        assert skeleton(arch, 8).tensor("input").shape == (1, *astuple(space.resolution), 1)
        assert candidates.footprint(arch) == Footprints(Deployment(BOARD)).of(arch)
        assert candidates.footprint(arch) != candidates.footprint(within(arch, SPACE))


SETTINGS = SupernetSettings(epochs=20, batch=32, learning_rate=0.1)


@pytest.fixture(scope="module")
def supernet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learn(tmp_path_factory.mktemp("family"), NEIGHBOURS, SETTINGS)


def learn(folder: Path, beside: tuple[Space, ...], settings: SupernetSettings) -> Path:
    samples = split(64, 1), split(32, 2)
    train(
        SPACE, *samples, settings, learning=LEARNING, seed=0, out=folder, work=folder / "work",
        neighbours=beside,
    )  # fmt: skip
    return folder / "supernet.safetensors"


def loss(supernet: Path, whole: Space, arch: Arch) -> float:
    network = read_supernet(supernet, whole).extract(arch)
    calibrate(network, at_resolution(split(64, 1), arch.resolution))
    return evaluate(network, at_resolution(split(128, 3), arch.resolution), LEARNING)[1]


def test_training_with_neighbours_improves_their_networks(supernet: Path, tmp_path: Path) -> None:
    alone = learn(tmp_path, (), SETTINGS)
    narrow, low = smallest(NARROW), smallest(FAMILY.smallest)
    for arch in (narrow, low):
        assert loss(supernet, HIGH, arch) < loss(alone, SPACE, arch) - 0.1
    log = json.loads((supernet.parent / "supernet_log.json").read_text())
    assert log[-1]["val_accuracy_largest"] > 0.8


@pytest.mark.parametrize("schedule", ["sandwich", "shrinking"])
def test_same_seed_same_bytes(schedule: Literal["sandwich", "shrinking"], tmp_path: Path) -> None:
    settings = SupernetSettings(schedule=schedule, epochs=4, batch=64)
    first, second = (learn(tmp_path / name, NEIGHBOURS, settings).read_bytes() for name in "ab")
    assert first == second


def test_search_finds_networks_of_several_spaces_and_the_best_is_tuned(supernet: Path, tmp_path: Path) -> None:
    settings = SearchSettings(population=8, generations=2, parents=3, calibration=32)
    samples = split(64, 1), split(32, 2)
    search(
        SPACE, supernet, *samples, settings, Deployment(BOARD), learning=LEARNING, seed=0,
        out=tmp_path, work=tmp_path / "work", neighbours=NEIGHBOURS,
    )  # fmt: skip
    history = json.loads((tmp_path / "search.json").read_text())
    footprints = Footprints(Deployment(BOARD))
    for rows in history["evaluations"].values():
        assert len({FAMILY.parse(row["key"]).space for row in rows}) > 1
        for row in rows:
            found = footprints.of(FAMILY.parse(row["key"]))
            assert (row["sram"], row["flash"], row["cycles"]) == (found.sram, found.flash, found.cycles)
    for key in (history["chosen"]["key"], next(row["key"] for row in rows if ":" in row["key"])):
        choose(FAMILY, tmp_path / "search.json", key, tmp_path)
        assert FAMILY.key(read_arch(tmp_path / "arch.json")) == key
    finetune(
        draw(NARROW, np.random.default_rng(0)), supernet, *samples, FinetuneSettings(epochs=2, batch=32),
        learning=LEARNING, seed=0, out=tmp_path, work=tmp_path / "tuning", spaces=FAMILY.spaces,
    )  # fmt: skip
    log = json.loads((tmp_path / "finetune_log.json").read_text())
    assert log[-1]["val_accuracy"] > 0.5
