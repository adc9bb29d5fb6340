"""The Arm Cortex-M0+: Armv6-M, no cycle counter."""

from mcubuild.cores.core import Core, QemuMachine

CORE = Core(
    zig="cortex_m0plus",
    emulator="UC_CPU_ARM_CORTEX_M0",
    machine=QemuMachine(
        "mps2-an386", "Cortex-M4", (0, 4 << 20), (0x2000_0000, 4 << 20)
    ),  # which executes its code, too
    cycle_model="m0plus",
    cycle_counter=False,
    like="cortex-m4",
    times=3.45,  # from two emulated networks
)
