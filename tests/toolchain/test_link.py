"""From C to an ELF that runs and says what it takes."""

import json
import re
import struct
import subprocess
from pathlib import Path

import pytest

from mcubuild.board import read_board
from mcubuild.errors import BuildError
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.toolchain import compile as compiling
from mcubuild.toolchain import firmware, sizes
from mcubuild.toolchain.target import ToolchainName, target_flags
from tests.toolchain.building import build
from tests.toolchain.handwritten import BOARDS, board_named, expected, inputs, write_model
from tests.toolchain.plain_unicorn import Core


@pytest.mark.parametrize("name", BOARDS)
def test_the_firmware_runs_from_reset_to_the_output(name: str, toolchain: ToolchainName, tmp_path: Path) -> None:
    board = board_named(name)
    core = Core(build(write_model(tmp_path / "c"), board, FirmwareSettings(toolchain=toolchain)), board)
    for seed in range(3):
        core.run_to("model_ready")
        core.write("model_input", inputs(seed).tobytes())
        core.run_to("model_done")
        assert core.read("model_output") == expected(inputs(seed)).tobytes()


@pytest.mark.parametrize("optimize", ["Os", "O2", "O3"])
def test_every_level_keeps_the_symbols_that_runners_need(
    optimize: str, toolchain: ToolchainName, tmp_path: Path
) -> None:
    settings = FirmwareSettings.model_validate({"toolchain": toolchain, "optimize": optimize})
    image = sizes.read_image(build(write_model(tmp_path / "c"), read_board("stm32f412"), settings) / "firmware.elf")
    symbols = {symbol.name: symbol for symbol in image.symbols}
    functions = {"Reset_Handler", "HardFault_Handler", "model_ready", "model_invoke", "model_done", "model_run"}
    assert functions | {"layer_00_copy", "layer_01_fully_connected", "model_cycles"} <= set(symbols)
    arena = symbols["model_arena"]
    assert (arena.size, arena.section, arena.address % 32) == (160, ".arena", 0)
    assert (symbols["model_input"].address, symbols["model_input"].size) == (arena.address, 64)
    assert (symbols["model_output"].address, symbols["model_output"].size) == (arena.address + 128, 10)
    assert symbols["weights_1"].section == ".model_weights"


def test_start_up_fills_data_and_clears_bss(toolchain: ToolchainName, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "c")
    model = folder / "model.c"
    state = "static volatile int8_t preset[3] = {5, 6, 7};\nstatic volatile int8_t cleared[37];\n"
    text = model.read_text().replace("void model_run", f"{state}void model_run")
    text = text.replace("    layer_01", "    arena[10] = preset[2];\n    arena[11] = cleared[36];\n    layer_01")
    model.write_text(text)
    board = read_board("stm32f746")
    out = build(folder, board, FirmwareSettings(toolchain=toolchain))
    core = Core(out, board)
    core.run_to("model_done")
    assert core.read("model_input")[10:12] == bytes([7, 0])
    report = json.loads((out / "sizes.json").read_text())
    static = report["sections"][".data"]["bytes"] + report["sections"][".bss"]["bytes"]
    assert static == 64  # 3, rounded up to 4, + 37 + 4, rounded up to the arena's alignment
    assert report["flash_bytes"] == len((out / "firmware.bin").read_bytes())


