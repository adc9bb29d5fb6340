"""What the ``dodo.py`` of a project imports: the tasks of rules/ for the specs that the command line names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

from doit import cmd_run
from doit.cmd_clean import Clean
from doit.cmd_forget import Forget
from doit.cmd_help import Help
from doit.cmd_ignore import Ignore
from doit.cmd_resetdep import ResetDep
from doit.exceptions import InvalidDodoFile

from mcubuild.errors import BuildError, tell, writing
from mcubuild.shared import shared_store
from rules import streams
from rules.arguments import asked_for, check_tasks, check_variables, lists, names_spec, needs_specs
from rules.command import compared, with_derived
from rules.commands import (
    bench,
    calibrate,
    changed,
    data_table,
    diagram,
    diff,
    export,
    flash,
    forecast,
    gallery,
    keeping,
    latency,
    paper,
    plan,
    run,
    schema,
    space_table,
    throughput,
)
from rules.comparisons import COMPARISONS
from rules.graph import named, read_specs, spec_files, tasks, without_data
from rules.lock import exclusive
from rules.memory import ByContent, Checked, mend
from rules.options import SPEC, changes, help_of
from rules.reporter import StageReporter
from rules.stage import BUILD, stem
from rules.workers import Tolerant, Workers

__all__ = ("DOIT_CONFIG", "task_everything")

COMMANDS = (
    data_table.COMMAND,
    space_table.COMMAND,
    latency.COMMAND,
    throughput.COMMAND,
    forecast.COMMAND,
    *COMPARISONS.values(),
    export.COMMAND,
    flash.COMMAND,
    run.COMMAND,
    plan.PLAN,
    plan.WHY,
    diagram.COMMAND,
)
MEMORY = BUILD / ".doit.db"


@contextmanager
def told() -> Iterator[None]:
    """Errors of the user's, as doit shows them: in one line."""
    try:
        yield
    except BuildError as error:
        raise InvalidDodoFile(str(error)) from None


with told():
    outfile = streams.set_up(lists())
    with writing(BUILD):
        BUILD.mkdir(exist_ok=True)
        if not os.access(BUILD, os.W_OK):
            raise PermissionError(13, "Permission denied")
    check_variables()
    shared_store()  # before processes for stages are forked

mend(MEMORY)
cmd_run.Runner, cmd_run.MRunner = Tolerant, Workers
Help._execute = help_of
for command in (Clean, Forget, Ignore, ResetDep):
    command._execute = exclusive(command._execute)

DOIT_CONFIG = {
    "backend": "sqlite3",
    "check_file_uptodate": ByContent,
    "codec_cls": Checked,
    "continue": True,  # one spec that fails does not stop the others
    "default_tasks": ["run" if asked_for() == ["run"] else "build"],  # doit's own command has that name, too
    "dep_file": str(MEMORY),
    "outfile": outfile,
    "reporter": StageReporter,
}


def _of_specs() -> Iterator[dict[str, Any]]:
    chosen = SPEC.given
    specs, broken = read_specs(spec_files(chosen), named(chosen), changes())
    if not lists() and not names_spec():
        asked = named(chosen)
        without = without_data(one for one in specs if stem(one) not in asked)
        for name, reason in without.items():
            tell(f"{name}: left out, as its data is not there. {reason}")
        specs = [one for one in specs if one["spec"]["name"] not in without]
    words = {word.partition(":")[0] for word in asked_for()}
    wanted = [command for command in COMMANDS if any(fnmatchcase(command.name, word) for word in words)]
    found = {command.name: compared(command, specs) for command in wanted}
    builds = with_derived(specs, [one for each in found.values() for one in each.values()])
    yield from tasks(builds, broken, named(chosen))
    for command in COMMANDS:
        yield from command.tasks(specs, broken, named(chosen), found.get(command.name))


def task_everything() -> Iterator[dict[str, Any]]:
    """Stages, builds and commands of the specs: spec=FILE[,FILE...], or all of specs/; and commands without one."""
    names, files = set[str](), set[str]()
    with told():
        made = [
            schema.task(),
            *bench.tasks(),
            *paper.tasks(),
            calibrate.task(),
            changed.task(),
            diff.task(),
            *keeping.tasks(),
            *gallery.tasks(),
            *(_of_specs() if needs_specs() else ()),
        ]
        for task in made:
            names |= {task["basename"], f"{task['basename']}:{task.get('name')}"}
            files.update(task.get("targets", ()))
        check_tasks(names, files)
    yield from made
