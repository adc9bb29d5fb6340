"""How fast the emulator counts on this machine: ``python -m tests.measure.benchmark``."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mcubuild.measure.decode import Decoder
from mcubuild.measure.elf import read_firmware
from mcubuild.measure.session import Session
from tests.measure.conftest import board, link

_MODEL = """
signed char model_input[1024], model_output[16];
static short work[4096];
__attribute__((noinline, used)) void layer_00_dot(void)
{
    for (int row = 0; row < 4096; ++row) {
        int sum = 0;
        _Pragma(UNROLL)
        for (int i = 0; i < 1024; ++i) sum += work[(row + i) & 4095] * model_input[i];
        work[row] = (short)sum;
    }
}
void model_invoke(void) { layer_00_dot(); __asm volatile("" ::: "memory"); }
"""


def main() -> None:
    """Print millions of instructions a second: counted, and while every access is watched."""
    for unroll in ("clang loop unroll(disable)", "clang loop unroll_count(16)"):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "model.c"
            source.write_text(f'#define UNROLL "{unroll}"\n' + _MODEL)
            elf = link(source, "cortex-m4", Path(folder), "zig")
            session = Session(board("cortex-m4"), read_firmware(elf), ["layer_00_dot"])
        sample = np.zeros(1024, np.int8)
        counted = _seconds(lambda: session.infer(sample, "in the benchmark"))  # noqa: B023
        counter = session.emulator.counter
        decode = Decoder("cortex-m4", session.emulator.read).instructions
        lengths = [len(decode(edge.block)) for edge in counter.edges]
        blocks, instructions = int(counter.counts.sum()), int(counter.counts @ lengths)
        watched = _seconds(lambda: session.profile(sample))  # noqa: B023
        print(
            f"{instructions / blocks:3.0f} instructions a block: {instructions / 1e6 / counted:4.0f} million "
            f"instructions a second counted, {instructions / 1e6 / watched:.0f} million watched"
        )


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
