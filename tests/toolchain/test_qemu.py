"""A second opinion on the start-up code: QEMU faults where plain unicorn does not."""

import re
import subprocess
import time
from pathlib import Path

import pytest

from mcubuild.board import read_board
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.toolchain import sizes
from mcubuild.toolchain.target import ToolchainName
from tests.toolchain.building import build
from tests.toolchain.handwritten import expected, inputs, write_model

pytestmark = pytest.mark.needs("qemu-system-arm")


def run(out: Path, commands: list[str], *arguments: str) -> str:
    """What the monitor of a running STM32F4 (the memory map of the F412, but 128 kB of RAM) answers to ``commands``."""
    machine = ["-machine", "netduinoplus2", "-nographic", "-serial", "none", "-monitor", "stdio"]
    command = ["qemu-system-arm", *machine, "-kernel", str(out / "firmware.bin"), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as qemu:
        time.sleep(0.7)  # thousands of inferences
        return qemu.communicate("\n".join(["stop", *commands, "quit", ""]), timeout=20)[0]


def test_qemu_computes_the_same_output(toolchain: ToolchainName, tmp_path: Path) -> None:
    out = build(write_model(tmp_path / "c"), read_board("stm32f412"), FirmwareSettings(toolchain=toolchain))
    symbols = {symbol.name: symbol for symbol in sizes.read_image(out / "firmware.elf").symbols}
    x = tmp_path / "x.bin"
    x.write_bytes(inputs(4).tobytes())
    device = f"loader,file={x},addr={symbols['model_input'].address},force-raw=on"
    result = tmp_path / "y.bin"
    run(out, [f'memsave {symbols["model_output"].address} 10 "{result}"'], "-device", device)
    assert result.read_bytes() == expected(inputs(4)).tobytes()


def test_a_fault_ends_in_the_fault_handler(toolchain: ToolchainName, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "c")
    model = folder / "model.c"
    model.write_text(model.read_text().replace("    layer_01", "    *(volatile int *)0xC0000000 = 1;\n    layer_01"))
    out = build(folder, read_board("stm32f412"), FirmwareSettings(toolchain=toolchain))
    handler = {s.name: s.address for s in sizes.read_image(out / "firmware.elf").symbols}["HardFault_Handler"]
    found = re.search(r"R15=([0-9a-f]{8})", run(out, ["info registers"]))
    assert found is not None
    assert int(found[1], 16) == handler
