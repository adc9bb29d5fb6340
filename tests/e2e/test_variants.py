"""A spec that extends another one and stands for several builds, from the command line."""

import json
from pathlib import Path

import pytest

from tests.e2e.checkout import SPEC, Checkout

BASE = SPEC.replace('board = "stm32f412"\n', "")
MANY = 'extends = "base.toml"\n[matrix]\nboard = ["stm32f412", "stm32f746"]\nbudget.latency = ["100ms", "9us"]\n'


@pytest.mark.slow
def test_a_matrix_of_builds(tmp_path: Path) -> None:
    """What cannot be built is in the table, too; the base is no spec; an edit of the base is an edit of all."""
    checkout = Checkout(tmp_path / "checkout", tmp_path / "store")
    checkout.write_spec(BASE, "base")
    checkout.write_spec(MANY, "many")
    run = checkout.doit("build")
    assert run.code == 1 and "base" not in {spec for spec, _ in run.stages}
    rows = [line.split()[:4] for line in run.output.splitlines() if line.startswith("many-") and "  " in line]
    table = [row for row in rows if row[1].startswith("stm32")]
    assert table == [
        ["many-stm32f412-100ms", "stm32f412", "100ms", "pass,"],
        ["many-stm32f412-9us", "stm32f412", "9us", "not"],
        ["many-stm32f746-100ms", "stm32f746", "100ms", "pass,"],
        ["many-stm32f746-9us", "stm32f746", "9us", "not"],
    ]
    page = (checkout.path / "build" / "many" / "matrix.html").read_text()
    assert '<a href="../many-stm32f746-100ms/report.html">' in page
    boards = [json.loads(path.read_text())["board"]["name"] for path in checkout.path.glob("build/many-*/report.json")]
    assert sorted(boards) == ["stm32f412", "stm32f746"]

    checkout.edit("specs/many.toml", ', "9us"', "")
    again = checkout.doit("build")
    assert again.code == 0 and {*again.stages.values()} == {"up to date"}
    assert "9us" not in again.output and "table: build/many/matrix.html" in again.output
    checkout.edit("specs/base.toml", "512kB", "500kB")
    why = checkout.doit("why", "spec=many").output
    assert "specs/base.toml: budget.flash" in why and "-> 512000" in why
