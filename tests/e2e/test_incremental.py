"""What changed -> which stages ran."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from mcubuild.store import digest_file
from rules import graph
from tests.e2e.checkout import IMAGES, Checkout, draw_images
from tests.measure.remote.stub import needs_qemu

STAGES = [
    stage
    for stage in graph.STAGES
    if stage.name
    not in ("import", "reference", "tune", "remote", "scale", "train", "pace", "rest", "start", "widths", "threshold")
    and stage.name not in ("plain", "forest", "rung")
]
"""Those of a spec that searches for a network and asks for no board."""
ALL = {stage.name for stage in STAGES}
TRAINING = {"dataset", "supernet"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout with one finished build of an image folder."""
    folder = tmp_path_factory.mktemp("incremental")
    checkout = Checkout(folder / "checkout", folder / "store")
    draw_images(checkout.path / "photos")
    checkout.write_spec(IMAGES)
    run = checkout.doit("build")
    assert run.did("built") == ALL, run.output
    yield checkout
    shutil.rmtree(folder)


def _spec(old: str, new: str) -> Callable[[Checkout], None]:
    return lambda checkout: checkout.edit("specs/net.toml", old, new)


def _board(old: str, new: str) -> Callable[[Checkout], None]:
    return lambda checkout: checkout.edit("boards/stm32f412.toml", old, new)


def _append(file: str, text: str) -> Callable[[Checkout], None]:
    def edit(checkout: Checkout) -> None:
        path = checkout.path / file
        path.write_text(path.read_text() + text)

    return edit


def _touch_image(checkout: Checkout) -> None:
    image = Image.open(checkout.path / "photos" / "lying" / "03.png")
    image.putpixel((0, 0), 77)
    image.save(checkout.path / "photos" / "lying" / "03.png")


def _choose_another(checkout: Checkout) -> None:
    found = json.loads((checkout.path / "build" / "net" / "search.json").read_text())
    others = [one["key"] for one in found["evaluations"]["random"] if one["key"] != found["chosen"]["key"]]
    checkout.edit("specs/net.toml", "[search]\n", f'[search]\nchoose = "{others[0]}"\n')


def _rewrite_image(checkout: Checkout) -> None:
    path = checkout.path / "photos" / "lying" / "03.png"
    path.write_bytes(path.read_bytes())


