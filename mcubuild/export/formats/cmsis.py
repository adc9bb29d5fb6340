"""The network as a CMSIS-Pack: https://open-cmsis-pack.github.io/Open-CMSIS-Pack-Spec/main/html/index.html."""

from pathlib import Path

from mcubuild.export.format import Built, Exported, Format
from mcubuild.export.library import NEEDS, OPTIONAL, VERSION, slug, write_archive, write_library

VENDOR = "mcubuild"
_CORES = ("M0", "M0+", "M1", "M3", "M4", "M7", "M23", "M33", "M35P", "M52", "M55", "M85")
_INSTALL = (
    "`cpackget add -F <the .pack>` (`-F` replaces an earlier one), then the component Machine Learning > Network in "
    "your project; its template *Classify one sample* is an example. Compile the component with `-O2`, as the cycles "
    "are that a report counts."
)


def _write(built: Built, folder: Path) -> Exported:
    description = f"{VENDOR}.{slug(built.name)}.pdsc"
    templates = {
        description: "cmsis/pack.pdsc.j2",
        "template/classify.c": "cmsis/classify.c.j2",
        "template/sample.h": "sample.h.j2",
    }
    cores = [f"Cortex-{core}" for core in _CORES]
    out, _ = write_library(built, folder / "cmsis", templates, _INSTALL, cores=cores)
    path = folder / f"{VENDOR}.{out.name}.{VERSION}.pack"
    write_archive(out, path, "")
    return Exported(path, f"a CMSIS-Pack; its files are in {out}", f"cpackget add -F {path}")


FORMAT = Format(NEEDS, _write, OPTIONAL)
