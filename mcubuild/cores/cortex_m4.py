"""The Arm Cortex-M4: one instruction a cycle, DSP extension."""

from mcubuild.cores.core import Core, QemuMachine

CORE = Core(
    zig="cortex_m4",
    emulator="UC_CPU_ARM_CORTEX_M4",
    machine=QemuMachine("mps2-an386", "Cortex-M4", (0, 4 << 20), (0x2000_0000, 4 << 20)),
    cycle_model="m4",
    fpus=("fpv4-sp-d16",),
    dsp=True,
    board="stm32f412",
)
