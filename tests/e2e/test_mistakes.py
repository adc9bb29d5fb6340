"""What a user sees when something is wrong: one message, a remedy, exit code not 0, nothing half-written."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.checkout import SPEC, Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout", tmp_path / "store")


def _no_leftovers(checkout: Checkout) -> bool:
    """Whether the folder of the spec holds finished artifacts only."""
    return not list((checkout.path / "build").glob("net/.*"))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("bits = 8", "bitz = 8", ["specs/net.toml:5: bitz: unknown key", "did you mean 'bits'"]),
        ('"128kB"', '"128 parsecs"', ["specs/net.toml:8: budget.sram", "'128 parsecs'", "B, kB, MB"]),
        ("stm32f412", "stm32f999", ["specs/net.toml: board", "unknown board 'stm32f999'", "stm32f412, stm32f746"]),
        ('"128kB"', '"1MB"', ["specs/net.toml: budget.sram", "found 1.00 MB", "has 256.0 kB", "lower the budget"]),
        ("bits = 8", "bits = eight", ["specs/net.toml: not valid TOML"]),
    ],
)
def test_a_wrong_spec_runs_nothing(checkout: Checkout, old: str, new: str, told: list[str]) -> None:
    assert old in SPEC
    checkout.write_spec(SPEC.replace(old, new))
    run = checkout.doit("build")
    assert run.code != 0
    assert all(words in run.output for words in told), run.output
    assert "Traceback" not in run.output
    assert not run.stages
    assert not (checkout.path / "build" / "net").exists()


def test_one_broken_spec_does_not_stop_the_others(checkout: Checkout) -> None:
    """Not TOML, another encoding, a tool or a folder that is missing: each fails alone, in a line, and is told."""
    checkout.write_spec()
    checkout.write_spec("bitz = 3\n", "broken")
    checkout.write_spec(SPEC + '[firmware]\ntoolchain = "gcc"\n', "gcc")
    checkout.write_spec(SPEC.replace('"digits"', '{ kind = "image_folder", path = "../gone" }'), "gone")
    (checkout.path / "specs" / "wide.toml").write_text(SPEC, encoding="utf-16")
    (checkout.path / "specs" / "nowhere.toml").symlink_to("missing")
    (checkout.path / "specs" / ".#net.toml").symlink_to("an editor's lock")
    run = checkout.doit("dataset", PATH="/nowhere")
    assert run.code == 1 and run.stages == {("net", "dataset"): "built"}, run.output
    for told in (
        "ERROR: dataset:broken: specs/broken.toml: board: missing",
        "ERROR: dataset:gcc: gcc: firmware.toolchain: 'gcc' is not installed",
        "ERROR: dataset:wide: specs/wide.toml:1: found the byte 0xff at offset 0, as in UTF-16",
        "ERROR: dataset:nowhere: specs/nowhere.toml: cannot be read (No such file or directory)",
        "gone: no such folder; dataset.path",
    ):
        assert told in run.output
    assert run.output.count("ERROR") == 5 and "Traceback" not in run.output
    assert max(map(len, run.output.splitlines())) < 600
    run = checkout.doit("dataset", "spec=specs/broken.toml")
    assert run.code == 3 and "specs/broken.toml:1: bitz: unknown key" in run.output and not run.stages
    run = checkout.doit("dataset", "spec=specs/*.toml", PATH="/nowhere")
    assert run.code == 1 and run.stages["net", "dataset"] == "up to date"


def test_a_link_to_a_spec_keeps_its_own_name(checkout: Checkout) -> None:
    checkout.write_spec()
    (checkout.path / "specs" / "other.toml").symlink_to("net.toml")
    run = checkout.doit("dataset", "spec=specs/other.toml")
    assert set(run.stages) == {("other", "dataset")}, run.output


def test_misspelt_words_build_nothing(checkout: Checkout) -> None:
    checkout.write_spec()
    for words, told in {
        (
            "build",
            "sepc=specs/net.toml",
        ): "sepc=: doit build has no such variable; allowed: spec=, set=; did you mean spec=?",
        ("biuld",): "'biuld': there is no such task, nor a file that a task makes; did you mean build?",
    }.items():
        run = checkout.doit(*words)
        assert run.code == 3 and run.output == f"ERROR: {told}\n"


def test_what_doit_itself_stumbles_over(checkout: Checkout) -> None:
    checkout.write_spec()
    for words in (("",), ("build", ""), ("list", "")):
        run = checkout.doit(*words)
        assert run.code == 3 and run.output.startswith("ERROR: found an empty word") and run.output.count("\n") == 1
    for words in (("list",), ("help",), ("info", "build:net"), ("--version",)):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                checkout.command(*words),
                cwd=checkout.path,
                env=checkout.environment(),
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        told = "ERROR: stdout cannot be written (No space left on device); make room, or write elsewhere.\n"
        assert (done.returncode, done.stderr) == (3, told)


@pytest.mark.parametrize(
    ("place", "told"),
    [("/dev/null", "the store cannot be made there"), ("/dev/null/store", "the store cannot be made there")],
)
def test_a_store_that_cannot_be_made(checkout: Checkout, place: str, told: str) -> None:
    checkout.write_spec()
    run = checkout.doit("dataset", MCUBUILD_STORE=place)
    assert run.code == 1 and f"{place}: {told}" in run.output and "Traceback" not in run.output


def test_build_is_a_file(checkout: Checkout) -> None:
    shutil.rmtree(checkout.path / "build")
    (checkout.path / "build").touch()
    run = checkout.doit("build")
    assert run.code == 3 and run.output.startswith(
        "ERROR: build: cannot be written (File exists); results go to build/"
    )
    assert run.output.count("\n") == 1


def test_build_has_no_room(checkout: Checkout, small_disk: Path) -> None:
    checkout.write_spec()
    shutil.rmtree(checkout.path / "build")
    (checkout.path / "build").symlink_to(small_disk)
    run = checkout.doit("dataset")
    assert run.code == 1 and "the disk is full" in run.output and "Traceback" not in run.output
    assert checkout.doit("list").code == 0


def test_an_unknown_spec_file(checkout: Checkout) -> None:
    checkout.write_spec()
    run = checkout.doit("build", "spec=specs/nett.toml")
    assert run.code != 0
    assert "spec=specs/nett.toml: there is no such file; specs of this project: specs/net.toml" in run.output


def test_empty_names_of_specs_are_ignored(checkout: Checkout) -> None:
    checkout.write_spec()
    run = checkout.doit("dataset", "spec=specs/net.toml,")
    assert run.code == 0 and run.did("built") == {"dataset"}, run.output
    run = checkout.doit("dataset", "spec=")
    assert run.code != 0 and "spec=: there is no such file; specs of this project: specs/net.toml" in run.output


def test_a_stage_that_the_spec_does_not_have(checkout: Checkout) -> None:
    checkout.write_spec('arch = "resnet8"' + SPEC.split("[space]")[0])
    for stage in ("supernet", "space"):
        run = checkout.doit(stage, "spec=specs/net.toml")
        assert run.code != 0 and run.output.count("ERROR") == 1, run.output
        stages = "it has dataset, data, outline, margin, scale, train"
        assert f"{stage}:net: the build of this spec has no such stage; {stages}" in run.output
        assert not run.stages and "Traceback" not in run.output
        assert checkout.doit(stage, "spec=specs/*.toml").code == 0, "a pattern names no spec"


def test_two_specs_of_one_name(checkout: Checkout) -> None:
    path = checkout.write_spec()
    (checkout.path / "other").mkdir()
    (checkout.path / "other" / "net.toml").write_text(path.read_text())
    run = checkout.doit("build", "spec=specs/net.toml,other/net.toml")
    assert run.code != 0
    assert "have the same name" in run.output


@pytest.mark.parametrize(("key", "found"), [("sram", '"2kB"'), ("flash", '"4kB"')])
def test_memory_that_nothing_fits_says_what_would(checkout: Checkout, key: str, found: str) -> None:
    old = {"sram": '"128kB"', "flash": '"512kB"'}[key]
    checkout.write_spec(SPEC.replace(old, found))
    run = checkout.doit("build")
    assert run.code == 1
    told = re.search(r"The least SRAM that one needs is ([\d.]+) kB .* the least Flash ([\d.]+) kB", run.output)
    assert told and "Raise budget.sram, budget.flash or budget.latency" in run.output, run.output
    assert float(told[1 if key == "sram" else 2]) > int(found.strip('"kB'))
    assert "Traceback" not in run.output
    assert run.did("built") == {"dataset", "data", "outline", "margin"}
    assert _no_leftovers(checkout)


def test_latency_that_nothing_keeps_says_what_would(checkout: Checkout) -> None:
    checkout.write_spec(SPEC.replace('"200ms"', '"10us"'))
    run = checkout.doit("build")
    assert run.code == 1
    told = re.search(r"within 10.0 us\. .* the least time ([\d.]+) us", run.output)
    assert told and float(told[1]) > 10 and "budget.latency" in run.output, run.output
    assert run.did("built") == {"dataset", "data", "outline", "margin"}
    assert _no_leftovers(checkout)


def test_a_boards_own_clock_set_up_counts_by_its_content(checkout: Checkout) -> None:
    boards = checkout.path / "boards"
    text = (boards / "stm32f412.toml").read_text().replace('"stm32f4"', '"own/clock.c"')
    (boards / "mine.toml").write_text(text)
    checkout.write_spec(SPEC.replace("stm32f412", "mine"))
    run = checkout.doit("list", "spec=specs/net.toml")
    assert run.code != 0 and "boards/mine.toml: clock_setup: found 'own/clock.c', which cannot be read" in run.output
    (boards / "own").mkdir()
    (boards / "own" / "clock.c").write_text("unsigned clock_setup(void);")
    assert "found no function uint32_t clock_setup(void)" in checkout.doit("list", "spec=specs/net.toml").output
    (boards / "own" / "clock.c").write_text("#include <stdint.h>\nuint32_t clock_setup(void) { return 1; }\n")
    assert checkout.doit("list", "spec=specs/net.toml").code == 0
    (boards / "own" / "clock.c").write_text("")
    assert "found no function" in checkout.doit("list", "spec=specs/net.toml").output, "the remembered board"


def test_a_missing_compiler_is_told_before_anything_runs(checkout: Checkout) -> None:
    checkout.write_spec(SPEC + '[firmware]\ntoolchain = "gcc"\n')
    run = checkout.doit("build", PATH="/nowhere")
    assert run.code != 0
    assert "net: firmware.toolchain: 'gcc' is not installed" in run.output
    assert "Traceback" not in run.output
    assert not run.stages


def test_a_missing_image_folder(checkout: Checkout) -> None:
    checkout.write_spec(SPEC.replace('"digits"', '{ kind = "image_folder", path = "../gone" }'))
    run = checkout.doit("build")
    assert run.code == 1
    assert "gone: no such folder; dataset.path" in run.output
    assert "Traceback" not in run.output
    assert _no_leftovers(checkout)


def test_a_damaged_store_entry_is_made_again(checkout: Checkout) -> None:
    checkout.write_spec()
    assert checkout.doit("dataset").did("built") == {"dataset"}
    entry = next((checkout.store / "artifacts").glob("*/*/files/train.npz"))
    content = entry.read_bytes()
    entry.write_bytes(content[:-100] + bytes(100))
    built = (checkout.path / "build" / "net" / "train.npz").read_bytes()
    subprocess.run(["rm", "-r", checkout.path / "build"], check=True)
    run = checkout.doit("dataset")
    assert run.code == 0 and run.did("built") == {"dataset"}
    assert "damaged" in run.output
    assert (checkout.path / "build" / "net" / "train.npz").read_bytes() == built
    assert next((checkout.store / "artifacts").glob("*/*/files/train.npz")).read_bytes() == content


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk(checkout: Checkout, small_disk: Path) -> None:
    checkout.write_spec()
    run = checkout.doit("dataset", MCUBUILD_STORE=str(small_disk / "store"))
    assert run.code == 1
    assert "the disk is full" in run.output and "MCUBUILD_STORE" in run.output
    assert "Traceback" not in run.output
    assert not list(small_disk.rglob("*.npz"))
    assert _no_leftovers(checkout)
    assert checkout.doit("dataset").code == 0


def test_two_builds_at_once(checkout: Checkout) -> None:
    checkout.write_spec()
    first = subprocess.Popen(
        checkout.command("supernet"), cwd=checkout.path, env=checkout.environment(), stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while not (checkout.path / "build" / "net" / "train.npz").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        second = checkout.doit("build")
        assert second.code != 0
        assert f"another build (process {first.pid}) is running in this checkout" in second.output
        assert "Traceback" not in second.output
        assert checkout.doit("list").code == 0
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    assert checkout.doit("dataset").code == 0
