"""A copy of the project that a test may edit, with its own store."""

import atexit
import compileall
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from PIL import Image

from mcubuild import ROOT
from rules.known import Files
from rules.stage import BUILD

PARTS = ("boards", "kernels_templates", "mcubuild", "rules", "dodo.py", "pyproject.toml")
_LINE = re.compile(r"^(\S+) +(\w+) +(built|from store|from shared|up to date|not reached)\b", re.MULTILINE)

SPEC = """
task = "image_classification"
dataset = "digits"
board = "stm32f412"
bits = 8

[budget]
sram = "128kB"
flash = "512kB"
latency = "200ms"

[space]
blocks = ["mobile", "plain"]
samples = 10
widths = [0.2, 0.3]
resolutions = [8, 12]

[supernet]
epochs = 1

[search]
population = 4
generations = 1
parents = 2
calibration = 64

[finetune]
epochs = 1

[measure]
samples = 8
"""
"""A spec that builds in seconds: its network is bad, but every stage does its work."""

IMAGES = SPEC.replace('"digits"', '{ kind = "image_folder", path = "../photos" }')
"""The same of a few pictures of the user's, which ``draw_images`` makes."""


def draw_images(folder: Path) -> None:
    """Three classes of 20 small pictures each: a bar that stands, one that lies, one that leans."""
    for label, name in enumerate(("standing", "lying", "leaning")):
        (folder / name).mkdir(parents=True)
        for number in range(20):
            image = Image.new("L", (12, 12), number)
            for step in range(12):
                x, y = [(number % 10 + 1, step), (step, number % 10 + 1), (step, (step + number) % 12)][label]
                image.putpixel((x, y), 255 - number)
            image.save(folder / name / f"{number:02}.png")


@dataclass(frozen=True)
class Run:
    """What one command did."""

    code: int
    output: str

    @property
    def stages(self) -> dict[tuple[str, str], str]:
        """What was done, by spec and stage: "built", "from store", "from shared" or "up to date"."""
        return {(spec, stage): what for spec, stage, what in _LINE.findall(self.output)}

    def did(self, what: str) -> set[str]:
        """The stages of a run of one spec for which ``what`` was done."""
        return {stage for (_, stage), done in self.stages.items() if done == what}


@cache
def _read_code() -> Path:
    """A database of what the code of this checkout means, as doit keeps it by content; its bytecode is written, too.

    Copies begin with both: each would else parse and compile everything for some seconds.
    """
    sources = [path for part in PARTS if (ROOT / part).is_dir() for path in (ROOT / part).rglob("*.py")]
    for source in sources:
        compileall.compile_file(source, quiet=2)
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder)
    files = Files(folder / ".files.db")
    files.digests(sources)  # remembered at once
    files.meanings(sources)
    return folder


class Checkout:
    """A copy of the checkout in ``path`` whose builds use the store in ``store``."""

    def __init__(self, path: Path, store: Path) -> None:
        self.path, self.store = path, store
        shutil.copytree(_read_code(), path / BUILD)
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, path / part)
            else:
                shutil.copy(ROOT / part, path / part)
        (path / "specs").mkdir()

    def environment(self, **changes: str) -> dict[str, str]:
        """Environment variables of a build: this store, one thread, ``changes``."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("COV_")}
        return {**inherited, "MCUBUILD_STORE": str(self.store), "PYTHONDONTWRITEBYTECODE": "1", **changes}

    def command(self, *arguments: str) -> list[str]:
        """The command line of ``doit`` with ``arguments``."""
        return [sys.executable, "-m", "doit", *arguments]

    def doit(self, *arguments: str, **environment: str) -> Run:
        """Run ``doit`` with ``arguments`` and wait for it."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.path,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=600,
        )
        return Run(done.returncode, done.stdout + done.stderr)

    def write_spec(self, text: str = SPEC, name: str = "net") -> Path:
        """Write ``specs/<name>.toml``."""
        path = self.path / "specs" / f"{name}.toml"
        path.write_text(text)
        return path

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace ``old``, which must occur, in a file of the checkout."""
        text = (self.path / file).read_text()
        assert old in text, f"{file} has no {old!r}"
        (self.path / file).write_text(text.replace(old, new, 1))
