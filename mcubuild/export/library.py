"""The network's C as a library for some build system: its files, an example that classifies a sample, a README.

A format lists templates by the paths of what they make; those of all formats have the same values.
"""

import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, Final

import jinja2
import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.emit.archive import entry
from mcubuild.engine.emit.naming import file_name
from mcubuild.errors import BuildError
from mcubuild.escape import Text, add_filters
from mcubuild.export.format import INDEX, NETWORK, Built, C
from mcubuild.ir.files import fingerprint
from mcubuild.ir.graph import Graph

NEEDS: Final = (*C, *NETWORK)
OPTIONAL: Final = (*INDEX, "test.npz", "inputs.npy")
SOURCES: Final = ("model.c", "weights.c", "preprocess.c", "kernels.S")
HEADERS: Final = ("model.h", "weights.h")
COMMON: Final = {"README.md": "README.md.j2", "LICENSE.txt": "LICENSE.txt.j2"}
"""Files of every library, by their templates."""
VERSION: Final = "1.0.0"
HOME: Final = "https://pypi.org/project/mcubuild/"
_LONGEST: Final = 32
"""Letters of a name that CMSIS-Packs may have; others allow more."""
_ROW: Final = 24
"""Numbers in a line of C."""
_BRIEF: Final = "A neural network for {}, {} bytes of RAM, in C without a heap."


def slug(name: str) -> str:
    """``name`` as package managers take names: at most 32 letters, digits and dashes, the first one a letter."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", name)[:_LONGEST].strip("-")
    return words if words[:1].isalpha() else f"net-{words}"[:_LONGEST].strip("-")


def write_library(
    built: Built, folder: Path, templates: Mapping[str, str], install: str, **more: Any
) -> tuple[Path, dict[str, Any]]:
    """Write the library to a new folder in ``folder``.

    Args:
        built: a build with its C.
        folder: an existing one.
        templates: of its files besides the C, by their paths in the library, ``COMMON`` aside.
        install: what its user does, for the README: Markdown.
        more: values for templates.

    Returns:
        The library's folder, named like the package, and the values that templates had.

    Raises:
        BuildError: a sample is missing or damaged.
    """
    values = {**_values(built), "install": install, **more}
    out = folder / values["package"]
    shutil.rmtree(out, ignore_errors=True)
    for name in (*SOURCES, *HEADERS):
        source = built.c(name)
        (out / "src").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, out / "src" / source.name)
    for path, template in {**COMMON, **templates}.items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_environment().get_template(template).render(values), encoding="utf-8", newline="\n")
    return out, values


def write_archive(folder: Path, path: Path, top: str) -> None:
    """The files of ``folder`` in the zip ``path``, in there in the folder ``top`` (``""``: in none).

    Equal files give equal bytes.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            name = file.relative_to(folder).as_posix()
            archive.writestr(entry(f"{top}/{name}" if top else name), file.read_bytes())


def _values(built: Built) -> dict[str, Any]:
    header = built.c("model.h").read_text(encoding="utf-8")
    prefix, graph = built.prefix, built.graph
    arena = re.search(rf"^#define {prefix.upper()}_ARENA_BYTES (\d+)$", header, re.MULTILINE)
    if arena is None:
        raise BuildError(f"{built.c('model.h')}: found no size of the arena; delete the file and build again.")
    inputs, outputs, origin = sample(built)
    named = bool(built.classes) and f"{prefix}_argmax(" in header
    classes = built.classes if named or f"{prefix}_boxes(" in header else ()  # not of what tells the normal
    return {
        "title": Text(built.name),
        "package": slug(built.name),
        "symbol": re.sub("[^A-Z0-9]", "_", f"MCUBUILD_{slug(built.name).upper()}"),
        "version": VERSION,
        "home": HOME,
        "hash": fingerprint(graph)[:16],
        "board": Text(built.board.title),
        "sentence": Text(_BRIEF.format(f"{len(classes)} classes" if classes else "any firmware", arena[1])),
        "paragraph": Text(f"{graph.macs()} multiply-accumulates. Call {prefix}_run; the README tells how."),
        "prefix": prefix,
        "PREFIX": prefix.upper(),
        "arena": arena[1],
        "classes": [Text(name) for name in classes],
        "named": named,
        "remembers": bool(graph.variables),
        "streamed": f"{prefix.upper()}_INPUT_ROW_BYTES" in header,
        "sources": [file_name(name, prefix) for name in SOURCES],
        "headers": [file_name(name, prefix) for name in HEADERS],
        "calling": _calling(built.c("README.md").read_text(encoding="utf-8")),
        "keywords": _keywords(header, prefix),
        "origin": origin,
        "inputs": inputs,
        "outputs": outputs,
    }


def _calling(readme: str) -> str:
    """What the README of the C says behind its heading and how it is compiled."""
    return readme.split("\n\n", 2)[-1]


def _keywords(header: str, prefix: str) -> dict[str, list[str]]:
    """The names in the header, as the Arduino IDE colours them: types, functions, constants."""
    found = {
        "KEYWORD1": rf"struct ({prefix}_\w+) \{{|\(\*({prefix}_rows)\)",
        "KEYWORD2": rf"\b({prefix}_\w+)\(",
        "LITERAL1": rf"^#define ({prefix.upper()}_\w+) ",
    }
    matches = {kind: re.findall(pattern, header, re.MULTILINE) for kind, pattern in found.items()}
    return {
        kind: sorted({"".join(one) if isinstance(one, tuple) else one for one in names})
        for kind, names in matches.items()
    }


# ---- the sample ------------------------------------------------------------------------------------------------------


def sample(built: Built) -> tuple[list[list[int]], list[list[int]], str]:
    """Bytes of each input and of each output of the network for one sample, as int8, and what the sample is.

    Raises:
        BuildError: it is damaged.
    """
    from mcubuild.ir.executor import run, sample_shape
    from mcubuild.measure.samples import read_samples

    graph = built.graph
    names = [name for name in ("inputs.npy", "test.npz") if (built.folder / name).is_file()]
    shape = sample_shape(graph)
    if names:
        files = {names[0]: built.folder / names[0]}
        first = read_samples(files, graph.tensor(graph.inputs[0]).shape)[0].ravel()
        values = first[: prod(shape)].reshape(1, *shape)
        origin = "The first run of the first test sample" if graph.variables else "The first test sample"
    else:
        values = np.random.default_rng(0).integers(-128, 128, (1, *shape), np.int8)
        origin = "Random numbers, as the spec has no data"
    outputs = run(graph, np.ascontiguousarray(values))
    return list(_parts(graph, graph.inputs, values)), list(_parts(graph, graph.outputs, outputs)), origin


def _parts(graph: Graph, names: tuple[str, ...], values: NDArray[np.int8]) -> Iterator[list[int]]:
    """The bytes of each of the tensors ``names``, which lie side by side in ``values``."""
    flat, begin = values.reshape(-1).view(np.int8), 0
    for name in names:
        end = begin + graph.tensor(name).nbytes
        yield flat[begin:end].tolist()
        begin = end


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    add_filters(environment)
    environment.filters["rows"] = _rows
    return environment


def _rows(numbers: list[int]) -> str:
    """Numbers for the inside of an array in C."""
    lines = (numbers[begin : begin + _ROW] for begin in range(0, len(numbers), _ROW))
    return ",\n".join("    " + ", ".join(map(str, line)) for line in lines)
