"""The Arm Cortex-M33: Armv8-M, the DSP extension as an option."""

from mcubuild.cores.core import Core

CORE = Core(
    zig="cortex_m33",
    emulator="UC_CPU_ARM_CORTEX_M33",
    machine=None,
    cycle_model=None,  # Arm publishes no timing of it
    fpus=("fpv5-sp-d16",),
    dsp=True,
    armv8m=True,
    like="cortex-m4",
)
