"""Messages to the user are lines that nobody else can write, whatever names and values of others stand in them."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mcubuild.board import Board, board_files
from mcubuild.data.dataset import prepare
from mcubuild.data.inventory import read_inventory
from mcubuild.errors import BuildError, tell
from mcubuild.files import replaced
from mcubuild.importers.labels import read_labels
from mcubuild.importers.tflite import import_tflite
from mcubuild.report.diff import Change, show
from mcubuild.settings import read_toml
from mcubuild.spec.datasets import KINDS
from mcubuild.spec.spec import Spec, read_spec
from rules.graph import read_specs

EVIL = "a\nERROR: build:net: forged\r\x1b[31m\u202e\u2028b\tc"
"""Line breaks of several kinds, a terminal's colour, what turns the rest of a line round."""
ESCAPED = "a\\nERROR: build:net: forged\\r\\x1b[31m\\u202e\\u2028b"


def is_one_line(text: str) -> bool:
    return text.isprintable() and len(text) < 500


def test_each_argument_is_a_line_of_its_own() -> None:
    error = BuildError(f"{EVIL}: found", "second")
    assert str(error) == f"{ESCAPED}\\tc: found\nsecond"
    assert str(error.of("x.toml")) == f"x.toml: {ESCAPED}\\tc: found\nsecond"
    assert str(pickle.loads(pickle.dumps(error))) == str(error), "as it comes from other processes"
    assert len(str(BuildError("x" * 1000, EVIL))) < 500


