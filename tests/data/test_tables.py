"""Tables and arrays of the user: windows, groups, scales, and what is told of what is wrong."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.data.dataset import prepare
from mcubuild.data.images import as_levels
from mcubuild.data.inventory import read_inventory
from mcubuild.data.kinds import kind
from mcubuild.data.series import levels
from mcubuild.data.splits import Series, Split, read_index, read_split
from mcubuild.data.tables import read_table, windows
from mcubuild.errors import BuildError
from mcubuild.spec.datasets.csv import CsvSettings
from mcubuild.spec.datasets.npz import NpzSettings
from tests.data.activities import CHANNELS, CLASSES, write_csv, write_npz


def table(**options: object) -> CsvSettings:
    keys = {"label": "activity", "window": 64, "group": "subject", **options}
    return CsvSettings.model_validate({"kind": "csv", "path": "data", **keys})


def arrays(**options: object) -> NpzSettings:
    return NpzSettings.model_validate({"kind": "npz", "path": "data.npz", **options})


def splits(out: Path) -> dict[str, Split]:
    return {name: read_split(out / f"{name}.npz") for name in ("train", "val", "test")}


def test_windows_of_a_table_are_those_of_arrays(tmp_path: Path) -> None:
    """The same values in either form make the same data set: the groups decide the splits."""
    write_csv(tmp_path / "data")
    write_npz(tmp_path / "data.npz")
    prepare(table(), tmp_path, 0, tmp_path / "csv")
    prepare(arrays(), tmp_path, 0, tmp_path / "npz")
    for name in ("train.npz", "val.npz", "test.npz"):
        one, other = (read_split(tmp_path / form / name) for form in ("csv", "npz"))
        assert np.array_equal(one.y, other.y) and np.abs(one.x.astype(int) - other.x).max() <= 1
    index = read_index(tmp_path / "csv" / "index.json")
    assert index.classes == CLASSES and index.task == "sensor_classification" and not index.one_draw
    assert (index.native_resolution, index.max_resolution, index.channels) == (64, 64, 3)
    assert index.series is not None and index.series.channels == CHANNELS and index.outline.series


def test_scales_are_those_of_the_training_samples_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal([0, 5], [1, 0.1], (400, 16, 2)).astype(np.float32)
    y = np.arange(400) % 2
    np.savez(tmp_path / "data.npz", x_train=x[:300], y_train=y[:300], x_test=100 + x[300:], y_test=y[300:])
    prepare(arrays(), tmp_path, 0, tmp_path / "out")
    found = splits(tmp_path / "out")
    assert (found["test"].x == 255).all(), "far outside of what was trained with"
    series = read_index(tmp_path / "out" / "index.json").series
    assert series is not None
    for channel, (mean, deviation) in enumerate([(0, 1), (5, 0.1)]):
        assert series.low[channel] == pytest.approx(mean - 3.1 * deviation, abs=0.3 * deviation)
        assert series.high[channel] == pytest.approx(mean + 3.1 * deviation, abs=0.3 * deviation)
    step = (series.high[1] - series.low[1]) / 255
    back = np.sort(series.low[1] + step * found["train"].x[:, :, 0, 1].astype(float), axis=None)
    assert len(np.unique(back)) > 100 and back[0] > 4.6 and back[-1] < 5.4


def test_levels_are_rounded_in_floats_of_32_bits() -> None:
    x = np.array([[[0.0], [0.5], [1.5], [2.5], [254.5], [300.0], [-4.0]]], np.float32)
    assert levels(x, Series(("a",), (0.0,), (255.0,))).ravel().tolist() == [0, 0, 2, 2, 254, 255, 0]


def write_rows(path: Path, rows: Sequence[tuple[object, ...]], header: str = "subject,activity,a") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def test_windows_end_where_label_or_group_change(tmp_path: Path) -> None:
    keys = [("s1", "x")] * 20 + [("s1", "y")] * 9 + [("s2", "y")] * 17 + [("s2", "")] * 8 + [("s2", "x")] * 7
    path = write_rows(tmp_path / "one.csv", [(*key, number) for number, key in enumerate(keys)])
    found = list(windows(read_table(path, "one.csv", table(window=8)), 8, 4))
    assert [(window.label, window.group, window.values[0, 0]) for window in found] == [
        *(("x", "s1", first) for first in (0, 4, 8, 12)),
        ("y", "s1", 20),
        *(("y", "s2", first) for first in (29, 33, 37)),
    ]
    assert all(np.array_equal(window.values[:, 0], window.values[0, 0] + np.arange(8)) for window in found)
    assert [window.fresh for window in found] == [8, 4, 4, 4, 8, 8, 4, 4]
    assert found[0].name == "one.csv: rows 1 to 8"


def test_rows_in_no_window_are_told(tmp_path: Path) -> None:
    write_csv(tmp_path / "data", seconds=30)  # 1500 rows are 23 windows and 28 rows
    prepare(table(), tmp_path, 0, tmp_path / "out")
    told = read_inventory(tmp_path / "out" / "inventory.json").cautions
    assert f"Rows in no window, as a label and one group or a table ends before: {36 * 28} of {36 * 1500}" in told


def test_groups_to_test_with_may_be_named(tmp_path: Path) -> None:
    write_csv(tmp_path / "data")
    prepare(table(test=["s1", "s4"], val=["s0"]), tmp_path, 0, tmp_path / "out")
    counts = read_inventory(tmp_path / "out" / "inventory.json").splits
    assert counts == {"train": 3 * 6 * 31, "val": 6 * 31, "test": 2 * 6 * 31}


def test_overlapping_windows_stay_together(tmp_path: Path) -> None:
    """Each activity of each subject is a stretch: 36 of them, drawn as wholes."""
    write_csv(tmp_path / "data")
    prepare(table(group=None, columns=list(CHANNELS), stride=32), tmp_path, 0, tmp_path / "out")
    counts = read_inventory(tmp_path / "out" / "inventory.json").splits
    assert all(count % 61 == 0 for count in counts.values()) and sum(counts.values()) == 36 * 61


def test_windows_that_lack_values_are_left_out(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "data") / "s2.csv"
    lines = path.read_text().splitlines()
    cells = lines[200].split(",")
    lines[200] = ",".join([*cells[:3], "", cells[4]])
    path.write_text("\n".join(lines))
    prepare(table(), tmp_path, 0, tmp_path / "out")
    told = read_inventory(tmp_path / "out" / "inventory.json").cautions
    assert (
        "Samples with values that are missing or no finite numbers were left out: 1 of 1116 (s2.csv: rows 193 to 256)"
        in told
    )
    with pytest.raises(BuildError, match=r"s2.csv: rows 193 to 256: has values .*corrupt = 0 allows"):
        prepare(table(corrupt=0), tmp_path, 0, tmp_path / "out")


ROWS = [("s1", label, number) for label in "xy" for number in range(40)]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (ROWS, {"label": "what"}, "no 'what'"),
        (ROWS, {"columns": ["a", "b"]}, "no 'b'"),
        (ROWS, {"delimiter": ";"}, "no 'activity'"),
        ([*ROWS, ("s1", "x", "1,5")], {}, ":82: found 4 cells, the first line has 3"),
        ([*ROWS, ("s1", "x", "high")], {}, ":82: found 'high' in the column 'a'"),
        ([*ROWS, ("s1", "x", '"1')], {}, ":82: unexpected end of data; close the quotation mark"),
        ([*ROWS[:3], ("s1", '"x', 1), *ROWS, ("s1", 'x"', 1)], {}, ":5: the cell in the column 'activity' goes on"),
        (ROWS, {"window": 64}, "no 64 rows behind each other have one label and one group"),
        ([*ROWS, ("s1", "z", 1)], {"window": 8}, "the class 'z' has no 8 rows behind each other"),
        (ROWS[:40], {"window": 8}, "found 1 class in the column 'activity'"),
        (ROWS, {"window": 8, "test": ["s9"]}, "dataset.test: found 's9'"),
        ([*ROWS, ("s1", "x", "1_000")], {}, ":82: found '1_000' in the column 'a'"),
    ],
)
def test_what_is_wrong_with_a_table(
    tmp_path: Path, rows: Sequence[tuple[object, ...]], options: dict[str, object], message: str
) -> None:
    write_rows(tmp_path / "data" / "one.csv", rows)
    with pytest.raises(BuildError) as error:
        prepare(table(**options), tmp_path, 0, tmp_path / "out")
    assert message in str(error.value) and len(str(error.value)) < 500


def told_of(out: Path) -> str:
    return " | ".join(read_inventory(out / "inventory.json").cautions)


def test_a_column_without_a_name_is_no_sensor(tmp_path: Path) -> None:
    """pandas writes the numbers of rows so: they tell classes apart that follow each other."""
    rows = [(number, *row) for number, row in enumerate(ROWS)]
    write_rows(tmp_path / "data" / "one.csv", rows, header=",subject,activity,a")
    with pytest.raises(BuildError, match="a column without a name, such as the row numbers that pandas writes"):
        prepare(table(window=8, group=None, columns=None), tmp_path, 0, tmp_path / "out")


def sensor(count: int) -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=count)


def test_clocks_and_names_that_mean_the_same_are_told(tmp_path: Path) -> None:
    values = sensor(560)
    keys = [("s1", label) for label in ("Walk", "walk ", "1", "1.0", "-1", "1_1", "11") for _ in range(80)]
    rows = [(*key, 0.02 * (number % 40), values[number], values[-number]) for number, key in enumerate(keys)]
    write_rows(tmp_path / "data" / "one.csv", rows, header="subject,activity,time,a,b")
    prepare(table(window=8, group=None, columns=["time", "a", "b"]), tmp_path, 0, tmp_path / "out")
    told = told_of(tmp_path / "out")
    assert "may tell classes apart without any sensor: 1 of 3 (time)" in told
    assert "1 and 1.0): 4 of 7 (1, 1.0, Walk, ...)" in told


def test_values_that_floats_of_32_bits_do_not_tell_apart(tmp_path: Path) -> None:
    values = sensor(640)
    rows = [("s1", "xy"[number // 8 % 2], f"{101325 + 0.1 * one:.4f}", one) for number, one in enumerate(values)]
    write_rows(tmp_path / "data" / "one.csv", rows, header="subject,activity,pascal,a")
    prepare(table(window=8, group=None, columns=["pascal", "a"]), tmp_path, 0, tmp_path / "out")
    assert "than 32-bit floats tell values apart; subtract a constant: 1 of 2 (pascal)" in told_of(tmp_path / "out")


def test_every_column_with_values_has_a_name(tmp_path: Path) -> None:
    write_rows(tmp_path / "data" / "one.csv", [(*row, "") for row in ROWS], header="subject,activity,a,")
    with pytest.raises(BuildError, match=r"one\.csv: the column 4 is a column without a name"):
        prepare(table(window=8), tmp_path, 0, tmp_path / "out")
    read = read_table(tmp_path / "data" / "one.csv", "one.csv", table(window=8, columns=["a"]))
    assert read.columns == ("a",)


def test_a_table_without_rows_is_told(tmp_path: Path) -> None:
    write_rows(tmp_path / "data" / "one.csv", ROWS)
    write_rows(tmp_path / "data" / "two.csv", [])
    found = kind("csv").find(table(window=8), tmp_path)
    assert found.cautions == ("Tables without a row below the names of columns: 1 of 2 (two.csv)",)


def test_tables_must_have_the_same_columns(tmp_path: Path) -> None:
    write_rows(tmp_path / "data" / "one.csv", ROWS)
    write_rows(tmp_path / "data" / "two.csv", ROWS, header="subject,activity,b")
    with pytest.raises(BuildError, match=r"two.csv has the columns b, one.csv a"):
        prepare(table(window=8), tmp_path, 0, tmp_path / "out")


@pytest.mark.parametrize("options", [{"test": ["s1"], "group": None}, {"columns": ["activity"]}, {"window": 4}])
def test_keys_that_make_no_sense(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"group|twice|greater than or equal to 8"):
        table(**options)


def images(count: int = 80, height: int = 12, width: int = 16, dtype: type = np.uint8) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (count, height, width, 3)).astype(dtype)


def test_images_as_arrays(tmp_path: Path) -> None:
    x = images()
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(80) % 4, classes=np.array(["a", "b", "c", "d"]))
    prepare(arrays(), tmp_path, 0, tmp_path / "out", "image_classification")
    index = read_index(tmp_path / "out" / "index.json")
    assert index.series is None and index.classes == ("a", "b", "c", "d") and index.native_resolution == 12
    known = {one.tobytes() for one in x[:, :, 2:14]}
    assert all(one.tobytes() in known for split in splits(tmp_path / "out").values() for one in split.x)


@pytest.mark.parametrize(
    ("shape", "dtype", "seen", "caution"),
    [
        ((28, 28), np.uint8, True, r"of uint8 was read as grey images; windows name their channels"),
        ((28, 28), np.float32, False, r"windows of as many moments as channels; of images, add an axis"),
        ((64, 3), np.uint8, False, None),
        ((8, 24, 1), np.uint8, True, r"only the square in the middle is read, less than half"),
    ],
)
def test_what_shapes_may_mean_is_told(
    tmp_path: Path, shape: tuple[int, ...], dtype: type, seen: bool, caution: str | None
) -> None:
    x: NDArray[np.generic] = np.random.default_rng(0).integers(0, 255, (80, *shape)).astype(dtype)
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(80) % 2)
    prepare(arrays(), tmp_path, 0, tmp_path / "out")
    index = read_index(tmp_path / "out" / "index.json")
    assert (index.series is None) is seen
    told = read_inventory(tmp_path / "out" / "inventory.json").cautions
    found = [one for one in told if "data.npz: " in one]
    assert len(found) == (caution is not None) and all(re.search(str(caution), one) for one in found)


@pytest.mark.parametrize("shape", [(128, 3, 1), (1, 128, 3)])
def test_windows_with_an_axis_too_many_are_not_taken_for_images(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.savez(tmp_path / "data.npz", x=np.zeros((80, *shape)), y=np.arange(80) % 2)
    with pytest.raises(BuildError, match=r"of which but [13]x[13] pixels would be read.*Windows are \(N, T, C\)"):
        prepare(arrays(), tmp_path, 0, tmp_path / "out")


def test_labels_below_zero_are_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=images(), y=np.arange(80) % 4 - 1)
    prepare(arrays(), tmp_path, 0, tmp_path / "out")
    told = read_inventory(tmp_path / "out" / "inventory.json").cautions
    assert any("the label -1 is a class like others" in one for one in told)


def test_images_of_floats_have_the_range_of_the_training_images(tmp_path: Path) -> None:
    x = images(dtype=np.float64) / 100
    np.savez(tmp_path / "data.npz", x_train=x[:60], y_train=np.arange(60) % 4, x_test=x[60:], y_test=np.arange(20) % 4)
    prepare(arrays(val_fraction=0.2), tmp_path, 0, tmp_path / "out")
    pictures = read_index(tmp_path / "out" / "index.json").pictures
    assert pictures is not None and pictures.levels == pytest.approx((0, 2.54), abs=0.02)


LEVELS = np.random.default_rng(1).integers(0, 256, (80, 8, 8, 1))


@pytest.mark.parametrize(
    "x",
    [
        np.asfortranarray(LEVELS.astype(np.uint8)),
        np.asfortranarray((LEVELS - 100).astype(">i2")),
        (LEVELS / 255 * 1e-6).astype(np.float16),
        (LEVELS * 235).astype(np.float16),
        (LEVELS * 2.0**40).astype(np.int64),
    ],
    ids=["Fortran", "big-endian", "tiny float16", "float16", "int64"],
)
def test_images_in_any_order_and_type(tmp_path: Path, x: NDArray[np.generic]) -> None:
    """Each level stays one, and their order."""
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(80) % 2)
    prepare(arrays(), tmp_path, 0, tmp_path / "out")
    found = np.concatenate([split.x for split in splits(tmp_path / "out").values()])
    wide = np.ascontiguousarray(x).astype(np.float64)
    expected = np.rint(255 * (wide - wide.min()) / (wide.max() - wide.min()))
    if x.dtype == np.uint8:
        expected = wide
    assert {one.tobytes() for one in found} == {one.tobytes() for one in expected.astype(np.uint8)}


def test_levels_between_two_are_those_of_the_firmware() -> None:
    """25 of 50 is 127.5, which goes to the even one; 255 / 50 in floating point is not exact."""
    for span in range(1, 600):
        values = np.arange(span + 1)
        low = -span // 3
        whole, half = np.divmod(2 * 255 * values + span, 2 * span)
        expected = whole - ((half == 0) & (whole % 2 == 1))
        assert np.array_equal(as_levels(values + low, low, low + span), expected), span


GOOD = {"x": np.random.default_rng(0).normal(size=(60, 16, 3)), "y": np.arange(60) % 3}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"x": GOOD["x"]}, "but no y"),
        ({**GOOD, "y": np.arange(59)}, "found y (59,) for x (60, 16, 3)"),
        ({**GOOD, "y": np.arange(60) / 2}, "found y of float64"),
        ({**GOOD, "x": GOOD["x"][..., 0]}, "found x (60, 16)"),
        ({**GOOD, "x": GOOD["x"].astype(complex)}, "found x complex128"),
        ({**GOOD, "y": np.array([None] * 60)}, "not a file of plain arrays"),
        ({**GOOD, "classes": np.array(["a", "b", "c", "d"])}, "class 'd' has 0 samples"),
        ({**GOOD, "classes": np.array(["a", "b"])}, "labels 0 to 2 for 2 classes"),
        ({**GOOD, "groups": np.arange(3)}, "found 3 groups for 60 samples"),
        ({**GOOD, "x": np.where(np.arange(16)[:, None] == 3, np.inf, GOOD["x"])}, "60 of 60 samples"),
        ({**GOOD, "channels": np.array(["a"])}, "found 1 channels"),
        ({"x_test": GOOD["x"], "y_test": GOOD["y"]}, "without x_train"),
        ({**GOOD, "y": np.eye(3)[GOOD["y"]]}, "of one-hot labels y.argmax(axis=1)"),
        ({**GOOD, "group": GOOD["y"]}, "'group', which is not read beside x"),
        ({"x_train": GOOD["x"], "y_train": GOOD["y"], "x_valid": GOOD["x"]}, "'x_valid', which is not read"),
        ({"x_train": GOOD["x"], "y_train": GOOD["y"], "groups": GOOD["y"]}, "'groups', which is not read beside x_tr"),
        ({**GOOD, "classes": np.array("abc")}, "found classes (); allowed is a list of names"),
        ({**GOOD, "classes": np.array(["a", "b", "a"])}, "found 'a' in classes"),
        ({**GOOD, "classes": np.array(["a", "b", " "])}, "found ' ' in classes"),
        ({**GOOD, "y": np.array([b"a", b"b", b"\xff"])[GOOD["y"]]}, "bytes that are not UTF-8"),
        ({"x": GOOD["x"], "y": np.zeros(60, int), "classes": np.array(["a"])}, "found classes (1,)"),
        ({**GOOD, "channels": np.array(["a", "b", "a"])}, "found 'a' in channels"),
    ],
)
def test_what_is_wrong_with_arrays(tmp_path: Path, content: dict[str, NDArray[np.generic]], message: str) -> None:
    np.savez(tmp_path / "data.npz", **content)  # type: ignore[arg-type]
    with pytest.raises(BuildError) as error:
        prepare(arrays(), tmp_path, 0, tmp_path / "out")
    assert message in str(error.value) and len(str(error.value)) < 500


def test_names_may_be_bytes(tmp_path: Path) -> None:
    names = np.array([b"a", b"b", b"caf\xc3\xa9"])
    np.savez(tmp_path / "data.npz", x=GOOD["x"], y=names[GOOD["y"]], classes=names, channels=names)
    prepare(arrays(), tmp_path, 0, tmp_path / "out")
    index = read_index(tmp_path / "out" / "index.json")
    assert index.series is not None and index.classes == index.series.channels == ("a", "b", "caf\u00e9")


def test_the_task_must_be_that_of_the_samples(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", **GOOD)  # type: ignore[arg-type]
    with pytest.raises(BuildError, match=r'windows of values: task = "sensor_classification"'):
        prepare(arrays(), tmp_path, 0, tmp_path / "out", "image_classification")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"data.npz: no such file"):
        prepare(arrays(), tmp_path, 0, tmp_path / "out")
    with pytest.raises(BuildError, match="no such table"):
        prepare(table(), tmp_path, 0, tmp_path / "out")
