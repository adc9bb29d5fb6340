"""``doit run``: wires that do not go where the command line says are refused before anything is made."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from mcubuild import ROOT
from mcubuild.errors import BuildError
from mcubuild.spec.spec import read_spec
from rules.commands import run


@pytest.mark.parametrize(
    ("over", "on", "port", "told"),
    [
        ("semihosting", None, "/dev/ttyACM0", "over=semihosting: not at port=/dev/ttyACM0"),
        ("rtt", None, "/dev/ttyACM0", "with over=rtt it is host:port of a debug server"),
        ("rtt", None, None, "over=rtt: not in the emulator; write on=gdb, qemu or pyocd"),
        ("rtt", "emulator", None, "over=rtt: not on=emulator"),
        ("uart", "gdb", None, "over=uart: not on=gdb; a UART is at port="),
        ("uart", None, None, "over=uart: not in the emulator"),
    ],
)
def test_wires_that_lead_nowhere(
    over: str, on: str | None, port: str | None, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, board = read_spec(ROOT / "specs" / "quickstart.toml")
    resolved = {"spec": spec.model_dump(mode="json"), "board": board.model_dump(mode="json")}
    given: dict[str, dict[str, str | None]] = {"OVER": {"chosen": over}, "ON": {"chosen": on}, "PORT": {"given": port}}
    for name, values in given.items():
        monkeypatch.setattr(run, name, SimpleNamespace(**values))
    with pytest.raises(BuildError, match=told):
        run._reached(resolved, tmp_path)
    assert not [*tmp_path.iterdir()]
