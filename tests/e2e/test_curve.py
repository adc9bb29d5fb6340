"""Accuracy against the number of samples, from the command line."""

import json
from pathlib import Path

import pytest

from tests.e2e.checkout import IMAGES, SPEC, Checkout, draw_images


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout", tmp_path / "store")


@pytest.mark.slow
def test_a_curve_of_digits_continues_from_the_store(checkout: Checkout) -> None:
    checkout.write_spec(SPEC)
    run = checkout.doit("curve", "sizes=4,20,999", "draws=2", "archs=none")
    assert run.code == 0, run.output
    assert "sizes=999: no class has more than" in run.output and "  12 points" in run.output
    folder = checkout.path / "build" / "net"
    first = json.loads((folder / "curve.json").read_text())
    assert [size["samples"] for size in first["sizes"]] == [4, 20]
    assert all(point["seconds"] > 0 for point in first["points"]) and len(first["points"]) == 12
    learned = {(one["contender"], one["size"], one["draw"]): one["accuracy"] for one in first["points"]}
    assert all(learned["plain network", "20", draw] > 0.85 for draw in range(2))
    assert all(learned["random forest", "20", draw] > learned["random forest", "4", draw] for draw in range(2))
    assert "Is the data enough?" in run.output
    assert (folder / "curve.html").is_file() and not (folder / "report.html").exists()
    again = checkout.doit("curve", "sizes=4,20", "draws=2", "archs=none")
    assert again.code == 0 and json.loads((folder / "curve.json").read_text()) == first


@pytest.mark.slow
def test_a_published_network_and_a_folder_of_pictures(checkout: Checkout) -> None:
    draw_images(checkout.path / "photos")
    checkout.write_spec(IMAGES)
    run = checkout.doit("curve", "sizes=6", "draws=1")
    assert run.code == 0, run.output
    points = json.loads((checkout.path / "build" / "net" / "curve.json").read_text())["points"]
    assert [one["contender"] for one in points] == ["searched", "resnet8", "plain network", "random forest"]
    assert "cannot be told from one size" in run.output


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("sizes=1", "sizes=1: must be whole numbers from 2 on, or all"),
        ("draws=0", "draws=0: must be a whole number, at least 1"),
        ("archs=lenet", "archs=lenet: there is no such network"),
        ("drawz=2", "did you mean draws=?"),
    ],
)
def test_what_cannot_be_drawn(checkout: Checkout, asked: str, told: str) -> None:
    checkout.write_spec(SPEC)
    run = checkout.doit("curve", asked)
    assert run.code != 0 and told in run.output and "Traceback" not in run.output
