"""accuracy: the float and the quantised network on the test split."""

from rules.job import Job
from rules.stage import Stage, trains
from rules.stages.threshold import THRESHOLD


def _run(job: Job) -> None:
    from mcubuild.artifacts.threshold import read_threshold
    from mcubuild.data.splits import read_index, read_split
    from mcubuild.ir.files import read_graph
    from mcubuild.nas.space.described import read_described
    from mcubuild.quant.accuracy import evaluate
    from mcubuild.tasks.learning import learning
    from mcubuild.tasks.reading import reading

    index, graph = read_index(job.file("index.json")), read_graph(job.file("model.json").parent)
    evaluate(
        graph,
        read_described(job.file("arch.json")),
        job.file("weights.safetensors"),
        read_split(job.file("test.npz")),
        learning(index),
        reading(index, graph, job["detection"], read_threshold(job.find(THRESHOLD))),
        job.out,
    )


STAGE = Stage(
    name="accuracy",
    doc="accuracy of the float and of the quantised network on the test samples",
    inputs=("index.json", "test.npz", "arch.json", "weights.safetensors", "model.json", "model.npz"),
    optional=(THRESHOLD,),
    outputs=("accuracy.json", "int8_outputs.npy"),
    settings=("detection",),
    run=_run,
    serves=trains,
)
