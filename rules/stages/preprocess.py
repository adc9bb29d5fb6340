"""preprocess: what turning a picture into the network's input takes, apart from the network."""

from rules.job import Job
from rules.stage import POWER, UNNAMED, Stage
from rules.stages import codegen, dataset, firmware

COST = "preprocessing.json"


def _run(job: Job) -> None:
    import json
    from dataclasses import asdict

    from mcubuild.data.splits import read_index
    from mcubuild.measure.preprocessing import measure_preprocessing

    pictures = read_index(job.file(codegen.INDEX)).pictures
    assert pictures is not None  # `dataset.has_images` saw to it
    folder = job.file("c/model.h").parent
    cost = measure_preprocessing(folder, job["board"], job["firmware"], pictures.size)
    content = None if cost is None else asdict(cost)
    (job.out / COST).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


STAGE = Stage(
    name="preprocess",
    doc="cost of turning a picture into the network's input",
    inputs=("c/model.h", "c/preprocess.c", codegen.INDEX),
    outputs=(COST,),
    settings=("board", "firmware"),
    run=_run,
    serves=dataset.has_images,
    templates=("kernels_templates/firmware/**/*", "mcubuild/measure/*.c"),
    identities=firmware.STAGE.identities,
    ignored=(*UNNAMED, *POWER),
)
