"""The generated C as one file to hand on."""

import zipfile
from pathlib import Path

from mcubuild.engine.emit.codegen import FILES
from mcubuild.engine.emit.naming import PREFIX, file_name

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip entry can carry."""
_READABLE = 0o100644 << 16
"""A plain file that everybody may read."""


def write_zip(folder: Path, path: Path, prefix: str = PREFIX) -> None:
    """Write the network's files of ``folder`` to the zip ``path``, in there in a folder ``prefix``.

    Equal files give equal bytes: names are sorted, entries carry no date, and nothing is compressed, as versions of
    zlib differ.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(file_name(name, prefix) for name in FILES):
            archive.writestr(entry(f"{prefix}/{name}"), (folder / name).read_bytes())


def entry(name: str) -> zipfile.ZipInfo:
    """The header of a file in a zip, the same at any time and on any system."""
    header = zipfile.ZipInfo(name, _EPOCH)
    header.create_system, header.external_attr = 3, _READABLE  # 3: Unix, as for the rights
    return header
