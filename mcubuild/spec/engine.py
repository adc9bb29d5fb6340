"""[engine]: what the code generator and the memory planner may do."""

from typing import Literal

from mcubuild.settings import Settings


class EngineSettings(Settings):
    """Switches of the engine. Optimisations are on by default; switching one off shows what it is worth."""

    model_im2col: bool = True
    """Working memory is planned for the whole network, and 1x1 convolutions read their input where it lies; otherwise
    every convolution first copies its windows side by side (im2col), each layer in memory that it keeps for itself."""
    fusion: bool = True
    """Padding, bias, requantisation and limits are part of the loop that multiplies; otherwise each is a loop of its
    own, and the padded input and the sums lie in memory in between."""
    unrolling: bool = True
    """Loops over a window's elements are unrolled."""
    tiling: bool = True
    """Several pixels and filters are computed at a time, so that each value loaded is used more than once."""
    inplace_depthwise: bool = True
    """A depthwise convolution writes its output over its input: N + 1 channels instead of 2N (MCUNet, section 3.2)."""
    inplace_add: bool = True
    """An addition writes its output over an operand that nobody else needs."""
    overlap: bool = True
    """Layers that run a few rows at a time write their output over those rows of the input that they have consumed."""
    fused_blocks: bool = True
    """Neighbouring layers may run together, a few rows at a time, so that tensors between them never exist in full."""
    assembly: bool = True
    """Inner loops are assembly on cores with the DSP extension; otherwise everything is portable C. Assembly is fused,
    unrolled and tiled by its nature: with one of these switched off, there is none."""
    tune: bool = False
    """Every kernel that can compute a layer runs in the emulator, and the fastest is taken; otherwise estimates decide.
    Takes seconds a kernel and shape, once."""
    input: Literal["array", "stream"] = "array"
    """Where the image comes from: an array in the arena; or a callback that is asked for a few rows at a time, as a
    camera delivers them, so that the image never exists in full."""
    plan: Literal["fastest", "smallest"] = "fastest"
    """Of the memory plans that fit the budget, the fastest; or the one of the smallest arena, however slow."""
