"""What doit loads: the tasks of rules/ for the specs that the command line names."""

from collections.abc import Iterator
from typing import Any

from doit import cmd_run, get_var
from doit.cmd_clean import Clean
from doit.cmd_forget import Forget
from doit.cmd_ignore import Ignore
from doit.cmd_resetdep import ResetDep
from doit.exceptions import InvalidDodoFile

from mcubuild.errors import BuildError
from rules import ablation, baselines, bench, diff, latency, paper, schema, space_table, throughput
from rules.graph import BUILD, named, spec_files, tasks
from rules.lock import exclusive
from rules.memory import ByContent, Checked, mend
from rules.reporter import StageReporter
from rules.resolve import resolve
from rules.workers import Workers

BUILD.mkdir(exist_ok=True)
MEMORY = BUILD / ".doit.db"
mend(MEMORY)
cmd_run.MRunner = Workers
for command in (Clean, Forget, Ignore, ResetDep):
    command._execute = exclusive(command._execute)

COMMANDS = (ablation.COMMAND, space_table.COMMAND, latency.COMMAND, throughput.COMMAND, baselines.COMMAND)

DOIT_CONFIG = {
    "backend": "sqlite3",
    "check_file_uptodate": ByContent,
    "codec_cls": Checked,
    "default_tasks": ["build"],
    "dep_file": str(MEMORY),
    "reporter": StageReporter,
}


def task_pipeline() -> Iterator[dict[str, Any]]:
    """Stages, builds and commands of the specs: spec=FILE[,FILE...], or all of specs/."""
    if diff.asked_for() or bench.asked_for() or paper.asked_for():
        return
    try:
        chosen = get_var("spec")
        specs = spec_files(chosen)
        yield from tasks(specs, named(chosen))
        resolved = [resolve(path, BUILD / ".specs") for path in specs]
        for command in COMMANDS:
            yield from command.tasks(resolved, named(chosen))
    except BuildError as error:
        raise InvalidDodoFile(str(error)) from None


def task_schema() -> dict[str, Any]:
    """JSON schemas of specs, boards and reports."""
    return schema.task()


def task_bench() -> Iterator[dict[str, Any]]:
    """Speed and memory beside other engines: [models=FOLDER] [curve=NETWORK] [latency=NETWORKS] [toolchain=gcc]."""
    return bench.tasks()


def task_paper() -> Iterator[dict[str, Any]]:
    """MCUNet's figures of search spaces: figure=3|12 [samples=N]."""
    return paper.tasks()


def task_diff() -> dict[str, Any]:
    """What changed between two builds: a=<build> b=<build>."""
    return diff.task()
