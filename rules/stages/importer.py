"""import: a network that exists already, instead of a search for one."""

from pathlib import Path

from rules.job import Job
from rules.stage import Resolved, Stage, brings_model


def _run(job: Job) -> None:
    from mcubuild.data.splits import read_split
    from mcubuild.errors import BuildError
    from mcubuild.quant.brought import of_arrays, of_images, write_quantized
    from mcubuild.spec.quantize import QuantizeSettings

    calibration, method = None, job["quantize.method"]
    if (train := job.find("train.npz")) is not None:
        calibration = of_images(read_split(train), job["quantize.samples"], job["model.pixels"], method)
    elif (inputs := job["model.inputs"]) is not None:
        calibration = of_arrays(inputs, job.root, method)
    levels = QuantizeSettings(samples=job["quantize.samples"], method=method)
    if not write_quantized(job.root / job["model.file"], calibration, job.out) and levels != QuantizeSettings():
        raise BuildError(f"{job['model.file']}: it comes quantised, so that [quantize] means nothing; remove it.")


def network_files(resolved: Resolved) -> dict[str, Path]:
    """What the network is read from."""
    path = Path(resolved["folder"], resolved["spec"]["model"]["file"])
    # Exporters of ONNX write large constants beside it.
    return {each.name: each for each in (path, path.with_name(f"{path.name}.data")) if each.is_file()}


def arrays(resolved: Resolved, *keys: str) -> dict[str, Path]:
    """The .npy files that these keys of [model] name, as far as they are there."""
    model = resolved["spec"]["model"]
    named = (model[key] for key in keys if model[key] is not None)
    names = [name for value in named for name in ([value] if isinstance(value, str) else value)]
    paths = {name: Path(resolved["folder"], name) for name in names}
    return {name: path for name, path in paths.items() if path.is_file()}


STAGE = Stage(
    name="import",
    doc="network read from its file, and quantised where it is not",
    inputs=(),
    optional=("train.npz",),
    outputs=("model.json", "model.npz", "interface.json"),
    settings=("model.file", "model.inputs", "model.pixels", "quantize.samples", "quantize.method"),
    run=_run,
    sources=lambda resolved: network_files(resolved) | arrays(resolved, "inputs"),
    serves=brings_model,
)
