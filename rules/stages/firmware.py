"""firmware: C compiled and linked, sections against the board's memories."""

from mcubuild.errors import BuildError
from rules.job import Job
from rules.stage import POWER, Resolved, Stage
from rules.stages import codegen


def _run(job: Job) -> None:
    from mcubuild.toolchain.compile import link

    link(job.file(codegen.FIRMWARE[0]).parent.parent, job["board"], job["firmware"], job.out)


def _compiler(resolved: Resolved) -> dict[str, str]:
    from mcubuild.toolchain.compile import find

    spec = resolved["spec"]
    try:
        return {"toolchain": find(spec["firmware"]["toolchain"]).identity}
    except BuildError as error:
        raise error.of(spec["name"]) from None


STAGE = Stage(
    name="firmware",
    doc="compiled, linked and held against the board's memories",
    inputs=(*codegen.MODEL, *codegen.FIRMWARE),
    outputs=("firmware.elf", "firmware.bin", "firmware.map", "sizes.json"),
    settings=("board", "firmware"),
    run=_run,
    templates=("kernels_templates/firmware/libc/*",),
    identities=_compiler,
    ignored=("board.source", "board.openocd", "board.pyocd_target", *POWER),
)
