"""Machine code to instructions, each block once."""

from collections.abc import Callable

from mcubuild.board import Core
from mcubuild.errors import BuildError
from mcubuild.measure.counter import Block
from mcubuild.measure.instruction import Instruction, classify


class Decoder:
    """Decodes blocks of one memory image with capstone."""

    def __init__(self, core: Core, read: Callable[[int, int], bytes]):
        """A decoder.

        Args:
            core: decides which instructions exist (v8-M on the Cortex-M33).
            read: memory, as ``read(address, size)``.
        """
        import capstone

        mode = capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS
        if core == "cortex-m33":
            mode |= capstone.CS_MODE_V8
        self._capstone = capstone.Cs(capstone.CS_ARCH_ARM, mode)
        self._capstone.detail = True
        self._read = read
        self._blocks: dict[Block, tuple[Instruction, ...]] = {}

    def instructions(self, block: Block) -> tuple[Instruction, ...]:
        """The instructions of ``block``, in order.

        Raises:
            BuildError: the bytes are no instructions, so a count could not be exact.
        """
        if block not in self._blocks:
            code = self._read(block.start, block.size)
            found = tuple(classify(decoded) for decoded in self._capstone.disasm(code, block.start))
            decoded = sum(instruction.size for instruction in found)
            if decoded != block.size:
                unknown = code[decoded : decoded + 4].hex()
                raise BuildError(f"executed code at 0x{block.start + decoded:08x} cannot be decoded ({unknown}).")
            self._blocks[block] = found
        return self._blocks[block]
