"""The code of kinds of data sets that mcubuild does not bring, and the libraries that they use: parts of keys."""

import sys
from collections.abc import Mapping
from pathlib import Path

from mcubuild.data.kinds import brought
from mcubuild.errors import BuildError
from mcubuild.spec.own import Origin, origin
from rules.imports import dependencies, library_version
from rules.known import FILES
from rules.stage import Resolved

_OURS = ("mcubuild", "rules")


def _origin(resolved: Resolved) -> Origin | None:
    dataset = resolved["spec"]["dataset"]
    if dataset is None:
        return None
    return origin(dataset["kind"], packages=dataset["kind"] not in brought())


def own_code(resolved: Resolved) -> Mapping[str, Path]:
    """The Python files of the spec's kind of data set, if mcubuild does not bring it: its own and those it imports.

    Raises:
        BuildError: it imports a file of the project from outside of its folder, whose changes nobody would see.
    """
    return {} if (source := _origin(resolved)) is None else files_of(source)


def files_of(source: Origin) -> Mapping[str, Path]:
    """``own_code`` of a kind."""
    files, _ = dependencies(source.file, source.root, source.package, FILES)
    for file in files:
        for name in _imported(file):
            here = (Path(f"{name}.py"), Path(name))
            if name not in (source.package, *_OURS) and any(path.exists() for path in here) and source.root == Path():
                raise BuildError(
                    f"{file}: imports {name}, which lies in the project but outside of {source.package}/, so changes "
                    f"to it would go unnoticed; move it there, as {source.package}/_{name}.py."
                )
    return {file.relative_to(source.root).as_posix(): file for file in files}


def libraries(resolved: Resolved) -> dict[str, str]:
    """Versions of the packages that the spec's kind of data set imports, if mcubuild does not bring it."""
    source = _origin(resolved)
    if source is None:
        return {}
    others = {name for file in files_of(source).values() for name in _imported(file)}
    others -= {*sys.stdlib_module_names, *_OURS, *([source.package] if source.root == Path() else [])}
    return {f"package {name}": _version(name) for name in sorted(others)}


def _imported(file: Path) -> set[str]:
    """The packages that a Python file imports."""
    return {name.partition(".")[0] for name in FILES.code(file).imports if not name.startswith(".")}


def _version(name: str) -> str:
    """Version of what is imported as ``name``; "missing" where it is not there, which its import tells."""
    from importlib.metadata import PackageNotFoundError, packages_distributions, version

    try:
        return version(name)
    except PackageNotFoundError:
        distributions = packages_distributions().get(name, [])
        return " ".join(f"{one} {library_version(one)}" for one in sorted(set(distributions))) or "missing"
