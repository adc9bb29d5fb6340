"""Training of a super network in several processes, started by torchrun.

``launch`` does that on this machine. Where ``MCUBUILD_TORCHRUN`` has torchrun's options that join several, this one is
the first of them, which writes what comes out, and ``launch`` tells what to run on the others. They see the same files
under the same paths.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from threading import Thread

import torch

from mcubuild import ROOT
from mcubuild.data.splits import read_split
from mcubuild.errors import BuildError, shown, tell
from mcubuild.files import make_folder, write_whole
from mcubuild.lifeline import tied
from mcubuild.nas.training.length import SUPERNET, Pace, batch_for
from mcubuild.spec.supernet import SupernetSettings
from mcubuild.tasks.learning import Learning, from_json, to_json

HOSTS = "MCUBUILD_TORCHRUN"
"""Environment variable: ``--nnodes=2 --master-addr=10.0.0.5 --master-port=29500``."""
_FOLLOW = "follow"
_MODULE = "mcubuild.nas.training.many"


def launch(
    space: Path,
    train: Path,
    val: Path,
    settings: SupernetSettings,
    *,
    learning: Learning,
    seed: int,
    out: Path,
    work: Path,
    pace: Pace = SUPERNET,
    start: Path | None = None,
) -> None:
    """``supernet_training.train`` in ``settings.processes`` processes, from the files of space and splits.

    They end with the process that started them, even if that is killed.

    Raises:
        BuildError: there are fewer GPUs than processes or fewer samples than a batch, a process failed, or processes
            cannot be shared equally among hosts.
    """
    gpus, options, hosts = torch.cuda.device_count(), os.environ.get(HOSTS, ""), 1
    if options:
        hosts = _hosts(options)
        if settings.processes % hosts:
            raise BuildError(
                f"supernet.processes = {settings.processes}: cannot be shared equally among the {hosts} hosts of "
                f"{HOSTS}; write a multiple of {hosts}."
            )
    here = settings.processes // hosts
    if 0 < gpus < here:
        raise BuildError(
            f"supernet.processes = {settings.processes}: there are {gpus} GPUs here; write at most {gpus * hosts}."
        )
    samples, least = len(read_split(train)), 2 * settings.processes
    batch = settings.batch or max(1, batch_for(settings, samples) // least) * least
    if samples < batch:
        raise BuildError(
            f"supernet.processes = {settings.processes}: found {samples} training samples, less than a batch of "
            f"{batch} to share; write processes = 1, or a batch of at most {samples}."
        )
    settings = settings.model_copy(update={"batch": batch})
    make_folder(work)
    files = {"space": space, "train": train, "val": val, "out": out, "work": work}
    if start is not None:
        files["start"] = start
    job = {"settings": settings.model_dump(), "learning": to_json(learning), "seed": seed, "pace": asdict(pace)}
    path = work / "job.json"
    places = {name: str(file.resolve()) for name, file in files.items()}
    write_whole(path, json.dumps(job | places, indent=1).encode())
    torchrun, place = "torch.distributed.run", [f"--nproc-per-node={here}"]
    joined = ["--node-rank=0", *shlex.split(options)] if options else ["--standalone"]
    if options:
        there = (
            f"python -m {torchrun} --node-rank=N {options} {place[0]} -m {_MODULE} {shlex.quote(str(path.resolve()))}"
        )
        tell(f"supernet: waits for {hosts - 1} more of {hosts} hosts; run there, N = 1 ... {hosts - 1}: {there}")
    command = [sys.executable, "-m", torchrun, *joined, *place, "--local-ranks-filter=0"]
    command += ["-m", _MODULE, str(path.resolve()), _FOLLOW]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={"OMP_NUM_THREADS": "1", **os.environ},  # torchrun's own choice, of which it would warn
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=tied(),
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            print(line, end="", file=sys.stderr)
    except BaseException:
        process.terminate()  # torchrun then ends the processes that it started
        raise
    finally:
        code = process.wait()
    if code:
        raise BuildError(
            f"supernet.processes = {settings.processes}: a training process failed (torchrun's exit code {code}, its "
            f"last lines are above); processes = 1 trains without torchrun."
        )


def _hosts(options: str) -> int:
    """How many hosts torchrun's ``options`` join.

    Raises:
        BuildError: they do not say it, or not where the hosts meet.
    """
    found = re.search(r"--nnodes[= ](\d{1,4})(?!\S)", options)
    if found is None or int(found[1]) < 2 or "--master-addr" not in options or not _is_command(options):
        raise BuildError(
            f"{HOSTS}={shown(options)}: must be options of torchrun with a number of hosts and the address of this "
            f'one, such as "--nnodes=2 --master-addr=10.0.0.5 --master-port=29500".'
        )
    return int(found[1])


def _is_command(text: str) -> bool:
    """Whether all quotation marks in ``text`` are closed."""
    try:
        shlex.split(text)
    except ValueError:
        return False
    return True


def _leave_at_end_of_input() -> None:
    """The other end of the pipe is held by ``launch`` alone."""
    sys.stdin.read()
    os._exit(1)


def main(path: Path, *, follow: bool) -> None:
    """One of the processes: the job in the JSON file ``path``; it ends with its input if it is to ``follow`` that."""
    if follow:
        Thread(target=_leave_at_end_of_input, daemon=True).start()
    from mcubuild.nas.space.files import read_neighbours, read_space
    from mcubuild.nas.training.group import joined
    from mcubuild.nas.training.supernet_training import train

    job = json.loads(path.read_text())
    with joined():
        train(
            read_space(Path(job["space"])),
            read_split(Path(job["train"])),
            read_split(Path(job["val"])),
            SupernetSettings.model_validate(job["settings"]),
            learning=from_json(job["learning"]),
            seed=job["seed"],
            out=Path(job["out"]),
            work=Path(job["work"]),
            neighbours=read_neighbours(Path(job["space"])),
            pace=Pace(**job["pace"]),
            start=Path(job["start"]) if "start" in job else None,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), follow=_FOLLOW in sys.argv[2:])
