"""One inference under observation: what each instruction accesses, and where the memories make the core wait."""

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.measure import native
from mcubuild.measure.counter import Counter
from mcubuild.measure.memory import CacheShape, MemorySystem

_PLACE_BITS = 18
_PLACE = np.dtype(
    [
        ("address", "u4"),
        ("fetch_stalls", "u4"),
        ("data_stalls", "u4"),
        ("unaligned", "u4"),
        ("regions", "u4"),
        ("loads", "u4"),
        ("bank_changes", "u4"),
    ]
)


class _Cache(ctypes.Structure):
    _fields_ = (
        ("lines", ctypes.c_void_p),
        ("line_bits", ctypes.c_uint32),
        ("sets", ctypes.c_uint32),
        ("ways", ctypes.c_uint32),
        ("prefetch", ctypes.c_uint32),
    )


class _State(ctypes.Structure):
    _fields_ = (
        ("instruction", _Cache),
        ("data", _Cache),
        ("regions", ctypes.c_void_p),
        ("places", ctypes.c_void_p),
        ("layer", ctypes.c_void_p),
        ("layer_fetch_stalls", ctypes.c_void_p),
        ("layer_data_stalls", ctypes.c_void_p),
        ("place", ctypes.c_void_p),
        ("unaligned_stall", ctypes.c_uint32 * 2),
        ("region_count", ctypes.c_uint32),
        ("place_bits", ctypes.c_uint32),
        ("place_count", ctypes.c_uint32),
        ("last_load", ctypes.c_uint32),
        ("line", ctypes.c_uint32),
        ("executed", ctypes.c_uint32),
        ("watching", ctypes.c_uint32),
        ("full", ctypes.c_uint32),
    )


@dataclass(frozen=True)
class Accesses:
    """What one instruction did in the inference."""

    fetch_stalls: int
    """Cycles waited for the instruction."""
    data_stalls: int
    """Cycles waited for its data."""
    unaligned: int
    """How often it accessed an address that is not a multiple of the access's size."""
    memory: str
    """Names of the memories it accessed, joined by ``+``; empty for none."""
    bank_changes: float
    """Which part of its loads went to another bank (even or odd words) than the load executed before; 0 to 1."""


@dataclass(frozen=True)
class Profile:
    """The inference."""

    places: dict[int, Accesses]
    """By the instruction's address; only what stalled or accessed memory."""
    layer_stalls: NDArray[np.int64]
    """Cycles waited in each layer, int64 (layers + 1,); the last entry is for what lies outside of all layers."""
    description: str
    """The model of the memories."""


class Profiler:
    """Watches one emulator."""

    def __init__(self, uc: Any, counter: Counter, layers: int, system: MemorySystem):
        """Attach to a unicorn engine.

        Args:
            uc: the engine (``unicorn.Uc``).
            counter: the same engine's, which knows the running layer.
            layers: how many layers it distinguishes.
            system: the memories' timing.
        """
        from unicorn import unicorn_const

        self._system = system
        self._lines = [np.zeros(shape.sets * shape.ways, np.uint32) for shape in (system.instruction, system.data)]
        rows = [(r.origin, r.size, r.stall, r.stall, r.cached) for r in system.regions]
        self._regions = np.array(rows, np.uint32)
        self._places = np.zeros(1 << _PLACE_BITS, _PLACE)
        self._layer_stalls = np.zeros((2, layers + 1), np.uint64)
        self._state = _State(
            instruction=_cache(system.instruction, self._lines[0]),
            data=_cache(system.data, self._lines[1]),
            regions=self._regions.ctypes.data,
            places=self._places.ctypes.data,
            layer=counter.layer_address,
            layer_fetch_stalls=self._layer_stalls[0].ctypes.data,
            layer_data_stalls=self._layer_stalls[1].ctypes.data,
            unaligned_stall=(ctypes.c_uint32 * 2)(system.unaligned_load, system.unaligned_store),
            region_count=len(system.regions),
            place_bits=_PLACE_BITS,
        )
        library = native.load("profile")
        access = unicorn_const.UC_HOOK_MEM_READ | unicorn_const.UC_HOOK_MEM_WRITE
        native.hook(uc, unicorn_const.UC_HOOK_CODE, library.on_instruction, self._state)
        native.hook(uc, access, library.on_access, self._state)
        uc.ctl_flush_tb()  # code that is already translated is not hooked

    def watch(self, enabled: bool) -> None:
        """Start watching, or stop."""
        self._state.watching = enabled

    @property
    def profile(self) -> Profile:
        """What was seen."""
        if self._state.full:
            raise RuntimeError(f"more than {1 << (_PLACE_BITS - 1)} different instructions were executed")
        seen = self._places[self._places["address"] != 0]
        names = [region.name for region in self._system.regions]
        places = {}
        for address, fetch, data, unaligned, mask, loads, changes in seen.tolist():
            memory = "+".join(name for bit, name in enumerate(names) if mask >> bit & 1)
            places[address] = Accesses(fetch, data, unaligned, memory, changes / max(1, loads))
        return Profile(places, np.roll(self._layer_stalls.sum(axis=0), -1).astype(np.int64), self._system.description)


def _cache(shape: CacheShape, lines: NDArray[np.uint32]) -> _Cache:
    return _Cache(lines.ctypes.data, shape.line.bit_length() - 1, shape.sets, shape.ways, shape.prefetch)
