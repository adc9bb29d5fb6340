"""The network as a Zephyr module: https://docs.zephyrproject.org/latest/develop/modules.html."""

from pathlib import Path

from mcubuild.export.format import Built, Exported, Format
from mcubuild.export.library import NEEDS, OPTIONAL, write_library

_TEMPLATES = {
    "zephyr/module.yml": "zephyr/module.yml.j2",
    "CMakeLists.txt": "zephyr/CMakeLists.txt.j2",
    "Kconfig": "zephyr/Kconfig.j2",
    "samples/classify/CMakeLists.txt": "zephyr/sample_CMakeLists.txt.j2",
    "samples/classify/prj.conf": "zephyr/prj.conf.j2",
    "samples/classify/sample.yaml": "zephyr/sample.yaml.j2",
    "samples/classify/src/main.c": "zephyr/main.c.j2",
    "samples/classify/src/sample.h": "sample.h.j2",
}
_INSTALL = (
    "Add this folder to `ZEPHYR_EXTRA_MODULES`, or to west's manifest, and set the option of `Kconfig` in `prj.conf`. "
    "`west build -b <board> samples/classify` builds the example."
)


def _write(built: Built, folder: Path) -> Exported:
    out, values = write_library(built, folder / "zephyr", _TEMPLATES, _INSTALL)
    told = f"a Zephyr module, CONFIG_{values['symbol']}=y"
    return Exported(out, told, f"west build -b <board> {out}/samples/classify")


FORMAT = Format(NEEDS, _write, OPTIONAL)
