"""Machine code to instructions, each block once."""

from collections.abc import Callable
from dataclasses import replace

from mcubuild.board import CoreName
from mcubuild.cores.core import core_of
from mcubuild.errors import BuildError
from mcubuild.measure.counter import Block
from mcubuild.measure.instruction import Instruction, classify


class Decoder:
    """Decodes blocks of one memory image with capstone."""

    def __init__(self, core: CoreName, read: Callable[[int, int], bytes]):
        """A decoder.

        Args:
            core: decides which instructions exist (of Armv8-M, too, or not).
            read: memory, as ``read(address, size)``.
        """
        import capstone

        mode = capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS
        if core_of(core).armv8m:
            mode |= capstone.CS_MODE_V8
        self._capstone = capstone.Cs(capstone.CS_ARCH_ARM, mode)
        self._capstone.detail = True
        self._read = read
        self._blocks: dict[Block, tuple[Instruction, ...]] = {}
        self._encodings: dict[tuple[bytes, str], Instruction] = {}

    def instructions(self, block: Block) -> tuple[Instruction, ...]:
        """The instructions of ``block``, in order.

        Raises:
            BuildError: the bytes are no instructions, so a count could not be exact.
        """
        if block not in self._blocks:
            code = self._read(block.start, block.size)
            found = tuple(self._decode(code, block.start))
            decoded = sum(instruction.size for instruction in found)
            if decoded != block.size:
                unknown = code[decoded : decoded + 4].hex()
                raise BuildError(f"executed code at 0x{block.start + decoded:08x} cannot be decoded ({unknown}).")
            self._blocks[block] = found
        return self._blocks[block]

    def _decode(self, code: bytes, start: int) -> list[Instruction]:
        """Decode with details only what was not seen before: those take capstone's binding a third of a millisecond.

        The mnemonic tells apart what an IT instruction makes of the same bytes.
        """
        lite = list(self._capstone.disasm_lite(code, start))
        keys = [(code[at - start : at - start + size], mnemonic) for at, size, mnemonic, _ in lite]
        if any(key not in self._encodings for key in keys):
            for key, decoded in zip(keys, self._capstone.disasm(code, start), strict=True):
                self._encodings.setdefault(key, classify(decoded))
        return [replace(self._encodings[key], address=at) for key, (at, *_) in zip(keys, lite, strict=True)]
