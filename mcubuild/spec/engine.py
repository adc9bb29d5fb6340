"""[engine]: what the code generator and the memory planner may do."""

from typing import Literal

from mcubuild.settings import Settings


class EngineSettings(Settings):
    """Switches of the engine. Optimisations are on by default; switching one off shows what it is worth."""

    inplace_depthwise: bool = True
    """A depthwise convolution writes its output over its input: N + 1 channels instead of 2N (MCUNet, section 3.2)."""
    inplace_add: bool = True
    """An addition writes its output over an operand that nobody else needs."""
    assembly: bool = True
    """Inner loops are assembly on cores with the DSP extension; otherwise everything is portable C."""
    tune: bool = False
    """Every kernel that can compute a layer runs in the emulator, and the fastest is taken; otherwise estimates decide.
    Takes seconds a kernel and shape, once."""
    input: Literal["array", "stream"] = "array"
    """Where the image comes from: an array in the arena; or a callback that is asked for a few rows at a time, as a
    camera delivers them, so that the image never exists in full."""
    plan: Literal["fastest", "smallest"] = "fastest"
    """Of the memory plans that fit the budget, the fastest; or the one of the smallest arena, however slow."""
