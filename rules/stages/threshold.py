"""threshold: above which error a recording is anomalous, by the quantised network on the validation split."""

from rules.job import Job
from rules.stage import Resolved, Stage
from rules.stages.quantize import MODEL

THRESHOLD = "threshold.json"


def _run(job: Job) -> None:
    from mcubuild.artifacts import write_artifact
    from mcubuild.artifacts.threshold import Threshold
    from mcubuild.data.resize import network_input, resolution_of
    from mcubuild.data.splits import read_index, read_split
    from mcubuild.ir.files import read_graph
    from mcubuild.progress import bar
    from mcubuild.quant.outputs import integer_outputs
    from mcubuild.tasks.anomaly_detection.reading import Anomaly, chosen

    val, graph = read_split(job.file("val.npz")), read_graph(job.file("model.json").parent)
    reads = Anomaly.of(read_index(job.file("index.json")), graph, None)
    with bar("threshold", len(val)) as progress:
        outputs = integer_outputs(graph, val, progress)
    completed = reads.completed(outputs.reshape(len(val), -1), network_input(val.x, resolution_of(val.x)))
    threshold = chosen(reads, completed, val.targets, job["anomaly"].false_alarms)
    write_artifact(Threshold(threshold), job.out / THRESHOLD)


def _serves(resolved: Resolved) -> bool:
    return bool(resolved["spec"].get("task") == "anomaly_detection")


STAGE = Stage(
    name="threshold",
    doc="error from which on a recording is anomalous, by the validation samples",
    inputs=("index.json", "val.npz", *MODEL),
    outputs=(THRESHOLD,),
    settings=("anomaly",),
    run=_run,
    serves=_serves,
)
