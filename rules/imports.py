"""Which source files and libraries a stage depends on: everything its module imports, directly or not.

Found by reading import statements, nested ones included, without importing anything; so the graph is built in
milliseconds, and a module that a stage starts to import counts from that moment on. A package that looks for its
modules itself (``pkgutil.iter_modules``) imports all of them.
"""

import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "PIL": ("pillow",),
    "capstone": ("capstone",),
    "elftools": ("pyelftools",),
    "jinja2": ("jinja2", "markupsafe"),
    "msgspec": ("msgspec",),
    "numpy": ("numpy",),
    "pydantic": ("pydantic", "pydantic-core"),
    "safetensors": ("safetensors",),
    "scipy": ("scipy",),
    "sklearn": ("scikit-learn",),
    "tflite": ("tflite", "flatbuffers"),
    "tomli": ("tomli",),
    "torch": ("torch",),
    "unicorn": ("unicorn",),
    "ziglang": ("ziglang",),
}
"""Libraries whose version can change a result: import name -> distribution, and those that it leaves work to."""

WITHOUT_INFLUENCE: Mapping[str, str] = {
    "distributed": "says where networks are judged; every machine has to have the same code and PyTorch",
    "doit": "decides when stages run",
    "pyocd": "measures silicon, which the store does not keep",
    "rich": "draws on the terminal",
    "setuptools": "packs mcubuild",
}
"""All other libraries, and why no result depends on their version."""


FLOATING = frozenset({"scipy", "torch"})
"""Distributions whose results differ by a last bit between kinds of processors."""

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n(]+)|import[ \t]+([^\n]+))", re.MULTILINE
)
"""An import statement. A regular expression, because parsing every file would take a third of a no-op build."""


@cache
def imported(path: Path) -> frozenset[str]:
    """Dotted names in the import statements of a file; ``from a import b`` gives a and a.b."""
    names = set()
    for package, members, modules in _IMPORT.findall(path.read_text(encoding="utf-8")):
        if package:
            names.add(package)
            names.update(f"{package}.{name}" for name in _names(members.strip("()")))
        else:
            names.update(_names(modules))
    return frozenset(names)


def _names(listed: str) -> list[str]:
    """Names of a comma-separated list as it stands behind ``import``, without aliases and comments."""
    without_comments = re.sub(r"#[^\n]*", "", listed)
    return [words[0] for item in without_comments.split(",") if (words := item.split())]


@cache
def _modules(root: Path, package: str) -> dict[str, Path]:
    """The source file of every module of ``package``, by dotted name; a package's is its ``__init__.py``."""
    modules = {}
    for path in (root / package).rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def _executed(name: str, modules: dict[str, Path]) -> list[Path]:
    """The source files that importing the dotted ``name`` executes: the packages on the way and the module."""
    parts = name.split(".")
    prefixes = (".".join(parts[: count + 1]) for count in range(len(parts)))
    return [modules[prefix] for prefix in prefixes if prefix in modules]


@cache
def library_version(library: str) -> str:
    """Version of the installed distribution ``library``."""
    return version(library)


def python_version() -> str:
    """Version of Python, and so of its standard library, without corrections."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


@cache
def dependencies(module: Path, root: Path, package: str) -> tuple[tuple[Path, ...], dict[str, str]]:
    """Source files of ``package`` that ``module`` reaches through imports, and versions of the libraries.

    Args:
        module: the Python file to start from; it belongs to the result.
        root: folder that holds ``package``.
        package: only its modules are followed.

    Returns:
        The files, sorted; versions by distribution, and of Python.
    """
    modules = _modules(root, package)
    pending, files, names = [module], {module}, set[str]()
    while pending:
        path = pending.pop()
        listed = imported(path)
        if "pkgutil.iter_modules" in listed:
            listed |= {name for name, module in modules.items() if module.parent == path.parent}
        fresh = listed - names
        names |= fresh
        for name in fresh:
            found = [path for path in _executed(name, modules) if path not in files]
            files.update(found)
            pending.extend(found)
    libraries = {library for name in names for library in LIBRARIES.get(name.split(".")[0], ())}
    versions = {library: library_version(library) for library in sorted(libraries)}
    return tuple(sorted(files)), {**versions, "python": python_version()}
