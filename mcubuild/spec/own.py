"""Kinds of data sets that mcubuild does not bring: a project's own, ``kinds/<kind>.py``, and those of other packages.

A package names them by entry points of the group ``mcubuild.kinds``, each a module. The project's come before those of
mcubuild with the same name, those of packages after. Files whose names begin with ``_`` are no kinds: others import
them (``from kinds._common import ...``).
"""

import importlib.util
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from mcubuild.errors import BuildError, shortened

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

FOLDER = Path("kinds")
"""Of the project, which is the working directory."""
GROUP = "mcubuild.kinds"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Origin:
    """Where a kind's module is."""

    name: str
    """Dotted."""
    file: Path
    """Relative to the project, where it is the project's."""
    root: Path
    """The folder that Python finds its package in."""

    @property
    def package(self) -> str:
        """The one that its module is in."""
        return self.name.partition(".")[0]


def names() -> list[str]:
    """The project's own kinds.

    Raises:
        BuildError: a file there has a name that no kind can have.
    """
    files = sorted(path for path in FOLDER.glob("*.py") if not path.name.startswith(("_", ".")))
    for path in files:
        if not _NAME.fullmatch(path.stem):
            raise BuildError(
                f"{path}: a kind's name has small letters, digits and _ alone; rename the file, or let its name begin "
                f"with _ if it is no kind."
            )
    return [path.stem for path in files]


@cache
def packaged() -> "dict[str, EntryPoint]":
    """The kinds of installed packages."""
    from importlib.metadata import entry_points  # takes its time

    return {point.name: point for point in entry_points(group=GROUP)}


def origin(name: str, *, packages: bool = False) -> Origin | None:
    """Where the kind ``name`` is from: the project, or, if asked, an installed package; None if from neither.

    Raises:
        BuildError: the package does not have the module that it names.
    """
    if (file := FOLDER / f"{name}.py").is_file() and _NAME.fullmatch(name):
        return Origin(f"kinds.{name}", file, Path())
    if packages and (point := packaged().get(name)) is not None:
        try:
            found = importlib.util.find_spec(point.module)
        except ImportError:
            found = None
        if found is None or found.origin is None:
            distribution = point.dist.name if point.dist else "a package"
            raise BuildError(f"{distribution}: its kind {name} is to be the module {point.module}, which is not there.")
        file = Path(found.origin)
        return Origin(point.module, file, file.parents[point.module.count(".") + (file.name == "__init__.py")])
    return None


@cache
def load(source: Origin) -> ModuleType:
    """The module of a kind.

    Raises:
        BuildError: it cannot be imported.
    """
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # for what it imports of kinds/, here and in other processes
    with telling(source.file):
        found = importlib.util.spec_from_file_location(source.name, source.file)
        assert found is not None and found.loader is not None
        module = importlib.util.module_from_spec(found)
        sys.modules[source.name] = module
        try:
            found.loader.exec_module(module)
        except BaseException:
            del sys.modules[source.name]
            raise
    return module


@contextmanager
def telling(file: Path) -> Iterator[None]:
    """Whatever goes wrong inside is told of the user's Python ``file`` and its line.

    Raises:
        BuildError: names them; one that is raised inside stays as it is.
    """
    try:
        yield
    except BuildError:
        raise
    except SyntaxError as error:
        raise BuildError(f"{_placed(error.filename, file)}:{error.lineno}: {error.msg}.") from None
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if _same(frame.filename, file)]
        where = f"{file}:{lines[-1]}" if lines else f"{file}"
        said = shortened(" ".join(str(error).split()), 240)
        raise BuildError(f"{where}: {type(error).__name__}{f': {said}' if said else ''}.") from None


def _same(name: str, file: Path) -> bool:
    return Path(name).exists() and file.exists() and Path(name).samefile(file)


def _placed(name: str | None, file: Path) -> Path:
    """The file ``name``, relative to the project if it is there."""
    found = Path(name or file).absolute()
    return found.relative_to(Path.cwd()) if found.is_relative_to(Path.cwd()) else found
