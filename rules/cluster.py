"""Stages on the workers of a Dask cluster: what a stage reads is found or sent there, what it writes comes back.

A worker reads an artifact where the machine that asks has it, if it sees that file; else it takes it from its own store
or from the shared one, by the key that it was made with; only what it finds nowhere is sent to it. All are known by
their SHA-256.

A worker is started in a copy of the project. It computes the action key anew, of its own code, libraries, tools and
files, and refuses where that is another one: so where a stage runs changes no bit of what it makes. Each stage has a
process of its own there, which ends with the worker; another worker then begins it again, or goes on from the last
checkpoint, where both have one store.
"""

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

from mcubuild import ROOT
from mcubuild.cluster import ADDRESS, answer, asked_for, connected
from mcubuild.errors import BuildError, NothingFitsError, reading, shortened
from rules.stage import BUILD, START, Resolved, Stage, located, pipeline, starts

GOING = frozenset(
    {"margin", "race", "supernet", "finetune", "scale", "train", "widths", "quantize", "tune", "accuracy", "measure"}
)
"""Stages that compute for long. The search stays where the command is, and sends networks."""
_JOB, _INPUTS, _MADE, _REFUSED, _LACKING = "job.json", "inputs", "made", "refused.json", "lacking.json"
Answer: TypeAlias = dict[str, bytes] | list[str] | BuildError
"""Of a worker: what the stage wrote, by name; or names of what it reads that are to be sent; or why it is not made."""


def address_for(stage: Stage) -> str | None:
    """The scheduler on whose workers ``stage`` is to run; None: it runs here."""
    return asked_for() if stage.name in GOING and stage.stored else None


def run(
    address: str, stage: Stage, resolved: Resolved, ingredients: Mapping[str, Any], inputs: Path, out: Path
) -> None:
    """Make the outputs of ``stage`` in ``out``, on a worker.

    Args:
        address: of the scheduler.
        stage: what to do.
        resolved: for which spec.
        ingredients: all that the result depends on.
        inputs: the folder with the artifacts that it reads.
        out: an empty folder.

    Raises:
        BuildError: there is no such cluster, a worker is not like this machine, workers were lost, or the stage failed.
        NothingFitsError: no network fits.
    """
    places = _places(stage, resolved, inputs)
    job = json.dumps({"stage": stage.name, "resolved": dict(resolved), "ingredients": ingredients, "places": places})
    with connected(address) as client:
        warnings.filterwarnings("ignore", message="Sending large graph")  # a worker may be lost, and what it holds
        sent, made = dict[str, bytes](), _there(client, address, job, {})
        while isinstance(made, list):
            for name in made:
                with reading(inputs / name, "artifact"):
                    sent[name] = (inputs / name).read_bytes()
            made = _there(client, address, job, sent)
    if isinstance(made, BuildError):
        raise made
    for name, content in made.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)


def _there(client: Any, address: str, job: str, sent: Mapping[str, bytes]) -> Answer:
    """What ``there`` answers on a worker.

    Raises:
        BuildError: workers were lost, or are not such that they can run it.
    """
    try:
        return cast("Answer", answer(client, client.submit(there, job, sent, pure=False)))
    except BuildError:
        raise
    except Exception as error:  # whatever a worker meets that cannot import the project, or has no room
        raise BuildError(
            f"{ADDRESS} is {address}, where this could not be done ({type(error).__name__}: "
            f"{shortened(str(error), 200)}); start scheduler and workers in copies of the project, with the same "
            f"environment."
        ) from None


def _places(stage: Stage, resolved: Resolved, inputs: Path) -> dict[str, Any]:
    """Where the artifacts that a stage reads are on this machine, and by which key a store may have them, by name."""
    from rules.known import FILES

    makers, found = _makers(resolved), dict[str, Any]()
    for name in stage.inputs:
        path = (inputs / name).resolve()
        made = FILES.made(located(name, resolved, BUILD / resolved["spec"]["name"]))
        found[name] = {"path": str(path), "key": made and made.key, "files": makers.get(name, ())}
    return found


def _makers(resolved: Resolved) -> dict[str, tuple[str, ...]]:
    """For each artifact of a spec, and of that which it starts from, all that its stage writes.

    What another build makes for this one is among them.
    """
    from rules.graph import STAGES

    whole = {field: value for field, value in resolved.items() if field not in ("stages", "shares")}
    made = [*pipeline(STAGES, whole), *pipeline(STAGES, resolved)]
    found = {name: stage.outputs for stage in made for name in stage.outputs}
    if starts(resolved):
        found |= {START + name: files for name, files in _makers(resolved["start"]).items()}
    return found


