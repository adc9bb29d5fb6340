"""Which source files and libraries a stage depends on: everything its module imports, directly or not.

Found by reading import statements, nested ones included, without importing anything; so the graph is built in
milliseconds, and a module that a stage starts to import counts from that moment on. A package that looks for its
modules itself (``pkgutil.iter_modules``) imports all of them; one that asks the room of a task (``in_room``) imports
the module of its own name there, and in every room if the task is not known. One that looks for files of a package
(``importlib.resources``) depends on all beside it that are no modules.
"""

import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import resolve_name
from pathlib import Path

from rules.known import Files

LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "PIL": ("pillow",),
    "capstone": ("capstone",),
    "elftools": ("pyelftools",),
    "flatbuffers": ("flatbuffers",),
    "jinja2": ("jinja2", "markupsafe"),
    "msgspec": ("msgspec",),
    "numpy": ("numpy",),
    "onnx": ("onnx", "protobuf", "ml-dtypes"),
    "pydantic": ("pydantic", "pydantic-core"),
    "safetensors": ("safetensors",),
    "scipy": ("scipy",),
    "sklearn": ("scikit-learn",),
    "tflite": ("tflite", "flatbuffers"),
    "tomli": ("tomli",),
    "torch": ("torch",),
    "unicorn": ("unicorn",),
    "yaml": ("pyyaml",),
    "ziglang": ("ziglang",),
}
"""Libraries whose version can change a result: import name -> distribution, and those that it leaves work to."""

WITHOUT_INFLUENCE: Mapping[str, str] = {
    "mcubuild.lifeline": "ends processes whose parent is gone",
    "mcubuild.progress": "draws on the terminal",
    "distributed": "says where networks are judged; every machine has to have the same code and PyTorch",
    "doit": "decides when stages run",
    "fsspec": "brings artifacts of a shared store, which are verified by hash",
    "pyocd": "measures silicon, which the store does not keep",
    "requests": "brings archives, whose content is known by checksums",
    "rich": "draws on the terminal",
    "urllib3": "of requests",
    "setuptools": "packs mcubuild",
}
"""All other libraries, and modules of ours, and why no result depends on their version."""

FLOATING = frozenset({"scipy", "torch"})
"""Distributions whose results differ by a last bit between kinds of processors."""


@cache
def _modules(root: Path, package: str) -> dict[str, Path]:
    """The source file of every module of ``package``, by dotted name; a package's is its ``__init__.py``."""
    modules = {}
    for path in (root / package).rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


@cache
def _names_of(root: Path, package: str) -> dict[Path, str]:
    """The dotted name of every source file of ``package``."""
    return {path: name for name, path in _modules(root, package).items()}


def _executed(name: str, modules: dict[str, Path]) -> list[Path]:
    """The source files that importing the dotted ``name`` executes: the packages on the way and the module."""
    parts = name.split(".")
    prefixes = (".".join(parts[: count + 1]) for count in range(len(parts)))
    return [modules[prefix] for prefix in prefixes if prefix in modules]


@cache
def library_version(library: str) -> str:
    """Version of the distribution ``library``; "none" of an optional one that is not installed."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"


def python_version() -> str:
    """Version of Python, and so of its standard library, without corrections."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


@cache
def dependencies(
    module: Path, root: Path, package: str, known: Files, room: str | None = None
) -> tuple[tuple[Path, ...], dict[str, str]]:
    """Files of ``package`` that ``module`` reaches through imports, and versions of the libraries.

    Args:
        module: the Python file to start from; it belongs to the result.
        root: folder that holds ``package``.
        package: only its modules are followed, but for those ``WITHOUT_INFLUENCE``.
        known: reads the files.
        room: the package beside ``mcubuild.tasks``'s modules that is asked for a task; None: any.

    Returns:
        The files, sorted; versions by distribution, and of Python.
    """
    pending, files, names = [module], {module}, set[str]()
    while pending:
        path = pending.pop()
        imports, executed = _imported(path, root, package, known)
        if "mcubuild.tasks.in_room" in imports:
            modules = _modules(root, package)
            asked = {name for name, module in modules.items() if _in_the_room(room, module, path)}
            imports, executed = imports | asked, executed.union(*(_executed(name, modules) for name in asked))
        names |= imports
        pending += executed - files
        files |= executed
    libraries = {library for name in names for library in LIBRARIES.get(name.split(".")[0], ())}
    versions = {library: library_version(library) for library in sorted(libraries)}
    return tuple(sorted(files)), {**versions, "python": python_version()}


@cache
def _imported(path: Path, root: Path, package: str, known: Files) -> tuple[frozenset[str], frozenset[Path]]:
    """What the file ``path`` imports that may have influence: dotted names, and the files that it reads then."""
    modules, names_of = _modules(root, package), _names_of(root, package)
    names = {_absolute(name, path, names_of) for name in known.code(path).imports}
    if "pkgutil.iter_modules" in names:
        names |= {name for name, module in modules.items() if module.parent == path.parent}
    files = set[Path]()
    if "importlib.resources" in names:
        files.update(beside for beside in path.parent.glob("[!.]*") if beside.is_file() and beside.suffix != ".py")
    names = {name for name in names if not _without_influence(name)}
    return frozenset(names), frozenset(files.union(*(_executed(name, modules) for name in names)))


def _in_the_room(room: str | None, module: Path, asking: Path) -> bool:
    """Whether ``module`` is of the package ``room`` (None: any) beside the file ``asking``, and called like it."""
    beside = module.name == asking.name and module.parent.parent == asking.parent
    return beside and module.parent.name == (room or module.parent.name)


def _absolute(name: str, path: Path, names_of: Mapping[Path, str]) -> str:
    """What a relative import in the file ``path`` names."""
    if not name.startswith("."):
        return name
    module = names_of.get(path, "")
    return resolve_name(name, module if path.name == "__init__.py" else module.rpartition(".")[0])


def _without_influence(name: str) -> bool:
    """Whether ``name`` is one of such a module, or of what it defines."""
    return any(f"{name}.".startswith(f"{module}.") for module in WITHOUT_INFLUENCE)
