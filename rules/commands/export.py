"""What was built in formats of other tools: ``doit export spec=<file> format=bin,hex``."""

from mcubuild.errors import BuildError, writing
from rules.command import Command
from rules.options import FORMAT
from rules.stage import BUILD, Resolved
from rules.stages import codegen


def _needs(resolved: Resolved) -> tuple[str, ...]:
    from mcubuild.export.format import format_of

    names = dict.fromkeys(name for one in FORMAT.chosen for name in format_of(one).needs)
    return tuple(codegen.STAGE.called(resolved, name) for name in names)


def _optional(resolved: Resolved) -> tuple[str, ...]:
    from mcubuild.export.format import format_of

    return tuple(dict.fromkeys(name for one in FORMAT.chosen for name in format_of(one).optional))


def _export(resolved: Resolved) -> None:
    from mcubuild.board import Board
    from mcubuild.export.format import Built, format_of

    spec = resolved["spec"]
    name, board = spec["name"], Board.model_validate(resolved["board"])
    built = Built(name, BUILD / name, board, spec["firmware"]["prefix"], spec["model"] is not None)
    folder = BUILD / name / "export"
    refusals = []
    with writing(BUILD):
        folder.mkdir(exist_ok=True)
        for one in FORMAT.chosen:
            try:
                exported = format_of(one).write(built, folder)
            except BuildError as error:
                if FORMAT.given != "all":
                    raise
                refusals.append(f"{one}: {error}")
                continue
            print(f"{exported.path}: {exported.told}; {exported.next}.")
    for refusal in refusals:
        print(f"not written: {refusal}")


COMMAND = Command(
    name="export",
    doc="{} in formats of other tools",
    work=_export,
    needs=_needs,
    optional=_optional,
)
"""What was built, in the formats of other tools."""
