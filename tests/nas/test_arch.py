import json

import numpy as np

from mcubuild.nas.space.arch import (
    BASE_RESOLUTIONS,
    Arch,
    Space,
    draw,
    largest,
    parse_key,
    resolutions_for,
    smallest,
)
from mcubuild.nas.space.backbones import round_channels
from mcubuild.nas.space.blocks import Bottleneck, Stem
from mcubuild.resolution import square

SPACE = Space(width=0.5, resolution=square(144), channels=3, classes=100)


def test_channels_are_multiples_of_eight_and_never_more_than_a_tenth_too_few() -> None:
    assert [round_channels(c) for c in (3.2, 8, 12, 16, 19.2, 40, 96, 57.6)] == [8, 8, 16, 16, 24, 40, 96, 56]
    for channels in range(8, 400):
        assert round_channels(channels) % 8 == 0
        assert round_channels(channels) >= 0.9 * channels


def test_widths_of_the_base_space_at_multiplier_one() -> None:
    stem, first, *_ = smallest(Space(1.0, square(224), 3, 1000)).blocks().values()
    assert isinstance(stem, Stem) and isinstance(first, Bottleneck)
    assert (stem.outputs, first.outputs) == (32, 16)
    assert Space(1.0, square(224), 3, 1000).stages == (24, 40, 80, 96, 192, 320)


def test_imagenet_sizes_have_the_papers_resolutions() -> None:
    assert resolutions_for(224) == BASE_RESOLUTIONS == (48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224)


def test_kernels_never_reach_across_the_whole_map() -> None:
    assert all(kernels == (3, 5, 7) for stage in SPACE.kernels for kernels in stage)
    small = Space(width=0.5, resolution=square(32), channels=1, classes=10)
    # maps that the blocks read: 16 and 8, 8 and 4, 4 and 2, 2 and 2, 2 and 1, 1
    assert [stage[0] for stage in small.kernels] == [(3, 5, 7), (3, 5, 7), (3, 5, 7), (3,), (3,), (3,)]
    assert [stage[-1] for stage in small.kernels] == [(3, 5, 7), (3, 5, 7), (3,), (3,), (3,), (3,)]
    assert [len(stage) for stage in small.kernels] == [4, 4, 4, 4, 4, 1]
    assert largest(small).key == "7x6.7x6.7x6.7x6/7x6.7x6.7x6.7x6/7x6.3x6.3x6.3x6/" + "3x6.3x6.3x6.3x6/" * 2 + "3x6"


def test_small_images_have_distinct_even_resolutions() -> None:
    assert resolutions_for(32) == (8, 10, 12, 14, 16, 18, 20, 22, 26, 28, 30, 32)
    assert resolutions_for(8) == (8,)
    for side in range(8, 513):
        resolutions = resolutions_for(side)
        assert resolutions[0] >= 8 and resolutions[-1] == side // 2 * 2, side


def test_json_and_key_round_trip() -> None:
    for seed in range(20):
        arch = draw(SPACE, np.random.default_rng(seed))
        assert Arch.from_json(json.loads(json.dumps(arch.to_json()))) == arch
        assert parse_key(SPACE, arch.key) == arch
        assert hash(Arch.from_json(arch.to_json())) == hash(arch)


def test_draws_follow_the_generator_and_cover_every_choice() -> None:
    assert draw(SPACE, np.random.default_rng(7)) == draw(SPACE, np.random.default_rng(7))
    rng = np.random.default_rng(0)
    archs = [draw(SPACE, rng) for _ in range(100)]
    assert len(set(archs)) == 100
    for stage in range(5):
        assert {len(arch.stages[stage]) for arch in archs} == {2, 3, 4}
    assert {len(arch.stages[5]) for arch in archs} == {1}
    assert {choice for arch in archs for choice in arch.stages[5]} == {(k, e) for k in (3, 5, 7) for e in (3, 4, 6)}


def test_extremes() -> None:
    assert smallest(SPACE).key == "/".join(["3x3.3x3"] * 5 + ["3x3"])
    assert largest(SPACE).key == "/".join(["7x6.7x6.7x6.7x6"] * 5 + ["7x6"])
