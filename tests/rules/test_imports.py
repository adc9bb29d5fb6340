"""What a stage depends on: the code that it reaches, and the libraries."""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import requires
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from mcubuild import ROOT
from mcubuild.board import Board
from mcubuild.spec.spec import Spec
from mcubuild.tasks import ROOMS
from rules.execute import arithmetic_of, code_of
from rules.graph import STAGES
from rules.imports import LIBRARIES, WITHOUT_INFLUENCE, dependencies
from rules.job import Job
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


TRAINS = {
    "checkpoint", "data", "errors", "files", "ir", "nas", "npz", "processor", "resolution", "settings", "spec", "tasks",
}  # fmt: skip
PLANS = {
    "artifacts",
    "board",
    "cores",
    "engine",
    "errors",
    "ir",
    "nas",
    "processes",
    "project",
    "quantities",
    "resolution",
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
    "resolution",
    "settings",
    "spec",
    "toolchain",
    "units",
}
BRINGS = TRAINS | {"artifacts", "importers", "quant", "quantities", "units"}
REACHES = {
    "dataset": {"data", "errors", "npz", "processes", "quantities", "resolution", "settings", "spec", "tasks", "units"},
    "outline": {"data", "errors", "npz", "quantities", "resolution", "settings", "spec", "units"},
    "data": {"artifacts", "data", "errors", "escape", "npz", "report", "resolution", "spec", "units"},
    "margin": PLANS | RUNS | {"bench", "data", "escape", "files", "npz", "report", "store", "tasks"},
    "space": PLANS,
    "pace": PLANS | TRAINS | {"artifacts", "cluster", "store"},
    "race": TRAINS | {"artifacts"},
    "rest": PLANS | TRAINS | {"artifacts", "cluster", "store"},
    "start": {"data", "errors", "ir", "nas", "npz", "resolution", "spec"},
    "supernet": TRAINS,
    "search": PLANS | TRAINS | {"artifacts", "cluster", "store"},
    "choose": {"artifacts", "errors", "nas", "resolution"},
    "finetune": TRAINS,
    "scale": PLANS | TRAINS,
    "train": TRAINS,
    "widths": (PLANS - {"processes"}) | TRAINS | {"quant"},
    "quantize": TRAINS | {"artifacts", "quant"},
    "threshold": TRAINS | {"artifacts", "quant", "quantities", "units"},
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
    "rung": (PLANS - {"nas", "processes"})
    | RUNS
    | {"bench", "data", "escape", "files", "npz", "report", "store", "tasks"},
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
            reached = {path.relative_to(ROOT).as_posix() for path in code_of(stage)[0]}
            graph = {"mcubuild/ir/__init__.py", "mcubuild/ir/geometry.py"}
            assert {name for name in reached if name.startswith("mcubuild/ir/")} == graph


def test_a_stage_asks_the_room_of_its_task_alone() -> None:
    """A better loss for detectors trains no classifier again."""
    for stage in STAGES:
        any_room = set(code_of(stage)[0])
        for task, room in ROOMS.items():
            left_out = any_room - set(code_of(replace(stage, task=task))[0])
            assert all(path.is_relative_to(ROOT / "mcubuild") for path in left_out)
            assert not any(path.parent.name == room for path in left_out)
            if stage.name in ("race", "supernet", "search", "finetune", "train"):
                kept = {path.parent.name for path in any_room - left_out if path.name == "learning.py"}
                assert kept == {"tasks", room}


def _of_rules(stage: Stage) -> Iterator[tuple[str, object]]:
    """What the functions that a stage runs take from modules of ``rules`` other than its own, by name."""
    module = sys.modules[stage.run.__module__]
    pending, seen = [stage.run.__name__], set[str]()
    while pending:
        name = pending.pop()
        seen.add(name)
        tree = ast.parse(inspect.getsource(vars(module)[name]))
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & vars(module).keys()
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                owner = vars(module).get(node.value.id)
                if inspect.ismodule(owner) and owner.__name__.startswith("rules"):
                    yield f"{node.value.id}.{node.attr}", getattr(owner, node.attr)
        for name in used - seen:
            value = vars(module)[name]
            if inspect.isfunction(value) and value.__module__ == module.__name__:
                pending.append(name)
            elif name in _imported(module):
                yield name, value


def _imported(module: ModuleType) -> set[str]:
    """What a module has of others of ``rules`` by import."""
    tree = ast.parse(inspect.getsource(module))
    froms = [node for node in tree.body if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rules")]
    names = {alias.asname or alias.name for node in froms for alias in node.names}
    return {name for name in names if not inspect.ismodule(vars(module)[name])}


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_of_rules_a_stage_runs_its_own_module_and_takes_names_of_artifacts(stage: Stage) -> None:
    """Other modules of ``rules`` say what is run when, and are no part of keys."""
    artifacts = {*stage.inputs, *stage.optional, *stage.outputs}
    for name, value in _of_rules(stage):
        taken = {value} if isinstance(value, str) else set(value) if isinstance(value, tuple) else {value}
        assert value is Job or taken <= artifacts, f"{stage.name} runs with {name}"


def _classes(annotation: Any) -> set[type]:
    """Those of mcubuild in a type and, if these are settings, in their fields."""
    found = set[type]().union(*map(_classes, get_args(annotation)))
    if isinstance(annotation, type) and annotation.__module__.startswith("mcubuild."):
        found |= {one for one in annotation.__mro__ if one.__module__.startswith("mcubuild.")}
        if issubclass(annotation, BaseModel):
            found |= set[type]().union(*(_classes(field.annotation) for field in annotation.model_fields.values()))
    return found


def _annotation(setting: str) -> Any:
    """The type of a field of the spec."""
    found: Any = Board if setting == "board" else Spec
    for key in [] if setting in ("board", "spec") else setting.split("."):
        (model,) = (one for one in (found, *get_args(found)) if isinstance(one, type) and issubclass(one, BaseModel))
        found = model.model_fields[key].annotation
    return found


def _computes(kind: type) -> bool:
    """Whether settings of this class say more than their values: by methods and properties."""
    checks = getattr(kind, "__pydantic_decorators__", None)
    own = {name for name, value in vars(kind).items() if inspect.isfunction(value) or isinstance(value, property)}
    own -= {*checks.field_validators, *checks.model_validators} if checks else set()
    return any(not name.startswith("__") for name in own)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_what_settings_compute_is_reached(stage: Stage) -> None:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in code_of(stage)[0]]
    reached = {name.removesuffix(".__init__") for name in names}
    declared = {*stage.settings} - ({"spec"} if stage.name == "report" else set())  # which copies its values
    computing = {one for setting in declared for one in _classes(_annotation(setting)) if _computes(one)}
    assert {one.__module__ for one in computing} <= reached
    if "deployment" in stage.run.__code__.co_names:
        assert "mcubuild.spec.deployment" in reached


def test_what_hands_a_stage_its_settings_is_in_every_key() -> None:
    for stage in STAGES:
        assert ROOT / "rules" / "job.py" in code_of(stage)[0]


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


def test_files_that_are_looked_for_count(tmp_path: Path) -> None:
    package = tmp_path / "pack" / "tables"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from importlib.resources import files\n")
    for name in ("a.json", "other.py", ".a.json.swp"):
        (package / name).touch()
    start = tmp_path / "start.py"
    start.write_text("import pack.tables\n")
    files, _ = dependencies(start, tmp_path, "pack", Files(None))
    assert [path.name for path in files] == ["__init__.py", "a.json", "start.py"]


def test_costs_of_kernels_count_where_cycles_are_estimated_and_nowhere_else() -> None:
    estimating = {stage.name for stage in STAGES if "cortex-m4.json" in {path.name for path in code_of(stage)[0]}}
    searching = {"margin", "space", "pace", "rest", "search", "scale", "widths"}
    assert estimating == searching | {"tune", "codegen", "report", "rung"}


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
