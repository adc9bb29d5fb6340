"""``doit export``: the firmware in formats of other tools."""

from pathlib import Path

import numpy as np

from mcubuild.importers.tflite import import_tflite
from mcubuild.ir import executor
from mcubuild.ir.files import read_graph
from tests.export.hex import read
from tests.trials.build import BROUGHT, Small


def test_the_firmware_is_exported(tmp_path: Path) -> None:
    small = Small(tmp_path / "one")
    run = small.doit("export", BROUGHT)
    assert run.code == 0, run.output
    folder = small.path / "build" / "brought"
    image = (folder / "firmware.bin").read_bytes()
    assert (folder / "export" / "brought.bin").read_bytes() == image
    found = read((folder / "export" / "brought.hex").read_text())
    assert found == {0x0800_0000 + number: byte for number, byte in enumerate(image)}
    tellable = small.doit("export", BROUGHT, "format=tflite")
    assert tellable.code == 0 and "[model] file =" in tellable.output
    again = import_tflite(folder / "export" / "brought.tflite").graph
    graph = read_graph(folder)
    shape = executor.sample_shape(graph)
    inputs = np.random.default_rng(0).integers(-128, 128, (3, *shape)).astype(np.int8)
    got, expected = (executor.run(one, inputs) for one in (again, graph))
    np.testing.assert_array_equal(got.reshape(3, -1), expected.reshape(3, -1))
    library = small.doit("export", BROUGHT, "format=arduino,zephyr")
    assert library.code == 0 and "Add .ZIP Library" in library.output
    assert (folder / "export" / "zephyr" / "brought" / "Kconfig").is_file()
    every = small.doit("export", BROUGHT, "format=all")
    assert every.code == 0 and "not written: uf2: boards/stm32f746.toml: desk.uf2_family" in every.output
    assert "brought.hex: " in every.output
    refused = small.doit("export", BROUGHT, "format=elf")
    assert refused.code != 0 and "allowed: arduino, bin, " in refused.output
