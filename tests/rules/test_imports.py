"""What a stage depends on: the code that it reaches, and the libraries."""

import re
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

from mcubuild import ROOT
from rules.execute import arithmetic_of, code_of
from rules.graph import STAGES
from rules.imports import LIBRARIES, WITHOUT_INFLUENCE, dependencies
from rules.known import FILES, Files
from rules.stage import Stage

SOURCES = sorted([*(ROOT / "mcubuild").rglob("*.py"), *(ROOT / "rules").rglob("*.py")])
UNRELATED = {
    "annotated-types": "names of constraints",
    "certifi": "of requests",
    "charset-normalizer": "of requests",
    "cloudpickle": "of joblib",
    "filelock": "downloads of torch's models",
    "fsspec": "downloads of torch's models",
    "idna": "of requests",
    "importlib-resources": "finds a library's own files",
    "joblib": "parallel fits of scikit-learn, which only brings the digits",
    "mpmath": "of sympy",
    "narwhals": "data frames",
    "networkx": "of torch's compiler",
    "setuptools": "of torch's compiler",
    "sympy": "of torch's compiler",
    "threadpoolctl": "parallel fits of scikit-learn",
    "typing-extensions": "types",
    "typing-inspection": "types",
}
"""What libraries require besides, and what for: nothing that a stage calls computes with it."""
PINNED = ("nvidia-", "triton", "cuda-")
"""Parts of torch: each version of it requires one version of them."""


def test_nested_and_indirect_imports_count(tmp_path: Path) -> None:
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "a.py").write_text("def f():\n    from pack import (\n        b,  # why\n        g,\n    )\n")
    (package / "b.py").write_text("import numpy as np, os\n")
    (package / "other.py").write_text("import torch\n")
    start = tmp_path / "start.py"
    start.write_text("import pack.a\n")
    files, libraries = dependencies(start, tmp_path, "pack", Files(None))
    assert [path.name for path in files] == ["__init__.py", "a.py", "b.py", "start.py"]
    assert set(libraries) == {"numpy", "python"}


def test_stages_depend_on_the_code_they_run() -> None:
    """A stage without library code would be rebuilt too rarely."""
    for stage in STAGES:
        files, _ = code_of(stage)
        assert any(path.is_relative_to(ROOT / "mcubuild") for path in files), stage.name


TRAINS = {"checkpoint", "data", "errors", "files", "ir", "nas", "npz", "processor", "settings", "spec", "tasks"}
PLANS = {
    "board",
    "cores",
    "engine",
    "errors",
    "ir",
    "nas",
    "processes",
    "project",
    "quantities",
    "settings",
    "spec",
    "units",
}
RUNS = {
    "artifacts",
    "board",
    "cores",
    "errors",
    "measure",
    "project",
    "quantities",
    "settings",
    "spec",
    "toolchain",
    "units",
}
BRINGS = TRAINS | {"artifacts", "importers", "quant", "quantities", "units"}
REACHES = {
    "dataset": {"data", "errors", "npz", "processes", "quantities", "settings", "spec", "tasks", "units"},
    "outline": {"data", "errors", "npz", "spec"},
    "data": {"artifacts", "data", "errors", "escape", "npz", "report", "spec", "units"},
    "margin": PLANS | RUNS | {"bench", "data", "escape", "files", "npz", "report", "store", "tasks"},
    "space": PLANS,
    "pace": PLANS | TRAINS | {"artifacts", "store"},
    "race": TRAINS,
    "rest": PLANS | TRAINS | {"artifacts", "store"},
    "start": {"data", "errors", "ir", "nas", "npz", "spec"},
    "supernet": TRAINS,
    "search": PLANS | TRAINS | {"artifacts", "store"},
    "choose": {"artifacts", "errors", "nas"},
    "finetune": TRAINS,
    "scale": PLANS | TRAINS,
    "train": TRAINS,
    "widths": (PLANS - {"processes"}) | TRAINS | {"quant"},
    "quantize": TRAINS | {"quant"},
    "threshold": TRAINS | {"quant", "quantities", "units"},
    "import": BRINGS,
    "reference": BRINGS,
    "tune": RUNS | {"data", "engine", "escape", "files", "ir", "npz", "store", "tasks"},
    "codegen": (PLANS - {"nas", "processes"})
    | {"artifacts", "data", "escape", "importers", "npz", "tasks", "toolchain"},
    "firmware": (RUNS - {"measure", "spec"}) | {"engine", "escape"},
    "accuracy": TRAINS | {"artifacts", "quant", "quantities", "units"},
    "measure": RUNS | {"data", "npz"},
    "preprocess": RUNS | {"data", "engine", "escape", "ir", "npz"},
    "remote": RUNS | {"data", "engine", "escape", "npz"},
    "report": PLANS | RUNS | {"data", "escape", "files", "npz", "report", "store", "tasks"},
    "plain": TRAINS - {"ir"},
    "forest": TRAINS - {"ir"},
    "rung": (PLANS - {"processes"}) | RUNS | {"bench", "data", "escape", "files", "npz", "report", "store", "tasks"},
}
"""What a stage may depend on of mcubuild: whatever else is edited, its results are kept."""


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_reaches_nothing_but_the_rooms_that_it_needs(stage: Stage) -> None:
    parts = [path.relative_to(ROOT).with_suffix("").parts for path in code_of(stage)[0]]
    rooms = {part[1] for part in parts if part[0] == "mcubuild"} - {"__init__"}
    assert rooms == REACHES[stage.name]


