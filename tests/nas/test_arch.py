import json

import numpy as np
import pytest

from mcubuild.nas.arch import (
    BASE_RESOLUTIONS,
    STRIDES,
    Arch,
    Space,
    draw,
    largest,
    parse_key,
    resolutions_for,
    round_channels,
    smallest,
    strides_for,
)

SPACE = Space(width=0.5, resolution=144, strides=STRIDES, channels=3, classes=100)


def test_channels_are_multiples_of_eight_and_never_more_than_a_tenth_too_few() -> None:
    assert [round_channels(c) for c in (3.2, 8, 12, 16, 19.2, 40, 96, 57.6)] == [8, 8, 16, 16, 24, 40, 96, 56]
    for channels in range(8, 400):
        assert round_channels(channels) % 8 == 0
        assert round_channels(channels) >= 0.9 * channels


def test_widths_of_the_base_space_at_multiplier_one() -> None:
    space = Space(1.0, 224, STRIDES, 3, 1000)
    assert (space.stem, space.first, *space.stages) == (32, 16, 24, 40, 80, 96, 192, 320)


def test_imagenet_sizes_keep_the_papers_resolutions_and_strides() -> None:
    assert resolutions_for(224) == BASE_RESOLUTIONS == (48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224)
    assert strides_for(224) == STRIDES


@pytest.mark.parametrize(
    ("resolution", "strides"), [(64, (2, 2, 2, 2, 1, 2, 1)), (32, (2, 2, 2, 2, 1, 1, 1)), (8, (2, 2, 1, 1, 1, 1, 1))]
)
def test_small_images_lose_their_last_strides(resolution: int, strides: tuple[int, ...]) -> None:
    assert strides_for(resolution) == strides


def test_small_images_have_distinct_even_resolutions() -> None:
    assert resolutions_for(32) == (8, 10, 12, 14, 16, 18, 20, 22, 26, 28, 30, 32)
    assert resolutions_for(8) == (8,)


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
