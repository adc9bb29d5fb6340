"""What keys know of the processor and GPUs, beside what PyTorch finds."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mcubuild import processor
from mcubuild.errors import BuildError
from mcubuild.nas.training.recipe import device
from mcubuild.processor import floating_point, gpus

PC = """processor\t: 0
vendor_id\t: {vendor}
model name\t: some
cpu MHz\t\t: {clock}
fpu\t\t: yes
flags\t\t: fpu vme sse sse2 {flags} erms smep
bugs\t\t: many

processor\t: 1
flags\t\t: fpu
"""
ARM = """processor\t: 0
BogoMIPS\t: 50.00
Features\t: fp asimd evtstrm aes sve i8mm bf16
CPU implementer\t: 0x41
CPU part\t: 0xd4f

"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where /proc and /dev are looked for; PyTorch is one for GPUs."""
    monkeypatch.setattr(processor, "_ROOT", tmp_path)
    monkeypatch.setattr(processor, "version", lambda name: "2.9.0+cu128")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "proc").mkdir()
    (tmp_path / "dev").mkdir()
    floating_point.cache_clear()
    yield tmp_path
    floating_point.cache_clear()


def _found(root: Path, cpuinfo: str) -> dict[str, object]:
    (root / "proc/cpuinfo").write_text(cpuinfo)
    floating_point.cache_clear()
    return floating_point()


def test_instructions_count_and_clocks_do_not(root: Path) -> None:
    one = _found(root, PC.format(vendor="GenuineIntel", clock=2000, flags="avx avx2 fma f16c"))
    assert one["instructions"] == ["avx", "avx2", "f16c", "fma", "sse", "sse2"]
    assert one == _found(root, PC.format(vendor="GenuineIntel", clock=3100, flags="fma f16c avx2 avx nx"))
    assert one != _found(root, PC.format(vendor="GenuineIntel", clock=2000, flags="avx avx2 fma f16c avx512f"))
    assert one != _found(root, PC.format(vendor="AuthenticAMD", clock=2000, flags="avx avx2 fma f16c"))


def test_arm_has_features(root: Path) -> None:
    found = _found(root, ARM)
    assert found["instructions"] == ["asimd", "bf16", "fp", "i8mm", "sve"]
    assert found["CPU part"] == "0xd4f"


def test_without_proc_there_is_still_the_machine(root: Path) -> None:
    assert set(floating_point()) == {"machine", "environment"}


@pytest.mark.parametrize("vendor", ["x" * 100_000, "\udcff", ""])
def test_whatever_proc_says(root: Path, vendor: str) -> None:
    (root / "proc/cpuinfo").write_bytes(f"vendor_id : {vendor}\n".encode(errors="surrogateescape"))
    json.dumps(floating_point())


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("ATEN_CPU_CAPABILITY", True),
        ("MKL_CBWR", True),
        ("ONEDNN_MAX_CPU_ISA", True),
        ("NPY_DISABLE_CPU_FEATURES", True),
        ("OPENBLAS_CORETYPE", True),
        ("OMP_NUM_THREADS", False),  # tests/e2e/test_reproducible.py
        ("MKL_NUM_THREADS", False),
        ("OPENBLAS_NUM_THREADS", False),
        ("COLUMNS", False),
    ],
)
def test_variables_that_choose_other_code_count(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, counts: bool
) -> None:
    before = _found(root, ARM)
    monkeypatch.setenv(name, "2")
    assert (_found(root, ARM) != before) == counts


def test_gpus_count_by_model(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = _found(root, ARM)
    information = root / "proc/driver/nvidia/gpus/0000:01:00.0/information"
    information.parent.mkdir(parents=True)
    information.write_text("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 1\n")
    assert _found(root, ARM) == without  # nothing to open in this container
    (root / "dev/nvidiactl").touch()
    assert gpus() == []
    (root / "dev/nvidia0").touch()
    assert gpus() == ["NVIDIA H100 80GB HBM3"]
    assert _found(root, ARM) != without
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert gpus() == [] and _found(root, ARM) == without
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    information.unlink()
    assert gpus() == ["nvidia0"]
    monkeypatch.setattr(processor, "version", lambda name: "2.9.0+cpu")
    assert gpus() == [] and _found(root, ARM) == without


def test_keys_and_pytorch_agree_on_what_trains() -> None:
    assert device().type == ("cuda" if gpus() else "cpu")


@pytest.mark.parametrize(("usable", "found"), [(True, []), (False, ["NVIDIA H100"])])
def test_a_gpu_that_only_one_of_them_knows_is_an_error(
    monkeypatch: pytest.MonkeyPatch, usable: bool, found: list[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)
    monkeypatch.setattr("mcubuild.nas.training.recipe.gpus", lambda: found)
    with pytest.raises(BuildError, match=r"CUDA_VISIBLE_DEVICES=-1"):
        device()


def test_neither_pytorch_nor_numpy_is_imported_for_that() -> None:
    code = (
        "import sys, mcubuild.processor as p; p.floating_point(); sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
