"""The firmware as UF2."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mcubuild.errors import BuildError
from mcubuild.export.format import IMAGE, Built, Exported, Format
from mcubuild.export.uf2 import uf2

if TYPE_CHECKING:
    from mcubuild.board import Board

FAMILIES: Final[Mapping[str, int]] = {
    "GD32F350": 0x31D2_28C6,
    "LPC55": 0x2ABC_77EC,
    "MIMXRT10XX": 0x4FB2_D5BD,
    "NRF52": 0x1B57_745F,
    "NRF52833": 0x621E_937A,
    "NRF52840": 0xADA5_2840,
    "RA4M1": 0x7BE8_976D,
    "RP2040": 0xE48B_FF56,
    "RP2350_ARM_S": 0xE48B_FF59,
    "SAMD21": 0x68ED_2B88,
    "SAMD51": 0x5511_4460,
    "SAML21": 0x1851_780A,
    "STM32F0": 0x6478_24B6,
    "STM32F1": 0x5EE2_1072,
    "STM32F2": 0x5D1A_0A2E,
    "STM32F3": 0x6B84_6188,
    "STM32F4": 0x5775_5A57,
    "STM32F7": 0x53B8_0F00,
    "STM32G0": 0x300F_5633,
    "STM32G4": 0x4C71_240A,
    "STM32H7": 0x6DB6_6082,
    "STM32L0": 0x202E_3A91,
    "STM32L1": 0x1E1F_432D,
    "STM32L4": 0x00FF_6919,
    "STM32L5": 0x0424_0BDF,
    "STM32WB": 0x70D1_6653,
    "STM32WL": 0x2146_0FF0,
}
"""Of chips with a Cortex-M: Microsoft's ``uf2families.json``."""


def _write(built: Built, folder: Path) -> Exported:
    family, origin = _family(built.board), built.board.flash.origin
    path = folder / f"{built.name}.uf2"
    path.write_bytes(data := uf2(built.image, origin, family))
    name = next((name for name, known in FAMILIES.items() if known == family), "not in Microsoft's list")
    return Exported(
        path,
        f"{len(data) // 512} blocks from 0x{origin:08X} on, family 0x{family:08X} ({name})",
        "copy it onto the drive of a boot loader that leaves these addresses to the firmware",
    )


def _family(board: "Board") -> int:
    """What the boot loader of the board takes.

    Raises:
        BuildError: its file does not say.
    """
    if board.desk is not None and board.desk.uf2_family is not None:
        return board.desk.uf2_family
    title = board.title.upper().replace(" ", "")
    known = max((name for name in FAMILIES if title.startswith(name.partition("_")[0])), key=len, default=None)
    example = known or "RP2040"
    told = f"{example}: 0x{FAMILIES[example]:08X}" + ("" if known else ", say")
    raise BuildError(
        f"boards/{board.name}.toml: desk.uf2_family: found none, so no boot loader would take the file; if the board "
        f"has one that takes UF2, write its family, desk = {{ uf2_family = ... }} ({told}; all: uf2families.json), and "
        f"as origin of {board.flash.name} the address behind the boot loader, where that lies in it."
    )


FORMAT = Format(IMAGE, _write)
