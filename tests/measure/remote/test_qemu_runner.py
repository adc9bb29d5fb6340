"""Whole firmwares in QEMU: by the runner that starts it, and by the GDB runner."""

from pathlib import Path

import numpy as np
import pytest

from mcubuild.board import board_names, read_board
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError
from mcubuild.ir.executor import run
from mcubuild.measure.remote.runner import measure_remotely
from mcubuild.measure.result import RemoteMeasurement
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from tests.measure.remote.stub import needs_qemu, stub
from tests.networks import random_inputs, random_network
from tests.toolchain.building import build
from tests.toolchain.handwritten import board_with, expected, inputs, write_model

IN_QEMU = MeasureSettings(runner="qemu")
LAYERS = ["layer_00_copy", "layer_01_fully_connected"]
SAMPLES = np.array([inputs(seed) for seed in range(3)])


def measured(folder: Path, board: str) -> RemoteMeasurement:
    """The network in ``folder`` (c/), built for ``board`` and run in QEMU."""
    chip, settings = read_board(board), FirmwareSettings()
    elf = build(folder / "c", chip, settings) / "firmware.elf"
    return measure_remotely(elf, folder / "c", chip, IN_QEMU, settings, SAMPLES, LAYERS)


def faulty(folder: Path, statement: str) -> Path:
    """The handwritten network, with a statement in its second layer."""
    model = write_model(folder / "c") / "model.c"
    text = model.read_text().replace("    for (int channel", f"    {statement}\n    for (int channel", 1)
    model.write_text(text)
    return folder


@needs_qemu
@pytest.mark.parametrize(("board", "stack"), [(name, 2048) for name in board_names()] + [("stm32f746", 160 << 10)])
def test_networks_give_the_same_bits(board: str, stack: int, tmp_path: Path) -> None:
    chip, settings, graph = read_board(board), FirmwareSettings(stack=stack), random_network(stack % 7 + len(board))
    target, x = Target.of(chip, EngineSettings()), random_inputs(graph, 4)
    code = tmp_path / "c"
    code.mkdir()
    generate(graph, plan(graph, target), target, code, stack=stack)
    elf = build(code, chip, settings) / "firmware.elf"
    result = measure_remotely(elf, code, chip, IN_QEMU, settings, x, [])
    np.testing.assert_array_equal(result.outputs, run(graph, x).reshape(len(x), -1))
    elsewhere = stack > 2048 or any(memory.code_only for memory in chip.memory)  # constants in the ITCM
    machine, how = ("mps2-an500", "linked for the memory map") if elsewhere else ("netduinoplus2", "unmodified")
    assert result.target.startswith("QEMU ") and result.target.endswith(f" at {machine}")
    assert how in str(result.note) and "no cycles: the cycle counter" in str(result.note)
    assert (result.runner, result.silicon, result.samples) == ("qemu", False, 4)
    assert result.cycles is None and result.latency_ms is None and result.clock_hz is None


@needs_qemu
def test_an_arena_in_memory_that_no_machine_has(tmp_path: Path) -> None:
    """The AXI SRAM of the STM32H743: 200 kB of arena do not fit its DTCM."""
    write_model(tmp_path / "c", arena=200 << 10)
    result = measured(tmp_path, "stm32h743")
    np.testing.assert_array_equal(result.outputs, [expected(sample) for sample in SAMPLES])
    assert "mps2-an500" in result.target


@needs_qemu
@pytest.mark.parametrize(
    ("core", "machine"),
    [("cortex-m0plus", "netduinoplus2"), ("cortex-m3", "netduinoplus2"), ("cortex-m4", "mps2-an386")],
)
def test_other_cores(core: str, machine: str, tmp_path: Path) -> None:
    elsewhere = {"name": "SRAM", "kind": "ram", "origin": 0x1000_0000, "size": "64kB", "wait_states": 0}
    flash = {"name": "FLASH", "kind": "flash", "origin": 0x0800_0000, "size": "256kB", "wait_states": 0}
    chip = board_with(core, **({"memory": [flash, elsewhere]} if machine == "mps2-an386" else {}))
    elf = build(write_model(tmp_path / "c"), chip, FirmwareSettings()) / "firmware.elf"
    result = measure_remotely(elf, tmp_path / "c", chip, IN_QEMU, FirmwareSettings(), SAMPLES, [])
    np.testing.assert_array_equal(result.outputs, [expected(sample) for sample in SAMPLES])
    assert machine in result.target
    if core == "cortex-m0plus":
        assert "no cycles: the core has no cycle counter" in str(result.note)


@needs_qemu
@pytest.mark.parametrize(
    ("statement", "where", "why"),
    [
        (
            '__asm__ volatile("ldrd r2, r3, [%0]" ::"r"((uint32_t)in | 1u) : "r2", "r3");',
            "faults in layer_01_fully_connected at 0x",
            "an unaligned access that the core does not do (LDRD, LDM, STM, VLDR, ...)",
        ),
        ("*(volatile int *)0xC0000000 = 1;", "faults in layer_01_fully_connected at 0x", "where no memory is"),
        ("memset((void *)0x60000000, in[0], 4096);", "memset at 0x", "within layer_01_fully_connected"),
        ('__asm__ volatile("udf #0");', "faults in layer_01_fully_connected", "the core does not have"),
    ],
)
def test_faults_name_function_layer_and_cause(statement: str, where: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        measured(faulty(tmp_path, statement), "stm32f412")
    assert "firmware.elf: QEMU" in str(caught.value) and "on sample 0, the firmware" in str(caught.value)
    assert where in str(caught.value) and why in str(caught.value)


@needs_qemu
def test_a_fault_that_qemu_itself_does_not_survive(tmp_path: Path) -> None:
    """A fault within a fault locks the core up, and QEMU 7 ends: its own words are shown."""
    statement = '__asm__ volatile("mov sp, %0\\n udf #0" ::"r"(0xC0000000));'
    with pytest.raises(BuildError, match=r"Lockup|outside of the stack"):
        measured(faulty(tmp_path, statement), "stm32f412")


def test_no_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "c")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"QEMU is not installed \(looked for qemu-system-arm on the PATH\).*apt"):
        measured(tmp_path, "stm32f412")


def test_a_core_without_a_machine(tmp_path: Path) -> None:
    chip = board_with("cortex-m33")
    elf = build(write_model(tmp_path / "c"), chip, FirmwareSettings()) / "firmware.elf"
    with pytest.raises(BuildError, match="no machine is known here for a cortex-m33"):
        measure_remotely(elf, tmp_path / "c", chip, IN_QEMU, FirmwareSettings(), SAMPLES, [])


@needs_qemu
def test_the_gdb_runner(tmp_path: Path) -> None:
    """Twice: the second finds the first one's firmware, and the core somewhere within it."""
    write_model(tmp_path / "c")
    chip, settings = read_board("stm32f412"), FirmwareSettings()
    elf = build(tmp_path / "c", chip, settings) / "firmware.elf"
    with stub() as where:
        for _ in range(2):
            remote = MeasureSettings(runner="gdb", remote=where)
            result = measure_remotely(elf, tmp_path / "c", chip, remote, settings, SAMPLES, LAYERS)
            np.testing.assert_array_equal(result.outputs, [expected(sample) for sample in SAMPLES])
            assert result.target.startswith("QEMU") and result.target.endswith(where)
            assert (result.runner, result.silicon, result.cycles) == ("gdb", False, None)
            assert result.clock_hz == 16_000_000, "QEMU has no PLL"
            assert "the clock set-up failed" in str(result.note)
