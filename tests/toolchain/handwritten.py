"""A network written by hand against the C interface, and boards to build it for."""

import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.board import Board, Cache, Core, Memory

HERE = Path(__file__).parent

rng = np.random.default_rng(1)
WEIGHTS = rng.integers(-127, 128, (10, 64), dtype=np.int8)
BIAS = rng.integers(-1000, 1001, 10, dtype=np.int32)


def expected(x: NDArray[np.int8]) -> NDArray[np.int8]:
    """What the hand-written network in model/ gives for int8 (64,)."""
    sums = WEIGHTS.astype(np.int64) @ x.astype(np.int64) + BIAS
    rescaled: NDArray[np.int8] = np.clip((sums * 0x40000000) >> 38, -128, 127).astype(np.int8)
    return rescaled


def write_model(folder: Path, extra_weights: int = 0, arena: int = 160) -> Path:
    """The hand-written network in ``folder``, on request with more weights or more arena than it needs."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "model" / "model.c", folder)
    header = (HERE / "model" / "model.h").read_text().replace("ARENA_BYTES 160", f"ARENA_BYTES {arena}")
    (folder / "model.h").write_text(header)
    rows = ",".join("{" + ",".join(map(str, row)) + "}" for row in WEIGHTS.tolist())
    lines = [
        '#include "model.h"',
        "extern const int8_t weights_1[10][64];",
        "extern const int32_t bias_1[10];",
        f"MODEL_WEIGHTS const int8_t weights_1[10][64] = {{{rows}}};",
        f"MODEL_WEIGHTS const int32_t bias_1[10] = {{{','.join(map(str, BIAS.tolist()))}}};",
    ]
    if extra_weights:
        lines.append(f"MODEL_WEIGHTS __attribute__((used, retain)) const int8_t many_weights[{extra_weights}] = {{1}};")
    (folder / "weights.c").write_text("\n".join(lines) + "\n")
    return folder


def board_with(core: Core) -> Board:
    """A small microcontroller with ``core``."""
    fpu = {"cortex-m4": "fpv4-sp-d16", "cortex-m7": "fpv5-d16", "cortex-m33": "fpv5-sp-d16"}.get(core, "none")
    return Board.model_validate(
        {
            "name": core,
            "title": core,
            "source": "made up for tests",
            "core": core,
            "dsp": core in ("cortex-m4", "cortex-m7", "cortex-m33"),
            "fpu": fpu,
            "clock": 64_000_000,
            "active_power_mw": 10.0,
            "cache": Cache(),
            "memory": (
                Memory(name="FLASH", kind="flash", origin=0x0800_0000, size=256 * 1024),
                Memory(name="SRAM", kind="ram", origin=0x2000_0000, size=64 * 1024),
            ),
        }
    )
