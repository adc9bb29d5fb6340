"""From a spec to a firmware that answers, and to a board's flash."""

import os
import sys
from pathlib import Path

import pytest

from tests.e2e.checkout import Checkout
from tests.e2e.test_index import labelled


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return labelled(tmp_path_factory.mktemp("desk"))


def test_samples_are_answered_in_the_emulator(checkout: Checkout) -> None:
    run = checkout.doit("run", "spec=net", "samples=5")
    assert run.code == 0, run.output
    rows = [line.split() for line in run.output.split("sample  true")[1].splitlines()[1:6]]
    assert [(row[0], row[1]) for row in rows] == [
        (str(n), row[2]) for n, row in zip(range(0, 10, 2), rows, strict=True)
    ]
    assert all(row[3].endswith("%)") for row in rows)
    assert "all 5 answers equal the integer reference's in every bit" in run.output
    assert "as emulated for the report" in run.output
    again = checkout.doit("run:net", "samples=5")
    assert again.code == 0 and "emulator (cortex-m4): network" in again.output


def test_the_words_of_doit_keep_their_meaning(checkout: Checkout) -> None:
    assert checkout.doit("run", "codegen:net").did("up to date") >= {"import", "codegen"}


def test_what_contradicts_itself_is_refused(checkout: Checkout) -> None:
    cases = {
        ("on=port",): "on=port: which? Write port=/dev/ttyACM0, say.",
        ("on=emulator", "port=/dev/ttyX"): "emulator has no port; write one of both",
        ("port=/dev/ttyX",): "desk.uart: found none, so the firmware cannot talk over a serial port",
        ("on=moon",): "there is no such on here; write on=emulator",
        ("samples=0",): "samples=0: must be a whole number, at least 1; such as samples=10",
    }
    for words, told in cases.items():
        run = checkout.doit("run", "spec=net", *words)
        assert run.code != 0
        assert told in run.output


def test_the_flash_is_written(checkout: Checkout, tmp_path: Path) -> None:
    tool = tmp_path / "st-flash"
    tool.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(tmp_path / 'calls')!r}, 'w').write(' '.join(sys.argv[1:]))\n"
    )
    tool.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    run = checkout.doit("flash", "spec=net", "by=st-flash", PATH=path)
    assert run.code == 0, run.output
    assert "net: build/net/firmware.elf written by st-flash; it runs on the STM32F412xG." in run.output
    assert (tmp_path / "calls").read_text() == "--reset write build/net/firmware.bin 0x08000000"
    assert "by=hand: there is no such by here" in checkout.doit("flash", "spec=net", "by=hand").output


def test_a_desk_is_no_part_of_a_build(checkout: Checkout) -> None:
    checkout.doit("build", "spec=net")
    checkout.edit("boards/stm32f412.toml", "desk = {", 'desk = { interface = "interface/cmsis-dap.cfg",')
    assert not checkout.doit("build", "spec=net").did("built")
