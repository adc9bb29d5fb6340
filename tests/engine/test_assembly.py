"""Inner loops in assembly: exact rounding, equal bytes from both toolchains, and portable C where they do not fit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.board import read_board
from mcubuild.engine.assembly import rounding
from mcubuild.engine.assembly.constants import Channels
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.kernels import choose, serving
from mcubuild.engine.layer import layers
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.arithmetic import quantize_multiplier, requantize
from mcubuild.ir.executor import run
from mcubuild.ir.graph import Graph, Quantization
from mcubuild.measure.runner import measure
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from mcubuild.toolchain.sizes import read_image
from mcubuild.toolchain.target import ToolchainName
from tests.e2e.agreement import on_host
from tests.engine.networks import odd_shapes
from tests.networks import random_inputs
from tests.toolchain.building import build
from tests.toolchains import needs_arm_gcc

Wide = NDArray[np.int64]
M4 = Target.of(read_board("stm32f412"), EngineSettings())


def wrapped(values: Wide) -> Wide:
    """As a register holds them."""
    wrapped: Wide = (values + 2**31) % 2**32 - 2**31
    return wrapped


def four_instructions(sums: Wide, channels: Channels) -> Wide:
    """ADD, SMMLAR, ASR, SSAT."""
    form = rounding.short_form(channels)
    assert form is not None
    acc = wrapped(2 * sums)
    t = wrapped(form.addend + (acc >> 31))
    high = wrapped(acc * channels.multiplier + (t << 32) + 2**31 >> 32)
    clamped: Wide = np.clip(high >> channels.shift, -128, 127)
    return clamped


@pytest.mark.parametrize("seed", range(20))
def test_four_instructions_round_as_tensorflow_lite_does(seed: int) -> None:
    """Random channels; sums that are random, small, extreme, and around every tie of the second rounding."""
    rng = np.random.default_rng(seed)
    exponents = rng.integers(-22, 0, 200)
    factors = [
        quantize_multiplier(float(f)) for f in rng.choice(np.array([0.5, 0.75, 1 - 2**-31, rng.uniform(0.5, 1)]), 200)
    ]
    factors += [(2**30, 0), (2**31 - 1, 0), (0, 0)]
    multiplier = np.array([m for m, _ in factors], np.int32)
    shift = -np.array([*(exponents + np.array([s for _, s in factors[:200]])), -1, -1, -1], np.int64).clip(max=-1)
    reach = 2 ** rng.integers(8, 30, len(factors)) - 1
    zero_point = int(rng.choice(np.array([-128, 127, 0, rng.integers(-128, 128)])))
    numbers = Channels(
        bias=np.zeros(len(factors), np.int64),
        multiplier=multiplier,
        shift=shift.astype(np.int8),
        weights=np.zeros(0, np.int8),
        reach=reach,
        zero_point=zero_point,
        wide=False,
    )
    ties = (2 * rng.integers(-200, 200, (500, 1)) + 1) * 2.0 ** (shift - 1) * 2.0**31 / np.maximum(multiplier, 1)
    sums = np.concatenate(
        [
            rng.integers(-reach, reach + 1, (2_000, len(reach))),
            rng.integers(-50, 50, (500, len(reach))),
            (np.clip(ties, -(2.0**40), 2.0**40) + np.arange(-2, 3)[:, None, None]).astype(np.int64).reshape(-1, 203),
            np.stack([reach, -reach, reach - 1, 1 - reach, 0 * reach]),
        ]
    ).clip(-reach, reach)
    expected = np.clip(requantize(sums, multiplier, -shift) + zero_point, -128, 127)
    np.testing.assert_array_equal(four_instructions(sums, numbers), expected)


def one_layer(filters: int = 8, shape: tuple[int, ...] = (1, 6, 6, 16), bits: int = 8) -> Graph:
    sketch = Sketch(shape, bits)
    sketch.conv("input", filters) if len(shape) == 4 else sketch.fully_connected("input", filters)
    return with_random_values(sketch.graph())


def kernel_of(graph: Graph, target: Target = M4) -> str:
    return choose(layers(graph)[0], target).kind


def test_portable_kernels_where_the_instructions_are_not_exact_or_missing() -> None:
    graph = one_layer()
    assert kernel_of(graph) == "pointwise_dsp"
    assert kernel_of(graph, replace(M4, settings=EngineSettings(assembly=False))) == "pointwise"
    assert kernel_of(graph, Target.of(read_board("stm32f412"), EngineSettings(assembly=False))) == "pointwise"
    assert kernel_of(graph, replace(M4, core="cortex-m3", dsp=False)) == "pointwise"
    assert kernel_of(one_layer(filters=1)) == "pointwise"
    # Factors above one.
    output = replace(graph.tensor("t0"), quantization=Quantization((1e-6,), 0))
    assert kernel_of(graph.with_values(dict(graph.tensors) | {"t0": output}, graph.constants)) == "pointwise"


def test_sums_of_narrow_weights_beyond_28_bits_are_computed_in_c() -> None:
    graph = one_layer(bits=4)
    scale, weights = graph.tensor("input").quantization, graph.tensor("t0.weights").quantization
    assert scale is not None and weights is not None
    bias, widest = graph.constants["t0.bias"].copy(), int(np.argmax(weights.scale))
    coarse = Quantization((scale.scale[0] * weights.scale[widest] * 2**20,), -50)
    tensors = {**graph.tensors, "t0": replace(graph.tensor("t0"), quantization=coarse)}
    for tie, kernel in ((2**26 + 2**19, "pointwise_dsp"), (2**27 + 2**19, "pointwise")):
        bias[widest] = tie  # the output depends on the inputs
        assert kernel_of(graph.with_values(tensors, {**graph.constants, "t0.bias": bias})) == kernel


@pytest.mark.parametrize("bits", [8, 4])
def test_skeletons_take_the_kernels_of_their_networks(bits: int) -> None:
    for shape, kind in (
        ((1, 6, 6, 16), "pointwise_dsp"),
        ((1, 3, 3, 16), "conv2d_dsp"),
        ((1, 64), "fully_connected_dsp"),
    ):
        graph = one_layer(shape=shape, bits=bits)
        assert kernel_of(graph) == kernel_of(replace(graph, constants={})) == kind


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("board", ["stm32f412", "stm32f746"])
@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 24))])
@pytest.mark.parametrize("toolchains", [["zig"], pytest.param(["zig", "gcc"], marks=needs_arm_gcc)])
def test_assembly_equals_its_twins_and_the_executor(
    tmp_path: Path, seed: int, board: str, toolchains: list[ToolchainName], bits: int
) -> None:
    """On both cores, from each toolchain, whose routines have the same bytes."""
    graph, chip = odd_shapes(seed, bits), read_board(board)
    target = Target.of(chip, EngineSettings())
    able = [(layer, kernel) for layer in layers(graph) for kernel in serving(layer, target) if kernel.routines(layer)]
    # Of layers this small, some would be faster in C.
    target = replace(target, tuned={layer.output.name: kernel.kind for layer, kernel in able})
    assert all(choose(layer, target).routines(layer) for layer in layers(graph)[:-1])
    inputs = random_inputs(graph, 4, seed)
    expected = run(graph, inputs).reshape(4, -1)
    place = plan(graph, target)
    routines: list[dict[str, bytes]] = []
    for toolchain in toolchains:
        code = tmp_path / toolchain / "c"
        code.mkdir(parents=True)
        firmware = FirmwareSettings.model_validate({"toolchain": toolchain})
        generate(graph, place, target, code, stack=firmware.stack)
        np.testing.assert_array_equal(on_host(graph, place, code, inputs), expected, "twins in C")
        elf = build(code, chip, firmware) / "firmware.elf"
        np.testing.assert_array_equal(measure(elf, chip, MeasureSettings(), inputs, []).outputs, expected, toolchain)
        routines.append(routine_bytes(elf))
    assert all(found == routines[0] for found in routines)
    assert len(routines[0]) >= 6


def routine_bytes(elf: Path) -> dict[str, bytes]:
    """What the routines of the ELF are made of."""
    image = read_image(elf)
    content = {section.name: section for section in image.sections}
    found = {}
    for symbol in image.symbols:
        if symbol.name.startswith(("model_gather_", "model_product_", "model_vector")):
            section = content[symbol.section]
            start = symbol.address - section.address
            found[symbol.name] = section.content[start : start + symbol.size]
    return found
