"""Inner loops in assembly: what a kernel asks for, and what stands in the generated folder.

They stand in a file of their own, ``kernels.S``, rather than as naked functions inside model.c: assemblers leave every
instruction where it is, so GCC and clang give the same bytes and the same cycles, and the file reads and steps like any
assembly, without quotes around each line. Routines are functions of the C calling convention that refer to nothing
outside; layers that need the same one share it.

Every routine has a twin in C with the same contract, which reads the same packed weights: model.c contains it for cores
without the DSP extension and for the host. ``kernels_templates/model/assembly`` holds both, ``<template>.S.j2`` and
``<template>.c.j2``.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Routine:
    """One function of kernels.S."""

    template: str
    """Name of the pair of templates."""
    values: tuple[tuple[str, int], ...]
    """What the templates are specialised for: names and numbers."""
    code_bytes: int
    """Upper estimate of its size."""

    @property
    def name(self) -> str:
        """The C function behind the network's prefix: ``gather_runs3_quads12_...``."""
        return "_".join([self.template, *(f"{name}{value}" for name, value in self.values)])
