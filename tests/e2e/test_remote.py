"""A board as the runner, from spec to report; QEMU's GDB server stands for OpenOCD's."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.checkout import SPEC, Checkout
from tests.measure.remote.stub import needs_qemu, stub


@pytest.mark.slow
@needs_qemu
def test_a_board_behind_a_gdb_server(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", tmp_path / "store")
    with stub() as remote:
        checkout.write_spec(f'{SPEC}runner = "gdb"\nremote = "{remote}"\n')
        first = checkout.doit("build")
        assert first.code == 0, first.output
        assert {"measure", "remote", "report"} <= first.did("built")
        build = checkout.path / "build" / "net"
        figures = json.loads((build / "remote.json").read_text())
        assert (figures["runner"], figures["samples"], figures["silicon"]) == ("gdb", 8, False)
        np.testing.assert_array_equal(np.load(build / "remote_outputs.npy"), np.load(build / "device_outputs.npy"))
        again = checkout.doit("build")
        assert again.code == 0 and not again.did("built")
