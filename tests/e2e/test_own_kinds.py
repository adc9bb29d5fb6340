"""Kinds of data sets of a project's own, and of a package: found, part of keys, and named in messages."""

import json
from pathlib import Path

import pytest

from tests.e2e.checkout import SPEC, Checkout

KIND = '''
"""Bars that stand or lie, drawn from a table of positions."""

from pathlib import Path

from kinds._drawing import drawn
from mcubuild.data.kinds.base import Found, Kind


def settings():
    from pydantic import Field

    from mcubuild.spec.datasets.base import UndividedSettings

    class BarsSettings(UndividedSettings):
        path: str
        """Table with a position a line."""
        size: int = Field(default=12, ge=8, le=32)
        """Side of the pictures."""

    return BarsSettings


def _sources(settings, root):
    return {"positions": root / settings["path"]}


def _find(settings, root: Path) -> Found:
    import numpy as np

    from mcubuild.data.samples import Arrays

    positions = [int(line) for line in (root / settings.path).read_text().split()]
    x = np.stack([drawn(np, position, lies, settings.size) for lies in (0, 1) for position in positions])
    labels = np.repeat(np.arange(2), len(positions))
    names = [f"bar {number}" for number in range(len(x))]
    shares = {"val": settings.val_fraction, "test": settings.test_fraction}
    return Found(("stands", "lies"), labels, Arrays(x, names, pictures=True), [None] * len(x), None, shares)


KIND = Kind("arrays", _sources, _find)
'''
DRAWING = """
def drawn(np, position, lies, size):
    x = np.full((size, size, 1), position % 50, np.uint8)
    x[position % size] = 200 + position % 50  # the bar
    return x.swapaxes(0, 1) if not lies else x
"""
BARS = SPEC.replace('"digits"', '{ kind = "bars", path = "../positions.txt" }')


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    folder = tmp_path_factory.mktemp("own")
    made = Checkout(folder / "checkout", folder / "store")
    (made.path / "kinds").mkdir()
    (made.path / "kinds" / "bars.py").write_text(KIND)
    (made.path / "kinds" / "_drawing.py").write_text(DRAWING)
    (made.path / "positions.txt").write_text("\n".join(map(str, range(60))))
    made.write_spec(BARS, "bars")
    made.write_spec(SPEC, "digits")
    return made


def test_a_kind_of_the_projects_own_is_built_and_its_code_is_in_the_key(checkout: Checkout) -> None:
    first = checkout.doit("dataset:bars", "dataset:digits", "outline:bars")
    assert first.code == 0, first.output
    index = json.loads((checkout.path / "build/bars/index.json").read_text())
    assert (index["kind"], index["classes"], index["native_resolution"]) == ("bars", ["stands", "lies"], 12)
    assert set(checkout.doit("dataset:bars", "dataset:digits").stages.values()) == {"up to date"}

    checkout.edit("kinds/_drawing.py", "# the bar", "# a bar, as a comment says")
    assert set(checkout.doit("dataset:bars").stages.values()) == {"up to date"}

    checkout.edit("kinds/_drawing.py", "200 + position", "201 + position")
    why = checkout.doit("why", "spec=bars").output
    assert "kinds/_drawing.py: changed: drawn" in why
    again = checkout.doit("dataset:bars", "dataset:digits")
    assert again.stages == {("bars", "dataset"): "built", ("digits", "dataset"): "up to date"}

    checkout.edit("kinds/_drawing.py", "201 + position", "200 + position")
    assert checkout.doit("dataset:bars").stages == {("bars", "dataset"): "from store"}
    checkout.write_spec(BARS.replace('.txt"', '.txt", size = 16'), "bars")
    assert checkout.doit("dataset:bars").stages == {("bars", "dataset"): "built"}
    checkout.write_spec(BARS, "bars")


