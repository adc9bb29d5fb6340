"""What is wrong with a template of the project's own is told of its file and line."""

import shutil
from pathlib import Path

import pytest

from mcubuild import ROOT
from tests.trials.build import BROUGHT, Small


@pytest.mark.parametrize(
    ("template", "text", "told"),
    [
        (
            "model/model.c.j2",
            "{# mine #}\n{{ nothing.at.all }}",
            "model.c.j2:2: UndefinedError: 'nothing' is",
        ),
        ("model/model.c.j2", "\n\n{% if %}", "model.c.j2:3: TemplateSyntaxError: "),
        ("firmware/main.c.j2", "{{ 1 / 0 }}", "main.c.j2:1: ZeroDivisionError: division by zero"),
    ],
)
def test_a_template_of_the_projects_own(template: str, text: str, told: str, tmp_path: Path) -> None:
    small = Small(tmp_path / "mine")
    shutil.rmtree(small.path / "kernels_templates")
    shutil.copytree(ROOT / "kernels_templates", small.path / "mcubuild" / "kernels_templates")  # as it is installed
    own = small.path / "kernels_templates" / template
    own.parent.mkdir(parents=True)
    own.write_text(text)
    run = small.doit("codegen:brought", BROUGHT)
    assert run.code != 0 and f"kernels_templates/{template.rpartition('/')[0]}/{told}" in run.output, run.output
    assert "Traceback" not in run.output
