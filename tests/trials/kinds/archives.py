"""Zip and tar archives with damaged bytes."""

import io
import tarfile
import zipfile
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from mcubuild.data.files import DAMAGES, File, tarred, zipped
from tests.trials.mutation import mutate, named
from tests.trials.trial import WrongError

COUNT = 3000
PATIENCE = 5.0


@cache
def contents() -> dict[str, bytes]:
    """Of the members, by name."""
    found = {}
    for number in range(4):
        file = io.BytesIO()
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (9, 9, 3), np.uint8)).save(file, "PNG")
        found[f"train/{number}.png"] = file.getvalue()
    return found


@cache
def archives() -> dict[str, bytes]:
    """Undamaged archives, by name."""
    found = {}
    for name, method in (("stored.zip", zipfile.ZIP_STORED), ("deflated.zip", zipfile.ZIP_DEFLATED)):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as packed:
            for member, content in contents().items():
                packed.writestr(member, content)
        found[name] = file.getvalue()
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as joined:
        for member, content in contents().items():
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            joined.addfile(entry, io.BytesIO(content))
    return {**found, "joined.tar": file.getvalue()}


def trial(rng: Random, folder: Path) -> None:
    """List and read a mutated archive; a zip archive has checksums, so what it gives is what was put there."""
    name = rng.choice(list(archives()))
    path = folder / name
    path.write_bytes(mutate(archives()[name], rng))
    files: list[File] = []
    with named(path):
        files += zipped(path) if path.suffix == ".zip" else tarred(path)
    for file in files:
        try:
            with file.open() as content:
                found = content.read()
        except DAMAGES:
            continue
        if path.suffix == ".zip" and found not in contents().values() and len(found):
            raise WrongError(f"{file}: {len(found)} bytes that nobody put there")
