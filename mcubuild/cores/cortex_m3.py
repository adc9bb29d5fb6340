"""The Arm Cortex-M3: a Cortex-M4 without DSP extension, whose multiplications take longer."""

from mcubuild.cores.core import Core, QemuMachine

CORE = Core(
    zig="cortex_m3",
    emulator="UC_CPU_ARM_CORTEX_M3",
    machine=QemuMachine(
        "mps2-an386", "Cortex-M4", (0, 4 << 20), (0x2000_0000, 4 << 20)
    ),  # which executes its code, too
    cycle_model="m3",
    like="cortex-m4",
    times=1.33,  # from two emulated networks
)
