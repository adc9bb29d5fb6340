"""``doit export``: the firmware in formats of other tools."""

from pathlib import Path

from tests.export.test_hex import read
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
    refused = small.doit("export", BROUGHT, "to=elf")
    assert refused.code != 0 and "allowed: bin, hex, all" in refused.output
