"""The Arm Cortex-M7: two instructions a cycle, caches, DSP extension."""

from mcubuild.cores.core import Core, QemuMachine

CORE = Core(
    zig="cortex_m7",
    emulator="UC_CPU_ARM_CORTEX_M7",
    machine=QemuMachine("mps2-an500", "Cortex-M7", (0, 4 << 20), (0x2000_0000, 4 << 20)),
    cycle_model="m7",
    fpus=("fpv5-sp-d16", "fpv5-d16"),
    dsp=True,
    issues=2,
    caches=True,
    board="stm32f746",
)
