"""Which split a sample is in: a property of its content."""

import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from mcubuild.data.partition import partition
from mcubuild.errors import BuildError

CLASSES = ("a", "b", "c")


def drawn(
    contents: Sequence[str],
    labels: Sequence[int] | None = None,
    *,
    groups: Sequence[str] | None = None,
    given: Sequence[str | None] | None = None,
    fractions: tuple[float | int, float | int] = (0.15, 0.2),
    seed: int = 0,
) -> list[str]:
    """The split of each sample; a sample's class is, if not said, that of the number in its content."""
    known = np.array([int(content[1:]) % 3 for content in contents] if labels is None else labels)
    held_out = dict(zip(("val", "test"), fractions, strict=True))
    found = partition(contents, known, given or [None] * len(contents), groups, CLASSES, held_out, seed)
    assert sorted(np.concatenate([*found.values()])) == list(range(len(contents)))
    assert all((np.diff(indexes) > 0).all() for indexes in found.values())
    of = np.empty(len(contents), object)
    for name, indexes in found.items():
        of[indexes] = name
    splits: list[str] = of.tolist()
    return splits


def numbered(count: int) -> list[str]:
    return [f"x{number}" for number in range(count)]


def test_samples_that_are_added_move_no_other() -> None:
    before, after = drawn(numbered(900)), drawn(numbered(910))
    assert after[:900] == before
    assert 140 < before.count("test") < 220 and 80 < before.count("val") < 140


def test_neither_removing_nor_reordering_nor_copying_moves_a_sample() -> None:
    contents = numbered(900)
    of = dict(zip(contents, drawn(contents), strict=True))
    kept = contents[::-1][100:]
    assert drawn(kept) == [of[content] for content in kept]
    copied = [*contents, *contents[:300]]
    assert drawn(copied) == [of[content] for content in copied]


def test_seeds_differ_and_a_split_does_not_follow_from_the_other() -> None:
    one, two = drawn(numbered(900)), drawn(numbered(900), seed=1)
    both = sum(a == b == "test" for a, b in zip(one, two, strict=True))
    assert both < 70, "about 0.2 * 0.2 * 900"


def test_validation_samples_are_the_same_whether_test_samples_are_given_or_drawn() -> None:
    contents = numbered(900)
    of = drawn(contents)
    given = ["test" if split == "test" else None for split in of]
    assert drawn(contents, given=given) == of
    train = [content for content, split in zip(contents, of, strict=True) if split != "test"]
    assert drawn([*train, *numbered(3)], given=[None] * len(train) + ["test"] * 3)[:-3] == [
        split for split in of if split != "test"
    ]


def test_a_larger_fraction_only_adds() -> None:
    small, large = (drawn(numbered(900), fractions=(0.15, fraction)) for fraction in (0.1, 0.3))
    assert all(b == "test" for a, b in zip(small, large, strict=True) if a == "test")


@pytest.mark.parametrize(("number", "each"), [(90, [30, 30, 30]), (100, [33, 33, 34]), (5, [1, 2, 2]), (0, [1, 1, 1])])
def test_so_many_samples_are_held_out_of_each_class_in_proportion(number: int, each: list[int]) -> None:
    of = drawn(numbered(903), fractions=(number, 0.2), given=["train"] * 900 + ["test"] * 3)
    assert sorted(of[label::3].count("val") for label in range(3)) == each


def test_a_part_of_the_samples_has_a_part_of_those_held_out() -> None:
    """150 of 900 are 10 of 60."""
    contents, given = numbered(903), [*["train"] * 900, *["test"] * 3]
    labels = np.array([int(content[1:]) % 3 for content in contents])
    found = partition(contents, labels, given, None, CLASSES, {"val": 150}, 0, most=20)
    assert [np.bincount(labels[found[name]]).tolist() for name in ("train", "val")] == [[16, 17, 17], [4, 3, 3]]


@pytest.mark.parametrize("count", range(9, 40))
def test_every_class_is_in_every_split(count: int) -> None:
    of = drawn(contents := numbered(count), seed=count)
    for label in range(3):
        own = [split for content, split in zip(contents, of, strict=True) if int(content[1:]) % 3 == label]
        assert {*own} == {"train", "val", "test"}


def test_adding_to_a_small_class_moves_at_most_what_its_splits_would_have_lacked() -> None:
    for count in range(9, 60):
        before, after = drawn(numbered(count)), drawn(numbered(count + 1))
        moved = [number for number in range(count) if before[number] != after[number]]
        assert len(moved) <= 2 and all(number % 3 == count % 3 for number in moved)


def test_copies_do_not_make_a_class_large_enough() -> None:
    with pytest.raises(BuildError, match=r"class 'c' has 2 samples to train from and 3 copies; at least 3 are needed"):
        drawn([*numbered(8), "x2", "x2", "x2"])


