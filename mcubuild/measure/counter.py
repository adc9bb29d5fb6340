"""Exact execution counts from unicorn, collected by blockcount.c."""

import ctypes
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError
from mcubuild.measure import native

_MOST_EDGES = 1 << 18
_SLOT_BITS = 20
_EDGE = np.dtype([("before", np.uint64), ("block", np.uint64), ("count", np.uint64), ("entered", np.uint64)])


class Stop(IntEnum):
    """Why the counter ended a run; the numbers are those of blockcount.c."""

    NONE = 0
    OUT_OF_BUDGET = 1
    ENDLESS_LOOP = 2
    OUT_OF_EDGES = 3


class Block(NamedTuple):
    """A run of instructions without a branch inside, as unicorn translates it."""

    start: int
    """Address of the first instruction."""
    size: int
    """Bytes; 0 for the nothing before the first block."""

    @property
    def end(self) -> int:
        """Address behind the last instruction."""
        return self.start + self.size


class Edge(NamedTuple):
    """Block ``block``, executed right after ``before`` while ``layer`` ran."""

    before: Block
    block: Block
    layer: int
    """Index into the list of layer functions; -1 outside of all of them."""


class _State(ctypes.Structure):
    _fields_ = (
        ("edges", ctypes.c_void_p),
        ("slots", ctypes.c_void_p),
        ("entries", ctypes.c_void_p),
        ("stop", ctypes.c_void_p),
        ("read_register", ctypes.c_void_p),
        ("before", ctypes.c_uint64),
        ("budget", ctypes.c_int64),
        ("capacity", ctypes.c_uint32),
        ("used", ctypes.c_uint32),
        ("slot_bits", ctypes.c_uint32),
        ("entry_count", ctypes.c_uint32),
        ("counting", ctypes.c_uint32),
        ("layer", ctypes.c_uint32),
        ("return_address", ctypes.c_uint32),
        ("link_register", ctypes.c_uint32),
        ("stopped", ctypes.c_uint32),
        ("stopped_at", ctypes.c_uint32),
    )


class Counter:
    """Counts blocks and edges of one emulator.

    Instructions are attributed to the layer function that is on the stack, callees included. Inside a layer function
    the entry of another one changes nothing: the outer one owns the work.
    """

    def __init__(self, uc: Any, layers: list[int]):
        """Attach to a unicorn engine.

        Args:
            uc: the engine (``unicorn.Uc``), before its first run: unicorn does not hook translated blocks afterwards.
            layers: addresses of the layer functions.
        """
        from unicorn import arm_const, unicorn_const
        from unicorn.unicorn_py3.unicorn import uclib

        self._edges = np.zeros(_MOST_EDGES, _EDGE)
        self._slots = np.zeros(1 << _SLOT_BITS, np.uint32)
        self._entries = np.array(layers, np.uint32)
        self._state = _State(
            edges=self._edges.ctypes.data,
            slots=self._slots.ctypes.data,
            entries=self._entries.ctypes.data,
            stop=ctypes.cast(uclib.uc_emu_stop, ctypes.c_void_p),
            read_register=ctypes.cast(uclib.uc_reg_read, ctypes.c_void_p),
            capacity=_MOST_EDGES,
            slot_bits=_SLOT_BITS,
            entry_count=len(layers),
            link_register=arm_const.UC_ARM_REG_LR,
        )
        native.hook(uc, unicorn_const.UC_HOOK_BLOCK, native.load("blockcount").on_block, self._state)

    def allow(self, code_bytes: int) -> None:
        """Let the next run execute at most ``code_bytes`` bytes of code (two or four an instruction)."""
        self._state.budget = code_bytes
        self._state.stopped = Stop.NONE

    def count(self, enabled: bool) -> None:
        """Start counting with the next block (as the first block of an inference), or stop."""
        self._state.counting = enabled
        self._state.before = 0
        self._state.layer = 0

    @property
    def layer_address(self) -> int:
        """Where C code finds 1 + index of the running layer, or 0: a uint32."""
        return ctypes.addressof(self._state) + _State.layer.offset

    @property
    def stopped(self) -> tuple[Stop, int]:
        """Why the counter ended the last run, and the address of the block that it ended at."""
        stop = Stop(self._state.stopped)
        if stop is Stop.OUT_OF_EDGES:
            raise BuildError(
                f"the inference takes more than {_MOST_EDGES} different branches; the counter has no room for them."
            )
        return stop, self._state.stopped_at

    @property
    def edges(self) -> list[Edge]:
        """The edges seen so far, in the order of ``counts``."""
        seen = self._edges[: self._state.used]
        return [
            Edge(_block(before), _block(block), (block >> 48) - 1)
            for before, block in zip(seen["before"].tolist(), seen["block"].tolist(), strict=True)
        ]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each edge was taken since the start; int64 (edges,)."""
        return self._edges["count"][: self._state.used].astype(np.int64)


def _block(key: int) -> Block:
    return Block(key & 0xFFFFFFFF, key >> 32 & 0xFFFF)