def test_what_training_reaches_of_the_engine_and_of_the_graph() -> None:
    """How windows lie on images, but no kernel: those change every day, and a super network takes hours."""
    for stage in STAGES:
        if stage.name in ("race", "supernet", "finetune", "train"):
            reached = {path.relative_to(ROOT / "mcubuild").as_posix() for path in code_of(stage)[0][:-1]}
            assert {name for name in reached if name.startswith("ir/")} == {"ir/__init__.py", "ir/geometry.py"}


def test_modules_that_are_looked_for_count(tmp_path: Path) -> None:
    package = tmp_path / "pack" / "plugins"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from pkgutil import iter_modules\n")
    (package / "a.py").write_text("import torch\n")
    (tmp_path / "pack" / "other.py").touch()
    start = tmp_path / "start.py"
    start.write_text("import pack.plugins\n")
    files, libraries = dependencies(start, tmp_path, "pack", Files(None))
    assert [path.name for path in files] == ["__init__.py", "a.py", "start.py"]
    assert set(libraries) == {"torch", "python"}


def test_every_kernel_counts() -> None:
    kernels = {path for path in SOURCES if path.is_relative_to(ROOT / "mcubuild/engine/kernels")}
    for stage in STAGES:
        if stage.name in ("space", "search", "scale", "codegen"):
            assert kernels <= set(code_of(stage)[0]), stage.name


def test_every_library_has_a_version_in_keys_or_a_reason_why_not() -> None:
    found = {name.split(".")[0] for path in [*SOURCES, ROOT / "dodo.py"] for name in FILES.code(path).imports}
    others = {name for name in WITHOUT_INFLUENCE if not name.startswith("mcubuild.")}
    assert found - {*sys.stdlib_module_names, "mcubuild", "rules"} == set(LIBRARIES) | others
    assert not set(LIBRARIES) & set(WITHOUT_INFLUENCE)


def test_what_libraries_leave_to_others_is_known() -> None:
    """A library may come to require another one."""
    known = {library for libraries in LIBRARIES.values() for library in libraries}
    for library in known:
        for required in requires(library) or []:
            name = re.match(r"[\w.-]+", required)
            assert name is not None
            normal = re.sub(r"[-_.]+", "-", name[0]).lower()
            if "extra ==" not in required and not normal.startswith(PINNED):
                assert normal in known | UNRELATED.keys(), f"{library} requires {required}"


@pytest.mark.parametrize(
    ("stage", "libraries"),
    [
        ("dataset", {"msgspec", "numpy", "pillow", "scipy", "pydantic", "pydantic-core", "tomli"}),
        ("supernet", {"torch", "safetensors", "numpy", "pydantic", "tomli"}),
        ("quantize", {"torch", "safetensors"}),
        ("import", {"tflite", "flatbuffers"}),
        ("codegen", {"jinja2", "markupsafe"}),
        ("measure", {"unicorn", "ziglang", "capstone", "pyelftools"}),
    ],
)
def test_a_stage_depends_on_all_libraries_that_it_reaches(stage: str, libraries: set[str]) -> None:
    (found,) = (code_of(one)[1] for one in STAGES if one.name == stage)
    assert libraries | {"python"} <= set(found)


def test_what_computes_belongs_to_the_keys_of_all_that_trains_and_of_no_firmware() -> None:
    depending = {stage.name for stage in STAGES if arithmetic_of(stage)}
    trained = {"pace", "race", "rest", "start", "supernet", "search", "finetune", "scale", "train", "quantize"}
    rounded = {"accuracy", "widths", "threshold", "dataset"}  # whose spectrograms are floating point
    brought = {"import", "reference"}  # of networks in floating point
    compared = {"plain", "forest"}
    assert depending == trained | rounded | brought | compared