@pytest.mark.parametrize("name", ["stm32f412", "stm32f746"])
def test_sizes_agree_with_the_image(name: str, toolchain: ToolchainName, tmp_path: Path) -> None:
    board = read_board(name)
    out = build(write_model(tmp_path / "c"), board, FirmwareSettings(toolchain=toolchain, stack=1024))
    text = (out / "sizes.json").read_text()
    report = json.loads(text)
    assert text == json.dumps(report, indent=1, sort_keys=True) + "\n"
    assert report["sram_static_bytes"] == 160 + 32
    assert report["stack_reserved"] == report["sections"][".stack"]["bytes"] == 1024
    assert report["sections"][".model_weights"] == {"bytes": 640 + 40, "memory": "FLASH"}
    assert report["memories"]["FLASH"] == {"used": report["flash_bytes"], "size": 1 << 20}
    ram = "SRAM1" if name == "stm32f412" else "DTCM"
    assert report["memories"][ram]["used"] == 160 + 32 + 1024
    assert report["sections"][".arena"]["memory"] == ram
    assert sum(memory["used"] for memory in report["memories"].values()) == 160 + 32 + 1024 + report["flash_bytes"]
    assert report["toolchain"] == compiling.find(toolchain).identity
    listed = [symbol["bytes"] for symbol in report["symbols"]]
    assert listed == sorted(listed, reverse=True)
    assert report["symbols"][0] == {"name": "weights_1", "bytes": 640, "section": ".model_weights"}
    image = (out / "firmware.bin").read_bytes()
    assert len(image) == report["flash_bytes"]
    stack_top, reset = struct.unpack("<II", image[:8])
    assert stack_top == 0x2000_0000 + 1024
    assert re.search(rf"0x{reset & ~1:08x} +\d+ +Reset_Handler", (out / "firmware.map").read_text())


def test_an_arena_may_span_regions_that_touch(toolchain: ToolchainName, tmp_path: Path) -> None:
    board = read_board("stm32f746")
    out = build(write_model(tmp_path / "c", arena=200 * 1024), board, FirmwareSettings(toolchain=toolchain))
    report = json.loads((out / "sizes.json").read_text())
    assert report["sections"][".arena"]["memory"] == "DTCM+SRAM1"
    assert report["memories"]["DTCM"]["used"] == 64 * 1024
    assert report["memories"]["SRAM1"]["used"] == 200 * 1024 + 2048 + 32 - 64 * 1024


def test_two_folders_give_the_same_bytes(toolchain: ToolchainName, tmp_path: Path) -> None:
    board, settings = read_board("stm32f746"), FirmwareSettings(toolchain=toolchain)
    first = build(write_model(tmp_path / "here" / "c"), board, settings)
    second = build(write_model(tmp_path / "quite" / "elsewhere" / "c"), board, settings)
    for name in ("firmware.elf", "firmware.bin", "firmware.map", "sizes.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    elf = (first / "firmware.elf").read_bytes()
    for path in (tmp_path, Path.home(), Path(__file__).parents[2]):
        assert str(path).encode() not in elf


def test_a_copy_of_four_bytes_is_no_call(toolchain: ToolchainName, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "c")
    model = folder / "model.c"
    load = "int32_t load(const int8_t *from) { int32_t x; memcpy(&x, from, 4); return x; }\n"
    use = "    arena[130] = (int8_t)load(arena + 1);\n"
    text = model.read_text().replace("void model_run", f"__attribute__((noinline)) {load}void model_run")
    model.write_text(text.replace("    layer_01", f"{use}    layer_01"))
    out = build(folder, read_board("stm32f412"), FirmwareSettings(toolchain=toolchain))
    symbols = {symbol.name: symbol for symbol in sizes.read_image(out / "firmware.elf").symbols}
    assert symbols["load"].size <= 6  # ldr, bx lr


def test_code_that_does_not_compile_names_file_and_line(toolchain: ToolchainName, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "c")
    (folder / "model.c").write_text("int broken(void) { return nothing; }\n")
    with pytest.raises(BuildError, match=r"model\.c:1:.*nothing"):
        build(folder, read_board("stm32f412"), FirmwareSettings(toolchain=toolchain))


def test_the_firmware_has_no_warnings(toolchain: ToolchainName, tmp_path: Path) -> None:
    for name in BOARDS:
        folder = write_model(tmp_path / name)
        board = board_named(name)
        firmware.generate(board, 2048, folder)
        found = compiling.find(toolchain)
        flags = [*target_flags(toolchain, board), "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion"]
        command = [*found.command, *flags, "-Werror", "-I..", "-c", *firmware.SOURCES]
        result = subprocess.run(command, cwd=folder / firmware.FOLDER, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr


def test_a_header_without_an_arena(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"model\.h"):
        firmware.generate(read_board("stm32f412"), 2048, tmp_path)
    (tmp_path / "model.h").write_text("#define MODEL_ARENA_BYTES SIZE\n")
    with pytest.raises(BuildError, match="MODEL_ARENA_BYTES"):
        firmware.generate(read_board("stm32f412"), 2048, tmp_path)