EDITS: dict[str, tuple[Callable[[Checkout], None], set[str]]] = {
    # name: (edit, stages whose own settings, code, templates or files it changes)
    "comment": (_spec("bits = 8", "bits = 8  # bytes"), set()),
    "key order": (_spec('sram = "128kB"\nflash = "512kB"', 'flash = "512kB"\nsram = "128kB"'), set()),
    "unit": (_spec('"200ms"', '"5fps"'), set()),
    "default": (_spec("[finetune]", "[quantize]\nsamples = 256\n\n[finetune]"), set()),
    "tolerance": (_spec("[finetune]", "[quantize]\ntolerance = 0.9\n\n[finetune]"), {"quantize", "report"}),
    "latency": (_spec('"200ms"', '"190ms"'), {"margin", "space", "search", "report"}),
    "sram": (_spec('"128kB"', '"100kB"'), {"margin", "space", "search", "codegen", "report"}),
    "flash": (_spec('"512kB"', '"500kB"'), {"margin", "space", "search", "report"}),
    "accuracy": (_spec('"200ms"', '"200ms"\naccuracy = "1%"'), {"report"}),
    "board title": (_board('title = "STM32F412xG"', 'title = "Ours"'), {"codegen", "firmware", "report"}),
    "board source": (_board('source = "', 'source = "ours, '), {"report"}),
    "board power": (_board("active_power_mw = 37", "active_power_mw = 40"), {"report"}),
    "board": (
        _spec("stm32f412", "stm32f746"),
        {"margin", "space", "search", "codegen", "firmware", "measure", "preprocess", "report"},
    ),
    "bits": (_spec("bits = 8", "bits = 4"), {"margin", "space", "search", "quantize", "report"}),
    "epochs": (_spec("[supernet]\nepochs = 1", "[supernet]\nepochs = 2"), {"race", "supernet", "report"}),
    "another network": (_choose_another, {"choose", "report"}),
    "fine-tuning": (_spec("[finetune]\nepochs = 1", "[finetune]\nepochs = 2"), {"finetune", "report"}),
    "seed": (
        _spec("bits = 8", "bits = 8\nseed = 1"),
        {"dataset", "margin", "space", "race", "supernet", "search", "finetune", "quantize", "report"},
    ),
    "engine": (
        _spec("[finetune]", "[engine]\ninplace_depthwise = false\n\n[finetune]"),
        {"margin", "space", "search", "codegen", "report"},
    ),
    "compiler flag": (
        _spec("[finetune]", '[firmware]\noptimize = "Os"\n\n[finetune]'),
        {"margin", "firmware", "preprocess", "report"},
    ),
    "measured samples": (_spec("samples = 8", "samples = 9"), {"measure", "report"}),
    "report title": (_spec("[measure]", '[report]\ntitle = "Bars"\n\n[measure]'), {"report"}),
    "kernel template": (_append("kernels_templates/model/model.c.j2", "/* end */\n"), {"margin", "codegen"}),
    "firmware template": (
        _append("kernels_templates/firmware/main.c.j2", "/* end */\n"),
        {"margin", "codegen", "preprocess"},
    ),
    "module of a kernel": (
        _append("mcubuild/engine/kernels/add.py", "\nEDITED = True\n"),
        {"margin", "space", "search", "codegen", "report"},
    ),
    "module of nas": (_append("mcubuild/nas/search/search.py", "\nEDITED = True\n"), {"search"}),
    "module of report": (_append("mcubuild/report/verdict.py", "\nEDITED = True\n"), {"report"}),
    "remark in the code": (_append("mcubuild/ir/graph.py", "\n# a remark\n"), set()),
    "docstring": (
        lambda checkout: checkout.edit("mcubuild/nas/training/supernet.py", '"""', '"""Edited: '),
        set(),
    ),
    "progress": (_append("mcubuild/progress.py", "\nEDITED = True\n"), set()),
    "board file, other board": (_append("boards/stm32f746.toml", "# a remark\n"), set()),
    "image": (_touch_image, {"dataset"}),
    "image, same content": (_rewrite_image, set()),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_runs_what_depends_on_it(built: Checkout, name: str) -> None:
    """A stage runs if the edit changed what it declares, or changed the bytes of an artifact that it reads."""
    edit, direct = EDITS[name]
    saved = built.path.with_name("saved")
    shutil.copytree(built.path, saved, symlinks=True)
    before = _digests(built)
    try:
        edit(built)
        run = built.doit("build")
        after = _digests(built)
        expected: set[str] = set()
        for stage in STAGES:
            read = [artifact for artifact in (*stage.inputs, *stage.optional) if artifact in before]
            if stage.name in direct or any(before[artifact] != after[artifact] for artifact in read):
                expected.add(stage.name)
        assert run.did("built") == expected, run.output
        assert run.did("up to date") | run.did("from store") == ALL - expected
        if name in ("comment", "key order", "latency", "compiler flag", "report title", "kernel template"):
            assert not run.did("built") & TRAINING
        assert built.doit("build").did("up to date") == ALL
    finally:
        shutil.rmtree(built.path)
        saved.rename(built.path)


def _digests(checkout: Checkout) -> dict[str, str]:
    folder = checkout.path / "build" / "net"
    return {path.relative_to(folder).as_posix(): digest_file(path) for path in folder.rglob("*") if path.is_file()}


def test_nothing_to_do(built: Checkout) -> None:
    assert built.doit("build").did("up to date") == ALL


@needs_qemu
def test_another_runner_adds_a_stage_and_changes_no_other(built: Checkout) -> None:
    before = _digests(built)
    built.edit("specs/net.toml", "samples = 8", 'samples = 8\nrunner = "qemu"')
    run = built.doit("build")
    assert run.did("built") == {"remote", "report"}, run.output
    assert _digests(built)["remote_outputs.npy"] == before["device_outputs.npy"]
    assert built.doit("build").did("up to date") == {*ALL, "remote"}
    built.edit("specs/net.toml", '"qemu"', '"gdb"\nremote = "localhost:1"')
    run = built.doit("build")
    assert run.code != 0
    assert "ERROR: remote:net: gdb runner: nothing answers at localhost:1 (connection refused)" in run.output
    assert run.stages["net", "measure"] == "up to date"
    built.edit("specs/net.toml", '\nrunner = "gdb"\nremote = "localhost:1"', "")
    run = built.doit("build")
    assert run.code == 0 and run.did("built") <= {"report"}
    for name in ("remote.json", "remote_outputs.npy"):
        (built.path / "build" / "net" / name).unlink()


def test_without_build_all_comes_from_the_store(built: Checkout) -> None:
    before = _digests(built)
    shutil.rmtree(built.path / "build")
    run = built.doit("build")
    assert run.did("from store") == ALL, run.output
    assert _digests(built) == before


def test_a_second_checkout_is_served_from_the_store(built: Checkout, tmp_path: Path) -> None:
    other = Checkout(tmp_path / "elsewhere", built.store)
    shutil.copytree(built.path / "photos", other.path / "photos")
    other.write_spec((built.path / "specs" / "net.toml").read_text())
    run = other.doit("build")
    assert run.did("from store") == ALL, run.output
    assert _digests(other) == _digests(built)


def test_two_specs_share_a_super_network(built: Checkout) -> None:
    text = (built.path / "specs" / "net.toml").read_text().replace("stm32f412", "stm32f746")
    second = built.write_spec(text, "second")
    try:
        run = built.doit("-n", "2", "build", "spec=specs/net.toml,specs/second.toml")
        assert run.stages["second", "supernet"] == "from store", run.output
        assert run.stages["net", "supernet"] == "up to date"
        assert run.stages["second", "firmware"] in ("built", "from store")
        assert {stage for spec, stage in run.stages if spec == "second"} == ALL
    finally:
        second.unlink()


def test_clean_leaves_nothing_and_the_store_brings_it_back(built: Checkout) -> None:
    before = _digests(built)
    assert built.doit("clean").code == 0
    assert not (built.path / "build" / "net").exists() or not any((built.path / "build" / "net").iterdir())
    assert built.doit("build").did("from store") == ALL
    assert _digests(built) == before


def test_list_and_info(built: Checkout) -> None:
    listed = built.doit("list", "--all").output
    assert all(f"{stage}:net" in listed for stage in (*ALL, "build"))
    info = built.doit("info", "search:net").output
    assert "mcubuild/nas/search/search.py" in info and "supernet.safetensors" in info and "up-to-date" in info