def picture(path: Path, level: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(level).integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(path, "PNG")


def prepared(folder: Path, **settings: object) -> None:
    values = {"kind": "image_folder", "path": str(folder), **settings}
    given = KINDS[str(values["kind"])].model_validate(values)
    prepare(given, folder, 0, folder.with_name("out"))


def odd_class(folder: Path) -> None:
    picture(folder / EVIL / "0.png")
    prepared(folder)


def odd_file(folder: Path) -> None:
    picture(folder / "cat" / "0.png")
    (folder / "dog").mkdir()
    (folder / "dog" / f"{EVIL}.txt").touch()
    prepared(folder)


def empty_class(folder: Path) -> None:
    picture(folder / "cat" / "0.png")
    (folder / EVIL).mkdir()
    prepared(folder)


def damaged_image(folder: Path) -> None:
    for number in range(4):
        picture(folder / "cat" / f"{number}.png", number)
        picture(folder / EVIL / f"{number}.png", 9 + number)
    (folder / EVIL / f"{EVIL}.png").write_bytes(b"GIF89a")
    prepared(folder)


def no_pattern(folder: Path) -> None:
    picture(folder / f"{EVIL}.png")
    prepared(folder, pattern="{class}_{n}.png")


def few_of_a_class(folder: Path) -> None:
    picture(folder / "cat" / "0.png")
    picture(folder / EVIL / "0.png", 1)
    prepared(folder)


def contradictions(folder: Path) -> None:
    for number in range(4):
        picture(folder / "cat" / f"{EVIL} {number}.png", number)
        picture(folder / EVIL / f"{number}.png", number)
    prepared(folder)


def no_folder(folder: Path) -> None:
    prepared(folder / EVIL)


def damaged_wav(folder: Path) -> None:
    for name in ("yes", EVIL):
        (folder / name).mkdir(parents=True)
        for number in range(4):
            (folder / name / f"{EVIL}{number}.wav").write_bytes(b"RIFF" + bytes([number]))
    prepared(folder, kind="audio_folder")


def labels(folder: Path) -> None:
    np.save(folder / EVIL, np.array([0, 7]))
    read_labels(folder / f"{EVIL}.npy", 2, 3)


def damaged_labels(folder: Path) -> None:
    (folder / EVIL).write_bytes(b"\x93NUMPY")
    read_labels(folder / EVIL, 2, 3)


def network(folder: Path) -> None:
    (folder / f"{EVIL}.tflite").write_bytes(b"TFL3" * 9)
    import_tflite(folder / f"{EVIL}.tflite")


def no_toml(folder: Path) -> None:
    (folder / f"{EVIL}.toml").write_text("= 3")
    read_toml(folder / f"{EVIL}.toml", Spec)


@pytest.mark.parametrize(
    "breaks",
    [
        odd_class, odd_file, empty_class, damaged_image, no_pattern, few_of_a_class, contradictions, no_folder,
        damaged_wav, labels, damaged_labels, network, no_toml,
    ],
)  # fmt: skip
def test_names_of_files_and_classes(breaks: Callable[[Path], None], tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    with pytest.raises(BuildError) as refusal:
        breaks(folder)
    assert is_one_line(str(refusal.value)) and "\\nERROR: build:net: forged" in str(refusal.value)


def quoted(text: str) -> str:
    """A basic string of TOML."""
    return '"' + "".join(f"\\U{ord(letter):08x}" for letter in text) + '"'


@pytest.mark.parametrize(
    "text", [EVIL, "\0", "a\x1b[2K\u2066b", "x" * 3000 + EVIL], ids=["lines", "NUL", "marks", "long"]
)
@pytest.mark.parametrize(
    "line",
    [
        "{} = 3", "budget = {{ {} = 3 }}", "task = {}", "arch = {}", "board = {}", "bits = {}", "dataset = {}",
        "budget.sram = {}", "budget.latency = {}", "budget.accuracy = {}", "dataset.kind = {}", "dataset.pattern = {}",
        'dataset = {{ kind = "image_folder", path = "x", pattern = "{{class}}.png", group = {} }}',
        "dataset = {{ kind = {}, path = {} }}", "dataset.sample_rate = {}", "engine.input = {}", "firmware.prefix = {}",
        "firmware.toolchain = {}", "measure.runner = {}", "measure.remote = {}", "model.file = {}", "model.output = {}",
        "supernet.schedule = {}", "quantize.tolerance = {}", "space.widths = [{}]", "report.mistakes = {}",
    ],
)  # fmt: skip
def test_keys_and_values_of_specs(line: str, text: str, tmp_path: Path) -> None:
    """Every problem is a line that begins with the file, and there is no other line."""
    path = tmp_path / "net.toml"
    path.write_text(line.replace("{}", quoted(text)).replace("{{", "{").replace("}}", "}") + "\n", encoding="utf-8")
    with pytest.raises(BuildError) as refusal:
        read_spec(path)
    assert all(is_one_line(told) for told in str(refusal.value).split("\n"))
    assert all(told.startswith(f"{path}:") for told in refusal.value.args)


@pytest.mark.parametrize("text", [EVIL, "\0", "x" * 3000 + EVIL], ids=["lines", "NUL", "long"])
@pytest.mark.parametrize("key", ["core", "dsp", "fpu", "clock", "clock_setup", "boot", "cache.line", "memory", "odd"])
def test_values_of_boards(key: str, text: str, tmp_path: Path) -> None:
    lines = board_files()["stm32f412"].read_text().split("\n")
    kept = [line for line in lines if not line.startswith(f"{key} =")]
    at = next(number for number, line in enumerate(kept) if line.startswith("["))
    path = tmp_path / "evil.toml"
    path.write_text("\n".join([*kept[:at], f"{key} = {quoted(text)}", *kept[at:]]), encoding="utf-8")
    with pytest.raises(BuildError) as refusal:
        read_toml(path, Board, {"name": "evil"})
    assert all(is_one_line(told) for told in str(refusal.value).split("\n"))
    assert all(told.startswith(f"{path}:") for told in refusal.value.args)


def test_a_spec_whose_name_has_lines_is_told_in_one(tmp_path: Path) -> None:
    path = tmp_path / f"{EVIL}.toml"
    path.write_text('task = "x"\n')
    _, broken = read_specs([path], [])
    ((name, reason),) = broken.items()
    assert name.isprintable() and reason.isprintable() and name.startswith(ESCAPED)


def test_what_is_not_refused_but_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell(f"{EVIL}: told")
    (tmp_path / EVIL).touch()
    replaced(tmp_path / EVIL)
    first, second, rest = capsys.readouterr().err.split("\n")
    assert first == f"  {ESCAPED}\\tc: told" and is_one_line(second) and ESCAPED in second and not rest


@pytest.mark.parametrize("drawn", [False, True])
def test_what_a_report_from_elsewhere_says(drawn: bool) -> None:
    show([Change("spec", EVIL, EVIL, "b")], "a", "b", out := io.StringIO(), drawn=drawn)
    assert "\nERROR" not in out.getvalue() and out.getvalue().replace("\n", "").isprintable()


def test_cautions_name_files(tmp_path: Path) -> None:
    """They become lines where they are shown; in JSON they are as they are."""
    folder = tmp_path / "pets"
    for number in range(60):
        picture(folder / ("cat", "dog")[number % 2] / f"{number}.png", number)
    (folder / "dog" / f"{EVIL}.png").write_bytes((folder / "cat" / "0.png").read_bytes())
    prepared(folder)
    assert any(EVIL in caution for caution in read_inventory(tmp_path / "out" / "inventory.json").cautions)
