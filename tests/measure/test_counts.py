"""Counts are exact: per address against single-stepping and QEMU, per layer against the whole."""

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcubuild.board import CoreName
from mcubuild.measure.decode import Decoder
from mcubuild.measure.elf import read_firmware
from mcubuild.measure.emulator import Emulator
from mcubuild.measure.runner import measure
from mcubuild.spec.measure import MeasureSettings
from tests.measure.conftest import Build, board

CORES: tuple[CoreName, ...] = ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33")
LAYERS = ["layer_00_widen", "layer_01_mix", "layer_02_sum"]
BUILT_IN_INPUT = [3, -7, 11, 120, -128, 127, 0, 1, -1, 64, -64, 9, 8, 7, 6, 5]
ENOUGH = 10_000_000


def start(elf: Path, core: CoreName) -> Emulator:
    """An emulator at the entry of model_invoke."""
    firmware = read_firmware(elf)
    emulator = Emulator(board(core), firmware, [])
    for name in ("model_ready", "model_invoke"):
        emulator.run(firmware.symbol(name).address, ENOUGH, "on the way")
    return emulator


def counted(elf: Path, core: CoreName) -> tuple[Counter[int], set[int]]:
    """How often each instruction of an inference was executed, and the addresses of those inside IT blocks."""
    emulator = start(elf, core)
    emulator.counter.count(True)
    emulator.run(emulator.link_register, ENOUGH, "in the inference")
    decoder = Decoder(core, emulator.read)
    executed: Counter[int] = Counter()
    conditional: set[int] = set()
    for edge, count in zip(emulator.counter.edges, emulator.counter.counts.tolist(), strict=True):
        for instruction in decoder.instructions(edge.block):
            executed[instruction.address] += count
            if "flags" in instruction.sources:
                conditional.add(instruction.address)
    return executed, conditional


def stepped(elf: Path, core: CoreName) -> Counter[int]:
    """The same from unicorn's hook of every instruction, which leaves out those inside IT blocks."""
    from unicorn import unicorn_const

    emulator = start(elf, core)
    executed: Counter[int] = Counter()

    def on_instruction(uc: Any, address: int, size: int, data: Any) -> None:
        executed[address] += 1

    emulator.uc.hook_add(unicorn_const.UC_HOOK_CODE, on_instruction)
    emulator.uc.ctl_flush_tb()
    emulator.run(emulator.link_register, ENOUGH, "in the inference")
    return executed


@pytest.mark.parametrize("core", CORES)
def test_counts_equal_single_stepping(build: Build, core: CoreName) -> None:
    elf = build("model.c", core)
    executed, conditional = counted(elf, core)
    for address in conditional:
        del executed[address]
    steps = stepped(elf, core)
    assert sum(steps.values()) > 1000
    assert {a: n for a, n in steps.items() if a not in conditional} == dict(executed)


@pytest.mark.needs("qemu-system-arm")
def test_counts_equal_qemu(build: Build) -> None:
    """QEMU executes the same ELF one instruction a translation block and logs each, skipped ones in IT blocks too."""
    elf = build("model.c", "cortex-m4")
    executed, conditional = counted(elf, "cortex-m4")
    assert conditional, "the test's firmware has no IT block"
    assert dict(qemu(elf)) == dict(executed)


def qemu(elf: Path) -> Counter[int]:
    firmware = read_firmware(elf)
    invoke, done = firmware.symbol("model_invoke").address, firmware.symbol("model_done").address
    command = ["qemu-system-arm", "-M", "netduinoplus2", "-display", "none", "-monitor", "none", "-serial", "none"]
    command += ["-kernel", str(elf), "-singlestep", "-d", "exec,nochain", "-D", "/dev/stdout"]
    addresses: list[int] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Trace"):
                addresses.append(int(line.split("/")[1], 16))
                if addresses[-1] == done:
                    break
        process.kill()
    first = addresses.index(invoke)
    after_call = addresses[first - 1] + 4  # behind the BL
    return Counter(addresses[first : addresses.index(after_call, first)])


