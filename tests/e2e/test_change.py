"""Content counts: other data of the same size and time are built from, damaged artifacts are restored."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mcubuild.store import digest_file
from tests.data.wavs import write_tones
from tests.e2e.checkout import IMAGES, Checkout, Run
from tests.e2e.test_audio import AUDIO
from tests.e2e.test_import import classifier

_TIME_NS = 10**18
"""Of all files."""
_BROUGHT = """
board = "stm32f746"
[model]
file = "brought.tflite"
inputs = "samples.npy"
"""


def _age(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, ns=(_TIME_NS, _TIME_NS))


def _swap(path: Path, other: Path) -> None:
    """The content alone: size, times and inode stay."""
    one, two = path.read_bytes(), other.read_bytes()
    assert len(one) == len(two) and one != two
    path.write_bytes(two)
    other.write_bytes(one)
    for name in (path, other):
        os.utime(name, ns=(_TIME_NS, _TIME_NS))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Photos, sounds and a network, built as far as these are read, long enough ago to be vouched for."""
    folder = tmp_path_factory.mktemp("change")
    made = Checkout(folder / "checkout", folder / "store")
    rng = np.random.default_rng(0)
    for place in ("photos/lying", "photos/standing", "elsewhere/leaning", "elsewhere/other"):
        (made.path / place).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 256, (12, 12), np.uint8)
            Image.fromarray(pixels).save(made.path / place / f"{number:02}.bmp")
    (made.path / "photos" / "leaning").symlink_to("../elsewhere/leaning")
    (made.path / "photos" / "lying" / "linked.bmp").symlink_to("../../elsewhere/one.bmp")
    shutil.copyfile(made.path / "elsewhere" / "other" / "00.bmp", made.path / "elsewhere" / "one.bmp")
    write_tones(made.path / "tones", 24)
    for number in range(2):
        np.save(made.path / "specs" / f"{'others' if number else 'samples'}.npy", rng.normal(size=(4, 4)).astype("f4"))
    (made.path / "specs" / "brought.tflite").write_bytes(classifier())
    made.write_spec(IMAGES, "seen")
    made.write_spec(AUDIO, "heard")
    made.write_spec(_BROUGHT, "brought")
    _age(made.path)
    _build(made)
    time.sleep(2.2)
    run = _build(made)
    assert {*run.stages.values()} == {"up to date"}, run.output
    yield made
    shutil.rmtree(folder)


def _build(checkout: Checkout) -> Run:
    run = checkout.doit("dataset", "report:brought")
    assert run.code == 0 and "Traceback" not in run.output, run.output
    return run


def _link_folder(checkout: Checkout) -> None:
    (checkout.path / "photos" / "leaning").unlink()
    (checkout.path / "photos" / "leaning").symlink_to("../elsewhere/other")


def _swapped(path: str, other: str) -> Callable[[Checkout], None]:
    return lambda checkout: _swap(checkout.path / path, checkout.path / other)


def _edited(file: str, old: str, new: str) -> Callable[[Checkout], None]:
    assert len(old) == len(new)

    def edit(checkout: Checkout) -> None:
        checkout.edit(file, old, new)
        os.utime(checkout.path / file, ns=(_TIME_NS, _TIME_NS))

    return edit


CHANGES: dict[str, tuple[Callable[[Checkout], None], tuple[str, str]]] = {
    "photos": (_swapped("photos/lying/03.bmp", "photos/standing/03.bmp"), ("seen", "dataset")),
    "what a link leads to": (_swapped("elsewhere/one.bmp", "elsewhere/other/07.bmp"), ("seen", "dataset")),
    "link of a folder": (_link_folder, ("seen", "dataset")),
    "sounds": (_swapped("tones/low_a_0.wav", "tones/high_a_0.wav"), ("heard", "dataset")),
    "samples": (_swapped("specs/samples.npy", "specs/others.npy"), ("brought", "reference")),
    "board": (_edited("boards/stm32f746.toml", "wait_states = 7", "wait_states = 6"), ("brought", "measure")),
    "template": (_edited("kernels_templates/model/model.c.j2", "do not edit", "never edit!"), ("brought", "codegen")),
}


@pytest.mark.parametrize("name", CHANGES)
def test_other_content_of_the_same_size_and_time_is_built_from(checkout: Checkout, name: str) -> None:
    change, (spec, stage) = CHANGES[name]
    change(checkout)
    run = _build(checkout)
    assert run.stages[spec, stage] == "built", run.output
    others = {one for one, _ in run.stages} - {spec}
    assert all(done == "up to date" for (one, _), done in run.stages.items() if one in others), run.output


def _flip(path: Path) -> None:
    """A bit; the times stay as they were."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("artifact", ["model.npz", "firmware.elf", "c/weights.c", "report.json"])
def test_a_damaged_artifact_is_restored(checkout: Checkout, artifact: str) -> None:
    path = checkout.path / "build" / "brought" / artifact
    _build(checkout)
    right = digest_file(path)
    time.sleep(2.2)
    _build(checkout)
    _flip(path)
    if artifact == "report.json":
        compared = checkout.doit("diff", "a=brought", "b=brought")
        assert compared.code != 0 and "report.json: not what the build made" in compared.output
    run = _build(checkout)
    assert digest_file(path) == right
    assert [done for done in run.stages.values() if done != "up to date"] == ["from store"], run.output
    assert f"build/brought/{artifact}: not what" in run.output
    assert {*_build(checkout).stages.values()} == {"up to date"}


def test_a_file_that_nobody_declared_is_not_compiled(checkout: Checkout) -> None:
    (checkout.path / "build" / "brought" / "c" / "stray.c").write_text("#error\n")
    checkout.edit("specs/brought.toml", "[model]", '[firmware]\noptimize = "Os"\n[model]')
    assert _build(checkout).stages["brought", "firmware"] == "built"


@pytest.mark.parametrize("damage", ["flip", "cut", "letters", "folder"])
def test_doits_own_memory_may_be_damaged(checkout: Checkout, damage: str) -> None:
    _build(checkout)
    for name in (".doit.db", ".files.db"):
        path = checkout.path / "build" / name
        if damage == "folder":
            path.unlink()
            path.mkdir()
            continue
        data = path.read_bytes()
        cut = data[: len(data) // 2]
        changed = data.replace(b'"_values_:', b'"_values_;').replace(b"\0build", b"\0b\xffild")
        path.write_bytes({"flip": changed, "cut": cut, "letters": b"x" * len(data)}[damage])
    run = _build(checkout)
    assert {*run.stages.values()} <= {"from store", "up to date"}
    assert "build/.doit.db is damaged" in run.output
    assert {*_build(checkout).stages.values()} == {"up to date"}