def there(job: str, sent: Mapping[str, bytes]) -> Answer:
    """On a worker, whose working directory is the project.

    Args:
        job: a stage of a spec.
        sent: what it reads, as far as it cannot be found here, by name.
    """
    from mcubuild.lifeline import tied

    with tempfile.TemporaryDirectory(prefix="mcubuild-") as name:
        folder = Path(name)
        (folder / _JOB).write_text(job, encoding="utf-8")
        for path, content in sent.items():
            (folder / _INPUTS / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / _INPUTS / path).write_bytes(content)
        search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [sys.executable, "-P", "-m", "rules.cluster", name],
            env={key: value for key, value in os.environ.items() if key != ADDRESS} | {"PYTHONPATH": search},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
            preexec_fn=tied(),
        )
        if (folder / _LACKING).is_file():
            lacking: list[str] = json.loads((folder / _LACKING).read_text("utf-8"))
            return lacking
        if (folder / _REFUSED).is_file():
            refused = json.loads((folder / _REFUSED).read_text("utf-8"))
            return (NothingFitsError if refused["unfit"] else BuildError)(*refused["lines"])
        if done.returncode:
            return BuildError(
                f"a worker's process ended with {done.returncode}: {shortened(done.stdout.strip()[-600:], 300)}"
            )
        made = folder / _MADE
        return {path.relative_to(made).as_posix(): path.read_bytes() for path in made.rglob("*") if path.is_file()}


def _find(places: Mapping[str, Any], digests: Mapping[str, str], folder: Path) -> list[str]:
    """Put what a stage reads into place; the names of what is not to be found.

    Args:
        places: where each artifact is on the machine that asks, and the key that it was made with.
        digests: SHA-256 of each.
        folder: of the job, where some have been sent already.
    """
    from rules.known import FILES

    def right(path: Path) -> bool:
        try:
            return FILES.digest(path) == digests[name]
        except (OSError, BuildError):
            return False

    lacking = []
    for name, place in places.items():
        target, there = folder / _INPUTS / name, Path(place["path"])
        if target.is_file():
            continue
        if not right(there):
            there = _fetched(place["key"], place["files"], folder) / name.removeprefix(START)
        if right(there):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(there)
        else:
            lacking.append(name)
    return lacking


def _fetched(key: str | None, files: Sequence[str], folder: Path) -> Path:
    """The folder with an artifact of the stores, the worker's own or the shared one; it is empty if none has it."""
    from mcubuild.shared import shared_store
    from mcubuild.store import Store

    place = folder / f"artifact-{key}"
    if key is None or not files or place.exists():  # an artifact with other files than it has would be damaged
        return place
    place.mkdir()
    store, shared = Store(), shared_store()
    if store.fetch(key, place, files) or shared is None:
        return place
    with store.lock(key, lambda: None):  # what several stages read is fetched once
        if not store.fetch(key, place, files) and shared.fetch(key, place, files, folder):
            store.put(key, place, files)
    return place


def _work(folder: Path) -> None:
    """In the process of a stage on a worker.

    Raises:
        BuildError: this machine would make something else, or the stage fails.
    """
    from mcubuild.store import Store
    from rules.execute import ingredients, job_of, key_of
    from rules.graph import STAGES
    from rules.known import FILES

    job = json.loads((folder / _JOB).read_text("utf-8"))
    resolved, asked = job["resolved"], job["ingredients"]
    stage = next(one for one in pipeline(STAGES, resolved) if one.name == job["stage"])
    inputs, made = folder / _INPUTS, folder / _MADE
    if lacking := _find(job["places"], asked["inputs"], folder):
        (folder / _LACKING).write_text(json.dumps(lacking), encoding="utf-8")
        return
    made.mkdir()
    digests = FILES.digests((inputs / name).resolve() for name in stage.inputs)
    own = ingredients(stage, resolved, dict(zip(stage.inputs, digests, strict=True)), FILES)
    if key_of(own) != key_of(asked):
        here = json.loads(json.dumps(own))
        other = [name for name in asked if asked[name] != here.get(name)]
        raise BuildError(
            f"{ADDRESS}: a worker has other {', '.join(other)} than the machine that asks; give it the same checkout, "
            f"data, libraries and kind of processor, and start it again, or leave it out."
        )
    stage.run(job_of(stage, resolved, inputs, made, Store().work(key_of(own)), FILES))


def main() -> None:
    """Do the job in the folder that the command line names."""
    folder = Path(sys.argv[1])
    try:
        _work(folder)
    except BuildError as error:
        told = {"unfit": isinstance(error, NothingFitsError), "lines": error.args}
        (folder / _REFUSED).write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
