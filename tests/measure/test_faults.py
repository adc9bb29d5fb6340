"""What goes wrong in a firmware becomes one message that names function, address and cause."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from mcubuild.board import CoreName
from mcubuild.errors import BuildError
from mcubuild.measure import native, session
from mcubuild.measure.elf import read_firmware
from mcubuild.measure.runner import measure
from mcubuild.spec.measure import MeasureSettings
from tests.measure.conftest import Build, board

SAMPLE = np.zeros((1, 16), np.int8)


def message(build: Build, body: str, core: CoreName = "cortex-m4") -> str:
    elf = build(core=core, assembly=body)
    with pytest.raises(BuildError) as caught:
        measure(elf, board(core), MeasureSettings(), SAMPLE, ["layer_00_asm"])
    assert str(elf) in str(caught.value)
    assert "layer_00_asm" in str(caught.value)
    return str(caught.value)


FAULTS = {
    "ldr r0, =0x30000000\n ldr r1, [r0, #4]": ("reads the page at 0x30000000", "no memory of board 'stm32f412'"),
    "ldr r0, =0x30000000\n str r1, [r0]": ("writes the page at 0x30000000", "no memory"),
    "ldr r0, =0x20040000\n str r1, [r0]": ("writes the page at 0x20040000", "no memory"),
    "ldr r0, =0x08000000\n str r1, [r0]": ("writes the page at 0x08000000, which is not writable",),
    "udf #1": ("executes an instruction that a cortex-m4 does not have",),
    "svc #1": ("exception",),
    "bkpt #1": ("exception",),
    "b .": ("loops there forever",),
    "wfi\n b .": ("stopped by itself (a WFI",),
}


@pytest.mark.parametrize("body", FAULTS)
def test_faults_name_function_address_and_cause(build: Build, body: str) -> None:
    text = message(build, body)
    for part in ("on sample 0", " at 0x080000", *FAULTS[body]):
        assert part in text


def test_wild_jump(build: Build) -> None:
    elf = build(assembly="ldr r0, =0x30000001\n bx r0")
    with pytest.raises(BuildError, match="jumps to the page at 0x30000000"):
        measure(elf, board("cortex-m4"), MeasureSettings(), SAMPLE, ["layer_00_asm"])


def test_instruction_of_a_bigger_core(build: Build) -> None:
    """A Cortex-M0+ has no SDIV; a board without the DSP extension no SMLAD, which the emulator would let through."""
    assert "a cortex-m0plus does not have" in message(build, ".inst.w 0xfb91f0f2", "cortex-m0plus")
    elf = build(assembly="smlad r0, r1, r2, r3\n bx lr")
    without_dsp = board("cortex-m4").model_copy(update={"dsp": False})
    with pytest.raises(BuildError, match=r"SMLAD in layer_00_asm at 0x[0-9a-f]*: board 'stm32f412' has no DSP"):
        measure(elf, without_dsp, MeasureSettings(), SAMPLE, ["layer_00_asm"])


def test_no_progress(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_INFERENCE_LIMIT", 5_000_000)
    assert "made no progress within 5 MB" in message(build, "1: adds r0, #1\n b 2f\n nop\n 2: b 1b")


def test_stack_use_and_overflow(build: Build) -> None:
    def body(bytes_used: int) -> str:
        return f"mov r3, sp\n sub.w sp, sp, #{bytes_used}\n movs r0, #0\n 1: str r0, [sp]\n mov sp, r3\n bx lr"

    def used(bytes_used: int) -> int:
        elf = build(assembly=body(bytes_used))
        return measure(elf, board("cortex-m4"), MeasureSettings(), SAMPLE, ["layer_00_asm"]).stack_bytes

    assert used(512) - used(256) == 256
    with pytest.raises(BuildError, match=r"stack of 1024 bytes is used up .* raise \[firmware\] stack"):
        used(1024 - (used(256) - 256))


def test_unaligned_accesses_that_fault_on_silicon(build: Build) -> None:
    body = "ldr r0, =buffer + 2\n {0}\n bx lr"
    assert "LDRD in layer_00_asm" in message(build, body.format("ldrd r2, r3, [r0]"))
    assert "STM in layer_00_asm" in message(build, body.format("stm r0, {r2, r3}"))
    assert "has to be aligned" in message(build, body.format("ldr r2, [r0]"), "cortex-m0plus")
    elf = build(assembly=body.format("ldr r2, [r0]"))
    measure(elf, board("cortex-m4"), MeasureSettings(), SAMPLE, ["layer_00_asm"])  # an M4 only takes longer


def test_firmware_that_does_not_follow_the_protocol(build: Build, tmp_path: Path) -> None:
    elf = build("model.c", "cortex-m4")
    settings, chip = MeasureSettings(), board("cortex-m4")
    with pytest.raises(BuildError, match="symbol 'layer_07_missing' is missing"):
        measure(elf, chip, settings, SAMPLE, ["layer_07_missing"])
    with pytest.raises(BuildError, match=r"16 bytes of int8 .* found int8 \(15,\), 15 bytes"):
        measure(elf, chip, settings, SAMPLE[:, :15], [])
    with pytest.raises(BuildError, match="found uint8"):
        measure(elf, chip, settings, SAMPLE.astype(np.uint8), [])
    elsewhere = chip.memory[0].model_copy(update={"origin": 0x0900_0000})
    with pytest.raises(BuildError, match="lies in no memory of board 'stm32f412'"):
        measure(elf, chip.model_copy(update={"memory": (elsewhere, chip.memory[1])}), settings, SAMPLE, [])
    with pytest.raises(BuildError, match=r"cannot be read"):
        read_firmware(tmp_path / "missing.elf")
    broken = tmp_path / "broken.elf"
    broken.write_bytes(b"not an ELF at all")
    with pytest.raises(BuildError, match="not a valid ELF"):
        read_firmware(broken)


def test_counter_that_cannot_be_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.c").write_text("int broken(void) { return undeclared; }\n")
    monkeypatch.setattr(native, "__file__", str(tmp_path / "native.py"))
    with pytest.raises(BuildError, match="cannot be compiled for this machine") as caught:
        native.load("broken")
    assert "undeclared" in str(caught.value)


def test_native_code_is_compiled_here_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {name: tmp_path / name for name in ("TMPDIR", "MCUBUILD_STORE", "XDG_CACHE_HOME", "ZIG_LOCAL_CACHE_DIR")}
    for name, place in places.items():
        place.mkdir()
        monkeypatch.setenv(name, str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "seven.c").write_text("int seven(void) { return 7; }\n")
    monkeypatch.setattr(native, "__file__", str(tmp_path / "native.py"))
    assert native.load("seven").seven() == 7
    native.load.cache_clear()
    (tmp_path / "seven.c").write_text("int seven(void) { return 8; }\n")
    assert native.load("seven").seven() == 8
    native.load.cache_clear()
    assert not [path for place in places.values() for path in place.rglob("*")]
