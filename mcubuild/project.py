"""Files of a project and files that mcubuild brings, boards and templates: the project's own come first.

The project is the working directory: the folder with the ``dodo.py``, which doit makes that.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcubuild import ROOT
from mcubuild.errors import BuildError, shortened

OWN = ("boards", "kernels_templates")
"""Folders that a project may have, too: a file of its own counts instead of mcubuild's of the same name."""


def _brought(name: str) -> Path:
    """The folder ``name`` that mcubuild brings: inside the package where it is installed, beside it in its checkout."""
    installed = ROOT / "mcubuild" / name
    return installed if installed.is_dir() else ROOT / name


def folders(name: str) -> tuple[Path, ...]:
    """Where files of the folder ``name`` are looked for, the project's own folder first.

    Args:
        name: one of ``OWN``, or a folder in one of them: ``"kernels_templates/model"``.

    Returns:
        The project's, if it has one, relative to the working directory; that of mcubuild, absolute.
    """
    own, brought = Path(name), _brought(name)
    if own.is_dir() and not own.samefile(brought):
        return own, brought
    return (brought,)


def files(pattern: str) -> dict[str, Path]:
    """The files that match ``pattern``, as a stage names them, by names that are the same wherever mcubuild lies.

    Args:
        pattern: ``boards/*.toml``, ``kernels_templates/**/*``, ``mcubuild/measure/*.c``, ...
    """
    top, _, below = pattern.partition("/")
    found = dict[str, Path]()
    for folder in reversed(folders(top)) if top in OWN else (ROOT / top,):
        for path in folder.glob(below):
            if path.is_file():
                found[f"{top}/{path.relative_to(folder).as_posix()}"] = path
    return dict(sorted(found.items()))


@contextmanager
def telling_templates() -> Iterator[None]:
    """Whatever goes wrong inside in a template of the project's own is told of its file and line.

    Raises:
        BuildError: names them. What mcubuild's own templates raise stays as it is.
    """
    try:
        yield
    except BuildError:
        raise
    except Exception as error:
        places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
        places.append((getattr(error, "filename", None) or "", getattr(error, "lineno", None)))  # of a syntax error
        own = [(file, line) for file, line in places if not Path(file).is_absolute() and file.startswith(OWN)]
        if not own:
            raise
        file, line = own[-1]
        said = shortened(" ".join(str(error).split()), 240)
        raise BuildError(f"{file}:{line}: {type(error).__name__}: {said}.") from None
