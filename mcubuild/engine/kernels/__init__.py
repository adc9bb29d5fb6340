"""The kernels: every module here defines one as ``KERNEL``, and its C stands in a template of the same name.

A new kernel is those two files; ``doit calibrate`` fits its costs. Layers with activations of 4 bits
are computed by kernels around these (``packed``).
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.kernels.packed import packed
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError
from mcubuild.spec.engine import EngineSettings


@cache
def kernels(settings: EngineSettings) -> tuple[Kernel, ...]:
    """All kernels, by name, with the switches of ``settings``."""
    names = sorted(module.name for module in iter_modules(__path__) if module.name not in ("base", "packed"))
    return tuple(import_module(f"{__name__}.{name}").KERNEL.switched(settings) for name in names)


def serving(layer: Layer, target: Target) -> list[Kernel]:
    """The kernels that can compute ``layer``, by name.

    Raises:
        BuildError: none can.
    """
    if layer.packed:
        return packed(layer, target, serving)
    every = (kernel for kernel in kernels(target.settings) if kernel.offsets or not layer.weight_offset)
    typed = (kernel for kernel in every if layer.dtypes <= kernel.dtypes)
    found = [kernel for kernel in typed if kernel.serves(layer, target)]
    if not found:
        raise BuildError(
            f"layer {layer.index}: no kernel computes this {type(layer.op).__name__} ({layer.input.dtype} "
            f"{layer.input.shape} to {layer.output.shape}); add one to mcubuild/engine/kernels."
        )
    return found


def choose(layer: Layer, target: Target) -> Kernel:
    """The kernel that computes ``layer``: of those that can, the tuned one, or the one with the lowest estimate.

    Raises:
        BuildError: none can.
    """
    key = (Kernel, target)
    if key not in layer.known:
        tuned = target.tuned.get(layer.output.name)
        layer.known[key] = min(
            serving(layer, target), key=lambda k: (k.kind != tuned, k.cycles(layer, target.core), k.kind)
        )
    found: Kernel = layer.known[key]
    return found
