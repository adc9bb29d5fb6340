"""codegen: the quantised graph as C, with everything that makes it a firmware."""

from pathlib import PurePosixPath

from mcubuild.engine.emit.naming import file_name
from rules.job import BITS, DEPLOYMENT, Job
from rules.stage import LIMITS, POWER, QUALITY, Resolved, Stage
from rules.stages.threshold import THRESHOLD

TUNED = "tune.json"
PLAN = "c/plan.json"
INDEX = "index.json"
INTERFACE = "interface.json"
MODEL = ("c/model.h", "c/model.c", "c/weights.h", "c/weights.c", "c/kernels.S", "c/preprocess.c")
FIRMWARE = ("c/firmware/main.c", "c/firmware/startup.c", "c/firmware/clock.c", "c/firmware/linker.ld")
FOR_OTHERS = ("c/README.md", "c/CMakeLists.txt", "model.zip")


def _called(resolved: Resolved, artifact: str) -> str:
    if artifact not in MODEL:
        return artifact
    path = PurePosixPath(artifact)
    return str(path.with_name(file_name(path.name, resolved["spec"]["firmware"]["prefix"])))


def _run(job: Job) -> None:
    from mcubuild.artifacts import read_artifact
    from mcubuild.artifacts.threshold import read_threshold
    from mcubuild.artifacts.tuned import Tuned
    from mcubuild.data.series import channels
    from mcubuild.data.splits import brought, read_index
    from mcubuild.engine.emit.archive import write_zip
    from mcubuild.engine.emit.codegen import Channel
    from mcubuild.engine.emit.codegen import generate as generate_model
    from mcubuild.engine.memory.footprint import target_of
    from mcubuild.engine.memory.planner import plan
    from mcubuild.importers.files import read_interfaces
    from mcubuild.importers.images import pixel_table
    from mcubuild.ir.files import read_graph
    from mcubuild.project import telling_templates
    from mcubuild.tasks.reading import after
    from mcubuild.toolchain.firmware import generate as generate_firmware

    graph = read_graph(job.file("model.json").parent)
    folder = job.out / "c"
    folder.mkdir()
    deployment = job.deployment
    stack, prefix = deployment.stack, deployment.firmware.prefix
    tuned = job.find(TUNED)
    target = target_of(deployment, None if tuned is None else read_artifact(tuned, Tuned).kernels)
    index = read_index(job.file(INDEX)) if INDEX in job.names else None
    if index is not None and job["model"]:
        index = brought(index, job["model"].anchors)
    table = None
    if index is not None and INTERFACE in job.names:
        face, *others = read_interfaces(job.file(INTERFACE))["inputs"]
        if not others:
            table, _ = pixel_table(job["model"].file, face, job["model"].pixels)
    with telling_templates():
        generate_model(
            graph,
            plan(graph, target),
            target,
            folder,
            stack=stack,
            classes=index.classes if index else (),
            data=None if index is None else "series" if index.series else "sounds" if index.front_end else "pictures",
            stored=index.native_resolution if index else None,
            whole=bool(index and index.pictures and index.pictures.whole),
            levels=index.pictures.levels if index and index.pictures else None,
            table=table,
            channels=[Channel(*one) for one in channels(index.series)] if index and index.series else (),
            after=None
            if index is None or (job["model"] and index.detector is None)
            else after(index, graph, job["detection"], read_threshold(job.find(THRESHOLD))),
            prefix=prefix,
        )
    write_zip(folder, job.out / "model.zip", prefix)
    with telling_templates():
        generate_firmware(deployment.board, stack, folder, prefix)


STAGE = Stage(
    name="codegen",
    doc="memory planned, C generated",
    inputs=("model.json", "model.npz"),
    optional=(INDEX, INTERFACE, TUNED, THRESHOLD),
    outputs=(*MODEL, PLAN, *FIRMWARE, *FOR_OTHERS),
    settings=(*DEPLOYMENT, "model", "detection"),
    run=_run,
    called=_called,
    templates=("kernels_templates/**/*.j2",),
    ignored=(
        *BITS,
        "firmware.toolchain",
        "firmware.optimize",
        *LIMITS,
        *QUALITY,
        *("board.source", "board.openocd", "board.pyocd_target"),  # comments name the title
        *POWER,
    ),
)
