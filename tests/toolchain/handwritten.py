"""A network written by hand against the C interface, and boards to build it for."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.board import Board, CoreName, board_names, read_board
from mcubuild.cores import names

HERE = Path(__file__).parent
CORES: tuple[CoreName, ...] = names()
FPUS = {"cortex-m4": "fpv4-sp-d16", "cortex-m7": "fpv5-d16", "cortex-m33": "fpv5-sp-d16"}
BOARDS = [*board_names(), "cortex-m0plus", "cortex-m3", "cortex-m33"]
"""Every board, and those cores that no board has."""

_rng = np.random.default_rng(1)
WEIGHTS = _rng.integers(-127, 128, (10, 64), dtype=np.int8)
BIAS = _rng.integers(-1000, 1001, 10, dtype=np.int32)


def inputs(seed: int) -> NDArray[np.int8]:
    """An input of the network, int8 (64,)."""
    return np.random.default_rng(seed).integers(-128, 128, 64, dtype=np.int8)


def expected(x: NDArray[np.int8]) -> NDArray[np.int8]:
    """What the network in model/ gives for int8 (64,): int8 (10,)."""
    sums = WEIGHTS.astype(np.int64) @ x.astype(np.int64) + BIAS
    outputs: NDArray[np.int8] = np.clip((sums * 0x40000000) >> 38, -128, 127).astype(np.int8)
    return outputs


def write_model(folder: Path, extra_weights: int = 0, arena: int = 160) -> Path:
    """The network in ``folder``, on request with more weights or more arena than it needs."""
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
        model = folder / "model.c"
        text = model.read_text().replace("bias_1[channel]", "bias_1[channel] + many_weights[in[0] & 1]")
        model.write_text(text.replace("#define LAYER", "extern const int8_t many_weights[];\n#define LAYER"))
        lines.append("extern const int8_t many_weights[];")
        lines.append(f"MODEL_WEIGHTS const int8_t many_weights[{extra_weights}] = {{0}};")
    (folder / "weights.c").write_text("\n".join(lines) + "\n")
    return folder


def board_named(name: str) -> Board:
    """The board called ``name``, or a small one with the core ``name``."""
    return read_board(name) if name in board_names() else board_with(name)


def board_with(core: str, **changes: Any) -> Board:
    """A small microcontroller with ``core`` and what it usually has; ``changes`` replace fields of the board."""
    values = {
        "name": core,
        "title": f"some {core}",
        "source": "made up for tests",
        "core": core,
        "dsp": core in FPUS,
        "fpu": FPUS.get(core, "none"),
        "clock": 64_000_000,
        "reset_clock": 16_000_000,
        "active_power_mw": 10.0,
        "memory": [
            {"name": "FLASH", "kind": "flash", "origin": 0x0800_0000, "size": "256kB", "wait_states": 0},
            {"name": "SRAM", "kind": "ram", "origin": 0x2000_0000, "size": "64kB", "wait_states": 0},
        ],
    }
    return Board.model_validate({**values, **changes})