@pytest.mark.parametrize("core", CORES)
def test_layers_and_the_rest_sum_up_to_the_inference(build: Build, core: CoreName) -> None:
    inputs = np.random.default_rng(5).integers(-128, 128, (9, 16)).astype(np.int8)
    result = measure(build("model.c", core), board(core), MeasureSettings(), inputs, LAYERS)
    shares = [*result.layers, result.outside_layers]
    assert all(share.instructions > 0 for share in shares)
    assert sum(share.instructions for share in shares) == pytest.approx(result.instructions.mean, rel=1e-12)
    assert sum(function.instructions for function in result.functions) == pytest.approx(result.instructions.mean)
    assert result.instructions.min < result.instructions.mean < result.instructions.max
    by_name = {function.name: function.instructions for function in result.functions}
    assert by_name["clamp"] > 0
    assert result.layers[0].instructions > by_name["layer_00_widen"], "a layer includes what it calls"


def test_each_sample_is_counted_alone(build: Build) -> None:
    """The extremes over samples are the counts of the samples when they run alone."""
    elf = build("model.c", "cortex-m4")
    inputs = np.random.default_rng(6).integers(-128, 128, (5, 16)).astype(np.int8)
    alone = [measure(elf, board("cortex-m4"), MeasureSettings(), x[None], LAYERS) for x in inputs]
    together = measure(elf, board("cortex-m4"), MeasureSettings(), inputs, LAYERS)
    counts = [one.instructions.mean for one in alone]
    assert len(set(counts)) > 1
    assert (together.instructions.min, together.instructions.max) == (min(counts), max(counts))
    assert together.instructions.mean == pytest.approx(np.mean(counts))
    np.testing.assert_array_equal(together.outputs, np.concatenate([one.outputs for one in alone]))


def test_input_of_one_sample_reproduces_a_reset(build: Build) -> None:
    """QEMU's run of the built-in input equals the runner's run of the same input as a sample."""
    elf = build("model.c", "cortex-m4")
    executed, _ = counted(elf, "cortex-m4")
    result = measure(elf, board("cortex-m4"), MeasureSettings(), np.array([BUILT_IN_INPUT], np.int8), LAYERS)
    assert result.instructions.mean == sum(executed.values())


def test_tail_calls_and_nested_layers(build: Build) -> None:
    """A layer that ends in a jump to a helper keeps its work; a layer inside a layer belongs to the outer one."""
    elf = build(
        assembly="""
        cbz r0, 1f              @ r0 is unknown: both ways have the same length
    1:  b helper
        .global layer_01_inner
        .type layer_01_inner, %function
    helper:
        push {r4, lr}
        bl layer_01_inner
        pop {r4, pc}
    layer_01_inner:
        movs r0, #10
    2:  subs r0, #1
        bne 2b
        bx lr
    """
    )
    result = measure(
        elf, board("cortex-m4"), MeasureSettings(), np.zeros((1, 16), np.int8), ["layer_00_asm", "layer_01_inner"]
    )
    assert [share.instructions for share in result.layers] == [2 + 3 + 1 + 20 + 1, 0]
    assert result.outside_layers.instructions == 3


def test_code_in_ram(build: Build, tmp_path: Path) -> None:
    """Counts do not depend on where the code lies."""
    source = tmp_path / "model.c"
    source.write_text(
        """
        signed char model_input[16], model_output[4];
        __attribute__((section(".ramcode"), noinline, used, long_call)) void layer_00_ram(void) {
            for (int i = 0; i < 4; ++i) model_output[i] = model_input[i] + model_input[i + 4];
        }
        void model_invoke(void) { layer_00_ram(); __asm volatile("" ::: "memory"); }
        """
    )
    elf = build(str(source))
    inputs = np.arange(32, dtype=np.int8).reshape(2, 16)
    result = measure(elf, board("cortex-m4"), MeasureSettings(), inputs, ["layer_00_ram"])
    layer = read_firmware(elf).symbol("layer_00_ram")
    assert layer.address >= 0x2000_0000
    np.testing.assert_array_equal(result.outputs, inputs[:, :4] + inputs[:, 4:8])
    steps = stepped(elf, "cortex-m4")
    within = sum(count for address, count in steps.items() if layer.address <= address < layer.address + layer.size)
    assert result.layers[0].instructions == within > 0
