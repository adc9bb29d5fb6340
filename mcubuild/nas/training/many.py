"""Training of a super network in several processes, started by torchrun.

``launch`` does that on this machine. On several, run in each of them what it runs (PyTorch's documentation of torchrun
has the options that join machines), with the file job.json from the folder of checkpoints::

    torchrun --nnodes=2 --nproc-per-node=4 --rdzv-backend=c10d --rdzv-endpoint=HOST:PORT -m <this module> job.json
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from threading import Thread

import torch

from mcubuild import ROOT
from mcubuild.data.splits import read_split
from mcubuild.errors import BuildError
from mcubuild.files import make_folder, write_whole
from mcubuild.lifeline import tied
from mcubuild.nas.training.length import SUPERNET, Pace, batch_for
from mcubuild.spec.supernet import SupernetSettings
from mcubuild.tasks.learning import Learning, from_json, to_json

_FOLLOW = "follow"


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
        BuildError: there are fewer GPUs than processes or fewer samples than a batch, or a process failed.
    """
    gpus = torch.cuda.device_count()
    if 0 < gpus < settings.processes:
        raise BuildError(
            f"supernet.processes = {settings.processes}: there are {gpus} GPUs here; write at most {gpus}."
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
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={settings.processes}"]
    command += ["--local-ranks-filter=0", "-m", "mcubuild.nas.training.many", str(path.resolve()), _FOLLOW]
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
