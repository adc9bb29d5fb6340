"""What the generated preprocessing of pictures costs: a firmware that does nothing else, run in the emulator."""

import re
import shutil
import tempfile
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from mcubuild.board import Board
from mcubuild.engine.emit.naming import file_name
from mcubuild.engine.layer import align
from mcubuild.measure.runner import measure
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from mcubuild.toolchain import firmware
from mcubuild.toolchain.compile import link

_STACK = 16384
"""Bytes: more than it needs, which is found out."""

_RUN = """\
#include "{header}"
#include "{own_header}"

void {own}_run(int8_t *arena)
{{
    struct {prefix}_picture picture = {{(const uint8_t *)arena, {width}, {height}, {stride}}};
#ifdef {PREFIX}_INPUT_ROWS
    for (int32_t row = 0; row < {PREFIX}_INPUT_ROWS; row++) {{
        {prefix}_preprocess_rows(&picture, arena + {OWN}_OUTPUT_OFFSET, row, 1);
    }}
#else
    {prefix}_preprocess(&picture, arena + {OWN}_OUTPUT_OFFSET);
#endif
}}
"""


@dataclass(frozen=True)
class Preprocessing:
    """Of one picture."""

    width: int
    height: int
    """In pixels."""
    cycles: int
    """Of the core, by the model of the board's core and memories."""
    stack_bytes: int
    """Beneath the caller's."""


def measure_preprocessing(
    c_folder: Path, board: Board, settings: FirmwareSettings, size: tuple[int, int]
) -> Preprocessing | None:
    """The cost for a picture of ``size`` = (width, height); None if it does not fit the board's RAM, or none is taken.

    A streamed input is asked for row by row, which is the most that it can cost.

    Args:
        c_folder: the network's C, with preprocess.c for pictures.
        board: whose core and memories count.
        settings: compiler, flags and prefix.
        size: in pixels.

    Raises:
        BuildError: the C does not compile, or does not run in the emulator.
    """
    prefix, (width, height) = settings.prefix, size
    own = f"{prefix}_alone"
    header = (c_folder / file_name("model.h", prefix)).read_text(encoding="utf-8")
    if f"void {prefix}_preprocess" not in header:
        return None
    found = dict(re.findall(rf"^#define {prefix.upper()}_INPUT_(HEIGHT|WIDTH|CHANNELS|ROW_BYTES) (\d+)", header, re.M))
    channels = int(found["CHANNELS"])
    picture = width * height * channels
    written = int(found["ROW_BYTES"]) if "ROW_BYTES" in found else prod(map(int, found.values()))
    arena = align(picture) + align(written)
    if arena + _STACK + firmware.STATIC_BYTES > max(region.size for region in board.memory if region.kind == "ram"):
        return None
    places = {
        "ARENA_BYTES": arena,
        "INPUT_OFFSET": 0,
        "INPUT_BYTES": picture,
        "OUTPUT_OFFSET": align(picture),
        "OUTPUT_BYTES": written,
    }
    names = {"prefix": prefix, "PREFIX": prefix.upper(), "own": own, "OWN": own.upper()}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "c"
        folder.mkdir()
        for name in ("model.h", "preprocess.c"):
            shutil.copy(c_folder / file_name(name, prefix), folder)
        lines = [f"#define {own.upper()}_{name} {value}" for name, value in places.items()]
        declared = f"#include <stdint.h>\nvoid {own}_run(int8_t *arena);\n"
        (folder / f"{own}.h").write_text("\n".join(["#pragma once", *lines, declared]), encoding="utf-8")
        run = _RUN.format(
            header=file_name("model.h", prefix),
            own_header=f"{own}.h",
            width=width,
            height=height,
            stride=width * channels,
            **names,
        )
        (folder / f"{own}.c").write_text(run, encoding="utf-8")
        firmware.generate(board, _STACK, folder, own)
        link(folder, board, settings.model_copy(update={"stack": _STACK, "prefix": own}), Path(scratch))
        sample = np.random.default_rng(0).integers(-128, 128, (1, picture), np.int8)
        result = measure(Path(scratch) / "firmware.elf", board, MeasureSettings(), sample, [f"{own}_run"])
    if result.cycles is None:
        return None
    return Preprocessing(width, height, round(result.cycles.max), result.stack_bytes)