def test_its_keys_are_checked_as_those_of_others(checkout: Checkout) -> None:
    for wrong, told in (
        ('size = 4, path = "p"', "specs/wrong.toml: dataset.size: Input should be greater than or equal to 8"),
        ('path = "p", sise = 9', "did you mean 'size'?"),
        ("", "dataset.path: missing; add it"),
    ):
        checkout.write_spec(SPEC.replace('"digits"', f'{{ kind = "bars", {wrong} }}'.replace(", }", " }")), "wrong")
        refused = checkout.doit("build", "spec=wrong")
        assert refused.code != 0 and told in refused.output, refused.output
    checkout.write_spec(SPEC.replace('"digits"', '"bar"'), "wrong")
    assert 'did you mean "bars"?' in checkout.doit("build", "spec=wrong").output
    (checkout.path / "specs/wrong.toml").unlink()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("def _find(", "def _find((", "read: kinds/bars.py:28: "),
        ("KIND = Kind(", "OTHER = Kind(", "kinds/bars.py: defines no KIND"),
        (
            "from kinds._drawing import drawn",
            "from kinds._drawings import drawn",
            "kinds/bars.py:6: ModuleNotFoundError",
        ),
        ("    return BarsSettings", "    return 7", "kinds/bars.py: settings() gave 7"),
        ("int(line)", "int(line + 'x')", "kinds/bars.py:33: ValueError: invalid literal"),
        ("np.arange(2), len(positions)", "np.arange(2), 9", "kinds/bars.py: find() gave 18 labels, 120 samples"),
        ("np.arange(2)", "np.arange(1, 3)", "kinds/bars.py: find() gave labels from 1 to 2 with 2 classes"),
        ('{"val": settings.val_fraction, ', "{", "kinds/bars.py: find() gave no val split"),
        ('settings["path"]}', 'settings["place"]}', "kinds/bars.py:25: KeyError"),
        (
            "from pathlib import Path",
            "from helpers import Path",
            "imports helpers, which lies in the project but outside",
        ),
    ],
)
def test_what_is_wrong_with_its_code_is_told_of_its_file(old: str, new: str, told: str, checkout: Checkout) -> None:
    (checkout.path / "helpers.py").write_text("from pathlib import Path\n")
    checkout.edit("kinds/bars.py", old, new)
    try:
        refused = checkout.doit("dataset:bars")
        assert refused.code != 0 and told in refused.output, refused.output
        assert "Traceback" not in refused.output
    finally:
        (checkout.path / "kinds" / "bars.py").write_text(KIND)
        (checkout.path / "helpers.py").unlink()


def test_a_broken_kind_is_no_matter_for_other_specs(checkout: Checkout) -> None:
    checkout.edit("kinds/bars.py", "def _find(", "def _find((")
    try:
        assert checkout.doit("dataset:digits").code == 0
    finally:
        checkout.edit("kinds/bars.py", "def _find((", "def _find(")


def test_a_kind_of_a_package_counts_where_mcubuild_has_none(checkout: Checkout, tmp_path: Path) -> None:
    package = tmp_path / "gas_sensors"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "bars2.py").write_text(KIND.replace("kinds._drawing", "gas_sensors.drawing"))
    (package / "drawing.py").write_text(DRAWING)
    installed = tmp_path / "gas_sensors-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: gas-sensors\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(
        "[mcubuild.kinds]\nbars2 = gas_sensors.bars2\ndigits = gas_sensors.bars2\ngone = gas_sensors.gone\n"
    )
    checkout.write_spec(BARS.replace('"bars"', '"bars2"'), "packaged")
    path = {"PYTHONPATH": str(tmp_path)}
    assert checkout.doit("dataset:packaged", **path).stages == {("packaged", "dataset"): "built"}
    (package / "drawing.py").write_text(DRAWING.replace("200", "202"))
    assert checkout.doit("dataset:packaged", **path).stages == {("packaged", "dataset"): "built"}
    assert checkout.doit("dataset:digits", **path).stages == {("digits", "dataset"): "up to date"}
    checkout.write_spec(BARS.replace('"bars"', '"gone"'), "packaged")
    refused = checkout.doit("build", "spec=packaged", **path)
    assert "gas-sensors: its kind gone is to be the module gas_sensors.gone, which is not there" in refused.output
    (checkout.path / "specs/packaged.toml").unlink()


def test_the_projects_own_counts_instead_of_one_that_mcubuild_brings(checkout: Checkout) -> None:
    (checkout.path / "kinds" / "digits.py").write_text(KIND)
    checkout.write_spec(BARS.replace('"bars"', '"digits"'), "replaced")
    try:
        assert checkout.doit("dataset:replaced").stages == {("replaced", "dataset"): "built"}
        index = json.loads((checkout.path / "build/replaced/index.json").read_text())
        assert index["classes"] == ["stands", "lies"]
    finally:
        (checkout.path / "kinds" / "digits.py").unlink()
    (checkout.path / "specs/replaced.toml").unlink()
