"""Specs that extend others, and specs that stand for several builds."""

from pathlib import Path
from typing import Any

import pytest

from mcubuild.errors import BuildError
from mcubuild.spec.spec import read_builds, read_spec

BASE = """
task = "image_classification"
dataset = { kind = "digits", val_fraction = 0.25 }
board = "stm32f412"
[budget]
sram = "64kB"
flash = "512kB"
[search]
population = 20
"""


def written(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    return folder / "net.toml"


def test_what_a_spec_does_not_say_the_one_below_says(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        base=BASE,
        middle='extends = "base.toml"\nboard = "stm32f746"\n[budget]\nsram = "100kB"',
        net='extends = "middle.toml"\nbits = 4\n[budget]\nlatency = "9ms"',
    )
    spec, board = read_spec(path)
    assert (spec.name, board.name, spec.bits.weights, spec.search.population) == ("net", "stm32f746", 4, 20)
    assert (spec.budget.sram, spec.budget.flash) == (100 << 10, 512 << 10)
    assert spec.budget.latency == pytest.approx(0.009)
    assert [one.name for one in read_builds(path)[1]] == ["base.toml", "middle.toml", "net.toml"]


def test_a_table_of_another_kind_replaces_the_one_below(tmp_path: Path) -> None:
    path = written(tmp_path, base=BASE, net='extends = "base.toml"\ndataset = { kind = "npz", path = "x.npz" }')
    dataset: Any = read_spec(path)[0].dataset
    assert (dataset.kind, dataset.path) == ("npz", "x.npz")
    path = written(tmp_path, net='extends = "base.toml"\n[dataset]\nmax_resolution = 8')
    assert read_spec(path)[0].dataset == read_spec(written(tmp_path, net=BASE))[0].dataset.model_copy(  # type: ignore[union-attr]
        update={"max_resolution": 8}
    )


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (
            {"base": BASE + "poplation = 3", "net": 'extends = "base.toml"'},
            r"base\.toml:10: search\.poplation: unknown",
        ),
        ({"base": BASE, "net": 'extends = "base.toml"\nbits = 5'}, r"net\.toml:2: bits: found 5; must be 4 or 8"),
        ({"base": BASE, "net": 'extend = "base.toml"'}, r"net\.toml:1: extend: unknown key.* did you mean 'extends'"),
        ({"net": 'extends = "bse.toml"'}, r"net\.toml:1: extends = 'bse\.toml': there is no file '.*bse\.toml'"),
        ({"net": "extends = 3"}, r"net\.toml:1: extends = 3: must be the path"),
        (
            {"base": 'extends = "net.toml"', "net": 'extends = "base.toml"'},
            r"in a circle, net\.toml -> base\.toml -> net",
        ),
        (
            {"base": BASE.replace("64kB", "9MB"), "net": 'extends = "base.toml"'},
            r"base\.toml: budget\.sram: found 9\.00 MB",
        ),
        ({"base": BASE.replace("f412", "f999"), "net": 'extends = "base.toml"'}, r"base\.toml: board: .*stm32f999"),
        ({"net": BASE + "[matrix]\nbits = 8"}, r"net\.toml:10: matrix\.bits: must be a list of values.*; found 8"),
        ({"net": BASE + "[matrix]\nbits = []"}, r"matrix\.bits: must be a list"),
        ({"net": BASE + "[matrix]\nbits = [8, 8]"}, "two builds one name"),
        ({"net": BASE + "[matrix]\nbits = [8, 5]"}, r"net\.toml:10: \[matrix\]: bits: found 5; must be 4 or 8"),
        ({"net": BASE + "[matrix]\nseed = [" + "1, " * 200 + "]"}, "200 builds; at most 100"),
        ({"net": "matrix = 3\n" + BASE}, r"net\.toml:1: matrix: found 3; must be a table"),
    ],
)
def test_messages_name_the_file_of_the_key(tmp_path: Path, texts: dict[str, str], told: str) -> None:
    with pytest.raises(BuildError, match=told):
        read_builds(written(tmp_path, **texts))


def test_a_matrix_is_every_combination(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        base=BASE + '[matrix]\nboard = ["stm32f412", "stm32f746"]',
        net='extends = "base.toml"\n[matrix]\nbits = [8, 4]\nbudget.latency = ["9 ms"]',
    )
    builds, _ = read_builds(path)
    assert [(one.spec.name, one.board.name, one.spec.bits.weights) for one in builds] == [
        ("net-stm32f412-8-9_ms", "stm32f412", 8),
        ("net-stm32f412-4-9_ms", "stm32f412", 4),
        ("net-stm32f746-8-9_ms", "stm32f746", 8),
        ("net-stm32f746-4-9_ms", "stm32f746", 4),
    ]
    assert [one.spec.budget.latency for one in builds] == pytest.approx([0.009] * 4)
    assert dict(builds[1].chosen) == {"board": "stm32f412", "bits": 4, "budget.latency": "9 ms"}
    with pytest.raises(BuildError, match="stands for 4 builds"):
        read_spec(path)
    narrowed, _ = read_builds(path, {"bits": "4", "budget.latency": "8ms"})
    assert [one.spec.name for one in narrowed] == ["net-stm32f412-4-8ms", "net-stm32f746-4-8ms"]
    assert [one.spec.bits.weights for one in narrowed] == [4, 4]
    assert [one.spec.budget.latency for one in narrowed] == pytest.approx([0.008] * 2)
