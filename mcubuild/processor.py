"""What computes floating point here, as far as its last bits depend on it: the processor's instructions, and GPUs.

Found without PyTorch, whose import takes a second. The number of cores and threads is no part of it: every network is
computed by one thread, and a GPU by itself.
"""

import os
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path

_ROOT = Path("/")
_BEGIN = 1 << 14
"""Bytes of /proc/cpuinfo that hold what it says of the first core."""
_ARITHMETIC = {
    "flags": re.compile(r"3dnow|amx|avx|f16c|fma|sse|ssse|xop"),
    "Features": re.compile(r"asimd|bf16|fp|i8mm|neon|sme|sve|vfp"),
}
"""How the names of instructions that compute begin, among those that Linux lists of x86 and of ARM."""
_IDENTITY = ("vendor_id", "CPU implementer", "CPU part")
"""What libraries choose their code by, besides the instructions."""
_CHOOSING = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_",
    "GLIBC_TUNABLES",
    "HIP_VISIBLE_DEVICES",
    "MKL_",
    "NPY_",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_",
    "OPENBLAS_",
    "TORCH_",
)
"""How variables begin that make PyTorch, NumPy and what they compute with choose other code."""
_THREADS = "_NUM_THREADS"
"""How those of them end that change no bit."""
_GPUS = ("nvidia[0-9]*", "nvhost-gpu", "kfd", "dxg")
"""Devices of NVIDIA's GPUs on PCs and on Jetsons, of AMD's, and of both in WSL."""


@cache
def floating_point() -> dict[str, object]:
    """Equal values, which JSON can hold, mean equal bits of the same computation."""
    environment = {
        name: value for name, value in os.environ.items() if name.startswith(_CHOOSING) and not name.endswith(_THREADS)
    }
    found: dict[str, object] = {"machine": os.uname().machine, **_processor(), "environment": environment}
    if devices := gpus():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
        # As PyTorch is told where nobody else says anything (nas.training).
        workspace = os.environ.get("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        found |= {"gpus": devices, "visible": visible, "workspace": workspace}
    return found


def _processor() -> dict[str, object]:
    try:
        with (_ROOT / "proc/cpuinfo").open("rb") as file:
            text = file.read(_BEGIN).decode(errors="replace")
    except OSError:  # not Linux: there, one machine has one kind of processor
        return {}
    lines = re.findall(r"^(.*?)\s*:\s*(.*)$", text.partition("\n\n")[0], re.MULTILINE)
    said = {name.strip(): value for name, value in lines}
    listed = ((name, begin) for key, begin in _ARITHMETIC.items() for name in said.get(key, "").split())
    instructions = sorted({name for name, begin in listed if begin.match(name)})
    return {**{name: said[name] for name in _IDENTITY if name in said}, "instructions": instructions}


def gpus() -> list[str]:
    """The GPUs that PyTorch trains on, by model or, where the driver does not say that, by device."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip()
    if not visible or visible.startswith("-") or version("torch").endswith("+cpu"):
        return []
    devices = sorted(path.name for pattern in _GPUS for path in (_ROOT / "dev").glob(pattern))
    models = []
    for path in sorted((_ROOT / "proc/driver/nvidia/gpus").glob("*/information")):
        models += re.findall(r"^Model:\s*(.*?)\s*$", path.read_text(errors="replace"), re.MULTILINE)
    return (models or devices) if devices else []  # a container may see models without devices
