"""A build folder of invented but plausible artifacts: test data, nothing was built or measured."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mcubuild.data.inventory import Inventory, write_inventory
from mcubuild.data.splits import Index, Split, write_index, write_split
from mcubuild.nas.space.arch import Arch, Space, draw
from mcubuild.nas.space.blocks import Bottleneck, Head, Stem
from mcubuild.resolution import square
from mcubuild.tasks.classification.reading import Classification
from mcubuild.tasks.interval import wilson

CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEST, STATIC, STACK, CODE = 360, 220, 424, 21_480
SPACE = Space(0.3, square(32), 1, len(CLASSES))


def write_build(folder: Path, *, seed: int = 3) -> None:
    """Write everything that the report reads to ``folder``."""
    (folder / "c").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    arch = draw(SPACE, rng)
    _dataset(folder, rng)
    plan = _plan(arch)
    _write(folder, "c/plan.json", plan)
    _write(folder, "arch.json", arch.to_json())
    _write(folder, "space.json", SPACE.to_json())
    _write(folder, "space_table.json", table := _space_table(rng))
    _write(folder, "race.json", _race(table))
    _write(folder, "supernet_log.json", _log(rng, 25, largest=0.98, smallest=0.95))
    _write(folder, "finetune_log.json", _log(rng, 15, start=0.9, val=0.985))
    _write(folder, "quantize_log.json", {
        "samples": 237, "float": 0.98, "calibrated": 0.94, "learned": 0.975, "kept": "learned", "tolerance": 0.01,
        "epochs": _log(rng, 6, start=0.95, val=0.975),
    })  # fmt: skip
    _write(folder, "search.json", _search(rng, arch.key))
    _write(folder, "sizes.json", _sizes(plan))
    _write(folder, "measure.json", _measure(plan, rng))


def write_remote(folder: Path, *, runner: str = "gdb", ratio: float = 1.05, samples: int = 40) -> None:
    """Add an invented run on a board (``runner`` "gdb") or in QEMU."""
    silicon = runner != "qemu"
    mean = ratio * json.loads((folder / "measure.json").read_text())["cycles"]["mean"]
    _write(folder, "remote.json", {
        "runner": runner, "target": "invented board" if silicon else "QEMU at invented machine", "silicon": silicon,
        "samples": samples, "cycles": {"min": mean - 90, "mean": mean, "max": mean + 110} if silicon else None,
        "clock_hz": 100_000_000 if silicon else None, "latency_ms": mean / 1e5 if silicon else None, "note": None,
    })  # fmt: skip
    outputs = np.load(folder / "int8_outputs.npy")
    np.save(folder / "remote_outputs.npy", outputs[np.arange(samples) * TEST // samples])


def edit(folder: Path, name: str, **values: Any) -> None:
    """Replace top-level values of a JSON artifact."""
    path = folder / name
    _write(folder, name, {**json.loads(path.read_text(encoding="utf-8")), **values})


def _write(folder: Path, name: str, values: Any) -> None:
    (folder / name).write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _dataset(folder: Path, rng: np.random.Generator) -> None:
    splits = {"train": 1200, "val": 237, "test": TEST}
    write_index(Index("digits", "image_classification", CLASSES, 8, 32, 1), folder / "index.json")
    ids = tuple(f"{number:016x}" for number in range(TEST))
    write_inventory(Inventory(splits, test_ids=ids), folder / "inventory.json")
    y = rng.integers(len(CLASSES), size=TEST)
    rows, columns = np.mgrid[0:8, 0:8]
    prototypes = [np.cos(rows * (1 + k % 4) / 2 + k) * np.sin(columns * (1 + k // 3) / 2) for k in range(len(CLASSES))]
    x = np.stack([prototypes[label] for label in y]) + rng.normal(0, 0.25, (TEST, 8, 8))
    pixels = np.clip(128 + 100 * x, 0, 255).astype(np.uint8)[..., None]
    write_split(Split(pixels, y), folder / "test.npz")
    logits = rng.normal(-60, 20, (TEST, len(CLASSES)))
    logits[np.arange(TEST), y] += 110
    wrong = rng.choice(TEST, 9, replace=False)
    logits[wrong, (y[wrong] + rng.integers(1, 4, 9)) % len(CLASSES)] += 140
    outputs = np.clip(logits, -128, 127).astype(np.int8)
    np.save(folder / "device_outputs.npy", outputs)
    np.save(folder / "int8_outputs.npy", outputs)
    int8 = float(np.mean(outputs.argmax(1) == y))
    _write(folder, "accuracy.json", {
        "float": int8 + 2 / TEST, "int8": int8, "arithmetic": "int8", "samples": TEST,
        "agreement": 1 - 3 / TEST,
        "intervals": {"float": wilson(int8 + 2 / TEST, TEST), "int8": wilson(int8, TEST)},
        "max_logit_error": 0.61, "labels": y.tolist(),
        "classification": asdict(Classification(units=len(CLASSES), scale=0.061, zero_point=0)),
    })  # fmt: skip


def _plan(arch: Arch) -> dict[str, Any]:
    layers: list[dict[str, Any]] = []
    tensors: list[dict[str, Any]] = [{"name": "input", "shape": [1, 32, 32, 1], "bytes": 1024, "first": 0, "last": 0}]

    def layer(kind: str, op: str, shape: tuple[int, ...], kernel: int, stride: int, macs: int, weights: int) -> None:
        index, source = len(layers), tensors[-1]
        source["last"] = index
        nbytes = int(np.prod(shape))
        tensors.append({"name": op, "shape": [1, *shape], "bytes": nbytes, "first": index, "last": index})
        layers.append(
            {"index": index, "name": f"layer_{index:02d}_{kind}", "kind": kind, "op": kind, "output": op, "macs": macs,
             "constants": None, "constants_reads": 1,
             "bits": 8 if weights else None, "output_bits": 8, "weights_bytes": weights,
             "shape_in": source["shape"], "shape_out": [1, *shape],
             "kernel": [kernel, kernel] if macs and kernel else None, "stride": [stride, stride] if macs else None}
        )  # fmt: skip

    def conv(op: str, side: int, inputs: int, outputs: int, kernel: int, stride: int) -> int:
        after = -(-side // stride)
        weights = outputs * kernel * kernel * inputs
        layer(
            "conv2d" if kernel > 1 else "pointwise",
            op,
            (after, after, outputs),
            kernel,
            stride,
            after * after * weights,
            weights + 12 * outputs,
        )
        return after

    for name, block in arch.blocks().items():
        if isinstance(block, Stem):
            conv(name, block.size.height, block.inputs, block.outputs, block.kernel, block.stride)
        elif isinstance(block, Bottleneck):
            entry, side, k = tensors[-1], block.size.height, block.kernel
            if block.expands:
                conv(f"{name}.expand", side, block.inputs, block.hidden, 1, 1)
            after = -(-side // block.stride)
            shape, weights = (after, after, block.hidden), k * k * block.hidden
            layer(
                "depthwise",
                f"{name}.depthwise",
                shape,
                k,
                block.stride,
                after * after * weights,
                weights + 12 * block.hidden,
            )
            conv(f"{name}.project", after, block.hidden, block.outputs, 1, 1)
            if block.residual:
                entry["last"] = len(layers)
                layer("add", f"{name}.add", (after, after, block.outputs), 1, 1, 0, 0)
        else:
            assert isinstance(block, Head)
            layer("average_pool", "pool", (1, 1, block.inputs), block.size.height, 1, 0, 0)
            weights = block.inputs * block.classes
            layer("fully_connected", "classifier", (block.classes,), 0, 1, weights, weights + 12 * block.classes)
    _place(tensors)
    for entry in layers:
        live = [t for t in tensors if t["first"] <= entry["index"] <= t["last"]]
        entry["live"], entry["live_bytes"] = [t["name"] for t in live], sum(t["bytes"] for t in live)
    arena = max(t["offset"] + t["bytes"] for t in tensors)
    weights = sum(entry["weights_bytes"] for entry in layers)
    predicted = {"sram": arena + STATIC + 2048, "flash": weights + CODE + 900, "weights": weights, "code": CODE + 900}
    return {
        "arena": arena, "layers": layers, "tensors": tensors, "lower_bound": max(x["live_bytes"] for x in layers),
        "predicted": {**predicted, "cycles": 3_000_000},
    }  # fmt: skip


def _place(tensors: list[dict[str, Any]]) -> None:
    placed: list[dict[str, Any]] = []
    for tensor in sorted(tensors, key=lambda t: -t["bytes"]):
        offset = 0
        for other in sorted(placed, key=lambda t: t["offset"]):
            together = other["first"] <= tensor["last"] and tensor["first"] <= other["last"]
            if together and offset + tensor["bytes"] > other["offset"]:
                offset = max(offset, other["offset"] + other["bytes"])
        tensor["offset"] = offset
        placed.append(tensor)


def _sizes(plan: dict[str, Any]) -> dict[str, Any]:
    weights, arena, data = plan["predicted"]["weights"], plan["arena"], 64
    sections = {
        ".vectors": {"bytes": 512, "memory": "FLASH"}, ".text": {"bytes": CODE - 512, "memory": "FLASH"},
        ".model_weights": {"bytes": weights, "memory": "FLASH"}, ".data": {"bytes": data, "memory": "SRAM1"},
        ".bss": {"bytes": STATIC - data, "memory": "SRAM1"}, ".arena": {"bytes": arena, "memory": "SRAM1"},
        ".stack": {"bytes": 2048, "memory": "SRAM1"},
    }  # fmt: skip
    symbols = [{"name": "model_arena", "bytes": arena, "section": ".arena"}]
    symbols += [
        {"name": f"weights_{x['index']:02d}", "bytes": x["weights_bytes"], "section": ".model_weights"}
        for x in plan["layers"]
        if x["weights_bytes"]
    ]
    return {
        "sections": sections, "flash_bytes": CODE + weights + data, "sram_static_bytes": arena + STATIC,
        "stack_reserved": 2048, "toolchain": "invented compiler 1.0 (test data)",
        "memories": {
            "FLASH": {"used": CODE + weights + data, "size": 1 << 20},
            "SRAM1": {"used": arena + STATIC + 2048, "size": 1 << 18},
        },
        "symbols": sorted(symbols, key=lambda s: (-s["bytes"], s["name"])),
    }  # fmt: skip


def _measure(plan: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    cost = {"conv2d": 1.9, "pointwise": 1.3, "depthwise": 3.5, "fully_connected": 2.2}
    layers = []
    for x in plan["layers"]:
        elements = int(np.prod(x["shape_out"]))
        instructions = round(x["macs"] * cost.get(x["kind"], 0) * rng.uniform(0.9, 1.2) + 14 * elements + 90)
        layers.append({"name": x["name"], "instructions": instructions, "cycles": 1.35 * instructions})
    instructions = 60 + sum(x["instructions"] for x in layers)
    outside = {"name": "outside of the layers", "instructions": 60, "cycles": 81.0}
    return {
        "runner": "emulator", "core": "cortex-m4", "uncertainty": 0.2,
        "cycle_model": "invented cycle model (test data)",
        "samples": TEST, "clock_hz": 100_000_000, "stack_bytes": STACK, "layers": layers, "outside_layers": outside,
        "functions": layers[:3], "zero_wait_cycles": 1.12 * instructions, "latency_ms": 1.35 * instructions / 1e5,
        "instructions": {"min": instructions - 40, "mean": instructions, "max": instructions + 55},
        "cycles": {"min": 1.35 * instructions - 60, "mean": 1.35 * instructions, "max": 1.35 * instructions + 75},
    }  # fmt: skip


def _space_table(rng: np.random.Generator) -> dict[str, Any]:
    rows = []
    for width in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        for resolution in (8, 10, 12, 14, 16, 18, 20, 24, 26, 28, 30, 32):
            peak = 10_000 + 900 * resolution * resolution * width**1.3 / 8
            share = float(np.clip(2.2 - peak / 60_000 - 1.3 * width, 0, 1).round(3))
            center = 4e6 * (width / 0.5) ** 1.6 * (resolution / 32) ** 1.7
            macs = sorted(np.minimum(rng.lognormal(np.log(center), 0.25, 200), 7e6 * (1.1 - width / 2)))
            points = np.percentile(macs, range(0, 101, 5)).tolist()
            macs_of = {"mean": float(np.mean(macs)), "median": points[10], "p80": points[16], "max": points[-1]}
            row: dict[str, Any] = {
                "name": f"w{width:g}-r{resolution}", "block": "mobile", "width": width,
                "resolution": asdict(square(resolution)),
                "samples": 200, "share": share, "macs": macs_of if share else None,
                "cdf": [[value, 5 * k / 100] for k, value in enumerate(points)] if share else [],
                "smallest": {"sram": 9000, "flash": 60000, "latency": 0.012, "macs": 200000},
            }  # fmt: skip
            rows.append(row)
    fitting = [row for row in rows if row["share"] >= 0.1]
    best = max(fitting, key=lambda row: (row["macs"]["p80"], row["resolution"]["height"]))
    limits = {"sram": 128 << 10, "flash": 512 << 10, "latency": 0.05, "energy": None}
    contenders = [best["name"], *(row["name"] for row in fitting[:4] if row is not best)]
    return {
        "winner": best["name"], "axes": f"{len(rows)} spaces", "limits": limits, "active_power_mw": 37, "spaces": rows,
        "contenders": contenders,
    }  # fmt: skip


def _race(table: dict[str, Any]) -> dict[str, Any]:
    """The space of MCUNet's rule comes second, and wins as the smaller one."""
    winner, *others = table["contenders"]
    rounds = []
    for number, (steps, left) in enumerate(
        ((60, [*others, winner]), (180, [others[0], winner]), (360, [others[0], winner]))
    ):
        for place, name in enumerate(left):
            flash = 60_000 if name == winner else 90_000 + 1000 * place
            rounds.append({
                "round": number, "name": name, "flash": flash, "steps": steps, "folds": 1 + number // 2,
                "samples": 237 * (1 + number // 2), "loss": 0.9 - 0.3 * number + 0.01 * place,
                "accuracy": (0.7 + 0.1 * number - 0.01 * place),
            })  # fmt: skip
    return {"winner": winner, "rounds": rounds}


def _log(rng: np.random.Generator, epochs: int, start: float = 0.1, **ends: float) -> list[dict[str, float]]:
    log = []
    for epoch in range(epochs):
        gone = 1 - np.exp(-12 * (epoch + 1) / epochs)
        entry = {"steps": 50.0, "loss": 2.3 - 1.7 * gone, "train_accuracy": start + (0.97 - start) * gone}
        for name, end in ends.items():
            key = "val_accuracy" if name == "val" else f"val_accuracy_{name}"
            entry[key] = float(np.clip(start + (end - start) * gone + rng.normal(0, 0.01), 0, 1))
        log.append({key: float(value) for key, value in entry.items()})
    return log


def _search(rng: np.random.Generator, chosen: str) -> dict[str, Any]:
    evaluations: dict[str, list[dict[str, Any]]] = {"evolution": [], "random": []}
    for method, gain in (("evolution", 0.0025), ("random", 0.0)):
        for generation in range(9):
            for _ in range(32):
                latency = float(rng.uniform(0.018, 0.046))
                accuracy = 0.93 + 0.8 * (latency - 0.018) + gain * generation + float(rng.normal(0, 0.008))
                evaluations[method].append(
                    {"key": f"{method} {len(evaluations[method])}", "method": method,
                     "generation": generation, "accuracy": round(min(accuracy, 1) * 237) / 237,
                     "loss": 0.2, "macs": round(5e7 * latency), "sram": 13000, "flash": 250_000,
                     "cycles": round(1e8 * latency), "latency": latency}
                )  # fmt: skip
    best = max(evaluations["evolution"], key=lambda one: one["accuracy"])
    best["key"] = chosen
    everything = sorted([*evaluations["evolution"], *evaluations["random"]], key=lambda one: one["latency"])
    return {
        "limits": {"sram": 128 << 10, "flash": 512 << 10, "latency": 0.05},
        "objective": "accuracy",
        "predictor": None,
        "chosen": best,
        "front": [
            one
            for index, one in reversed([*enumerate(everything)])
            if all(other["accuracy"] < one["accuracy"] for other in everything[:index])
        ],
        "best_by_generation": {},
        "evaluations": evaluations,
    }
