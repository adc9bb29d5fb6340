"""What the stage codegen knows of the data set reaches the C, and costs the measured firmware nothing."""

import zipfile
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.data.front_end import FrontEnd
from mcubuild.data.splits import Index, write_index
from mcubuild.ir.files import write_graph
from mcubuild.spec.spec import read_spec
from rules.execute import execute
from rules.known import Files
from rules.stage import pipeline
from rules.stages import codegen, dataset, firmware

SPEC = """
task = "image_classification"
dataset = "digits"
board = "stm32f412"
"""
SOUNDS = FrontEnd("log_mel", 16000, 16000, 512, 256, 512, 32, 20.0, 8000.0, (0.0,), (1.0,))


def built(folder: Path, front_end: FrontEnd | None, prefix: str = "model") -> str:
    """The header; the network and the data set's index lie in ``folder``."""
    (folder / "net.toml").write_text(f'{SPEC}[firmware]\nprefix = "{prefix}"\n')
    spec, board = read_spec(folder / "net.toml")
    documents = {"spec": spec.model_dump(mode="json"), "board": board.model_dump(mode="json"), "folder": str(folder)}
    sketch = Sketch((1, 8, 8, 1))
    sketch.fully_connected(sketch.pool(sketch.conv("input", 8, 3, 2)), 2)
    write_graph(with_random_values(sketch.graph()), folder)
    task = "image_classification" if front_end is None else "audio_classification"
    write_index(Index("x", task, ("a cat", 'a "dog"'), 8, 8, 1, front_end), folder / "index.json")
    _, *stages = pipeline((dataset.STAGE, codegen.STAGE, firmware.STAGE), documents)
    for stage in stages:
        execute(stage, documents, folder, Files(folder / "files.db"))
    return (folder / "c" / f"{prefix}.h").read_text()


@pytest.mark.parametrize("front_end", [None, SOUNDS])
def test_classes_and_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, front_end: FrontEnd | None) -> None:
    monkeypatch.setenv("MCUBUILD_STORE", str(tmp_path / "store"))
    header = built(tmp_path, front_end)
    assert "#define MODEL_CLASSES 2\n" in header
    assert r'"a \042dog\042"' in header
    assert ("void model_preprocess(" in header) == (front_end is None)
    with (tmp_path / "firmware.elf").open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        symbols = {symbol.name for symbol in table.iter_symbols()}
    assert "model_run" in symbols and "model_preprocess" not in symbols


def test_a_prefix_names_the_files_and_replaces_those_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCUBUILD_STORE", str(tmp_path / "store"))
    built(tmp_path, None)
    (tmp_path / "c" / "mine.c").write_text("int mine;\n")
    assert "#define KWS_CLASSES 2\n" in built(tmp_path, None, "kws")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        written = {name for name in archive.namelist() if name.endswith((".c", ".h", ".S"))}
    names = {"kws.c", "kws.h", "kws_weights.c", "kws_weights.h", "kws_kernels.S", "kws_preprocess.c"}
    assert written == {f"kws/{name}" for name in names}
    others = {"README.md", "CMakeLists.txt", "plan.json", "firmware", "mine.c"}
    assert {path.name for path in (tmp_path / "c").iterdir()} == names | others
    assert "#define MODEL_CLASSES 2\n" in built(tmp_path, None)
    assert not list((tmp_path / "c").glob("kws*"))
