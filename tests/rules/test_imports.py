"""The import statements that decide what a stage depends on."""

import ast
from pathlib import Path

import pytest

from mcubuild import ROOT
from rules.execute import code_of
from rules.graph import STAGES
from rules.imports import dependencies, imported

SOURCES = sorted([*(ROOT / "mcubuild").rglob("*.py"), *(ROOT / "rules").rglob("*.py")])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_import_statement_is_found(path: Path) -> None:
    wanted: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            wanted.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path}: imports are absolute"
            wanted.add(node.module)
            wanted.update(f"{node.module}.{alias.name}" for alias in node.names)
    assert wanted <= imported(path)


def test_nested_and_indirect_imports_count(tmp_path: Path) -> None:
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "a.py").write_text("def f():\n    from pack import (\n        b,  # why\n        g,\n    )\n")
    (package / "b.py").write_text("import numpy as np, os\n")
    (package / "other.py").write_text("import torch\n")
    start = tmp_path / "start.py"
    start.write_text("import pack.a\n")
    files, libraries = dependencies(start, tmp_path, "pack")
    assert [path.name for path in files] == ["__init__.py", "a.py", "b.py", "start.py"]
    assert set(libraries) == {"numpy"}


def test_stages_depend_on_the_code_they_run() -> None:
    """A stage without library code would be rebuilt too rarely."""
    for stage in STAGES:
        files, _ = code_of(stage)
        assert any(path.is_relative_to(ROOT / "mcubuild") for path in files), stage.name


def test_modules_that_are_looked_for_count(tmp_path: Path) -> None:
    package = tmp_path / "pack" / "plugins"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from pkgutil import iter_modules\n")
    (package / "a.py").write_text("import torch\n")
    (tmp_path / "pack" / "other.py").touch()
    start = tmp_path / "start.py"
    start.write_text("import pack.plugins\n")
    files, libraries = dependencies(start, tmp_path, "pack")
    assert [path.name for path in files] == ["__init__.py", "a.py", "start.py"]
    assert set(libraries) == {"torch"}


def test_every_kernel_counts() -> None:
    kernels = {path for path in SOURCES if path.is_relative_to(ROOT / "mcubuild/engine/kernels")}
    for stage in STAGES:
        if stage.name in ("space", "search", "scale", "codegen"):
            assert kernels <= set(code_of(stage)[0]), stage.name