def test_a_copy_in_another_class_is_in_the_same_split() -> None:
    of = drawn([*numbered(90), "x0"], [*(number % 3 for number in range(90)), 1])
    assert of[-1] == of[0]


def test_groups_stay_together_and_keep_their_split() -> None:
    contents = numbered(600)
    groups = [f"speaker {number % 40}" for number in range(600)]
    of = drawn(contents, groups=groups)
    by_group = dict(zip(groups, of, strict=True))
    assert of == [by_group[group] for group in groups]
    assert {*of} == {"train", "val", "test"}
    more = drawn([*contents, "x600", "x601"], groups=[*groups, "speaker 0", "somebody else"])
    assert more[:600] == of and more[600] == by_group["speaker 0"]


@pytest.mark.parametrize("seed", range(20))
def test_three_groups_are_enough_and_two_are_not(seed: int) -> None:
    groups = [str(number // 3 % 3) for number in range(60)]
    assert {*drawn(numbered(60), groups=groups, seed=seed)} == {"train", "val", "test"}
    with pytest.raises(BuildError, match=r"dataset\.group: found 2 groups \(0, 1\) .* at least 3"):
        drawn(numbered(60), groups=[str(number // 3 % 2) for number in range(60)])


def test_groups_of_given_splits_do_not_matter() -> None:
    groups = [str(index // 30) for index in range(60)]
    given = ["test" if index % 10 == 0 else None for index in range(60)]
    of = drawn(numbered(60), groups=groups, given=given)
    assert [index for index in range(60) if of[index] == "test"] == list(range(0, 60, 10))
    val = {groups[index] for index in range(60) if of[index] == "val"}
    assert len(val) == 1 and val.isdisjoint(groups[index] for index in range(60) if of[index] == "train")


def kept(contents: Sequence[str], most: int, draw: int = 0, given: Sequence[str | None] | None = None) -> list[str]:
    """The split of each sample where a class has at most ``most``; empty for those that are in none."""
    labels = np.array([int(content[1:]) % 3 for content in contents])
    shares = {"val": 0.15, "test": 0.2}
    found = partition(contents, labels, given or [None] * len(contents), None, CLASSES, shares, 0, most=most, draw=draw)
    of = np.full(len(contents), "", object)
    for name, indexes in found.items():
        of[indexes] = name
    splits: list[str] = of.tolist()
    return splits


def learned_from(splits: Sequence[str]) -> set[int]:
    return {number for number, split in enumerate(splits) if split in ("train", "val")}


def test_fewer_samples_are_a_part_of_more_and_the_test_split_stays() -> None:
    contents = numbered(900)
    whole = drawn(contents)
    before = set[int]()
    for most in (2, 20, 60, 200):
        of = kept(contents, most)
        assert [split == "test" for split in of] == [split == "test" for split in whole]
        now = learned_from(of)
        assert before < now and np.bincount([number % 3 for number in now]).tolist() == [most] * 3
        assert {of[number] for number in now if number % 3 == 0} == {"train", "val"}
        before = now
    assert kept(contents, 300) == whole, "no class has more"


def test_another_draw_takes_others_and_samples_that_come_push_out_few() -> None:
    one, two = (learned_from(kept(numbered(900), 60, draw)) for draw in (0, 1))
    assert 20 < len(one & two) < 80, "about 60 * 60 / 240 of each class"
    more = learned_from(kept(numbered(930), 60))
    assert len(one - more) < 20 and len(more) == 180
    mixed = numbered(900)[::-1]
    assert {mixed[number] for number in learned_from(kept(mixed, 60))} == {f"x{number}" for number in one}


def test_splits_that_are_given_keep_their_shares() -> None:
    contents = numbered(900)
    given = [["train", "train", "val", "test"][number // 3 % 4] for number in range(900)]
    of = kept(contents, 30, given=given)
    assert all(split in ("", before) for split, before in zip(of, given, strict=True))
    assert [of.count(name) for name in ("train", "val", "test")] == [3 * 20, 3 * 10, 225]


def test_copies_go_first() -> None:
    contents = [*numbered(60), *["x0"] * 50]
    of = kept(contents, 12)
    assert len({contents[number] for number in learned_from(of)}) == 3 * 12


def test_a_class_that_is_only_tested_is_told() -> None:
    with pytest.raises(BuildError, match="class 'b' has 0 samples to train from"):
        drawn(numbered(60), given=["test" if index % 3 == 1 else None for index in range(60)])


def test_other_processes_draw_the_same() -> None:
    code = "from tests.data.test_partition import *; print(''.join(split[1] for split in drawn(numbered(99))))"
    for hash_seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": hash_seed}
        )
        assert run.stdout.strip() == "".join(split[1] for split in drawn(numbered(99)))
