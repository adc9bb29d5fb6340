"""Costs of kernels: fitted to runs, kept in a file a core."""

from pathlib import Path

import pytest

from mcubuild.bench.calibrate import Sample, deployment_of, fits, groups, lines, measured, updated
from mcubuild.bench.kernel_networks import matrix_network, narrow_network, pool_network
from mcubuild.bench.sketch import Sketch
from mcubuild.bench.workbench import Workbench
from mcubuild.cores import costs as files
from mcubuild.cores.core import cores
from mcubuild.cores.costs import path_of, read_costs, write_costs
from mcubuild.engine.kernels import serving
from mcubuild.engine.layer import layers
from mcubuild.engine.memory.footprint import target_of
from mcubuild.errors import BuildError
from mcubuild.ir.graph import Graph
from mcubuild.ir.ops.pool import MaxPool2D
from mcubuild.store import Store

MEASURED = [name for name, core in cores().items() if core.board]
M4 = deployment_of("cortex-m4")


def invented(graph: Graph, kinds: set[str], scale: float = 1.0) -> list[Sample]:
    """Every layer with each of these kernels, as fast as estimated or so many times."""
    found = []
    for layer in layers(graph):
        for kernel in serving(layer, target_of(M4)):
            if kernel.kind in kinds:
                routines = {routine.name: routine.code_bytes for routine in kernel.routines(layer)}
                cycles = scale * kernel.cycles(layer, "cortex-m4")
                found.append(Sample(layer, kernel.kind, M4, cycles, kernel.code_bytes(layer), routines))
    return found


def test_what_layers_take_tells_what_their_work_costs() -> None:
    data = [sample for seed in range(6) for sample in invented(pool_network(seed), {"pool_dsp", "average_pool"})]
    average, pool = fits(data)
    known = read_costs("cortex-m4")
    assert average.name == "average_pool" and pool.name == "pool_dsp"
    for fit in (average, pool):
        assert fit.costs[fit.name] == pytest.approx(known[fit.name], abs=0.5)
        assert abs(fit.errors).max() < 0.01
    assert "pool_dsp: call 11" in "\n".join(lines(data, [average, pool]))


def test_what_kernels_have_in_common_is_fitted_to_all_of_them() -> None:
    found = fits(invented(narrow_network(0), {"conv2d_dsp", "pointwise_dsp"}))
    assert [fit.name for fit in found] == ["product"]
    assert {"product", "conv2d_dsp"} <= found[0].costs.keys()
    assert set(found[0].costs["product"]) <= read_costs("cortex-m4")["product"].keys()


def test_narrow_weights_alone_leave_the_costs_of_wide_ones() -> None:
    data = [sample for seed in (2, 6, 10) for sample in invented(narrow_network(seed), {"fully_connected"}, 2.0)]
    (fit,) = fits(data)
    known, found = read_costs("cortex-m4")["fully_connected"], fit.costs["fully_connected"]
    assert {name: found[name] for name in ("call", "output")} == {name: known[name] for name in ("call", "output")}
    assert found["mac4"] > 1.9 * known["mac4"]


def test_new_costs_replace_those_of_the_same_features_alone() -> None:
    (fit,) = fits(invented(matrix_network(0), {"fully_connected"}, 2.0))
    known = read_costs("cortex-m4")
    found = updated(known, [fit])
    assert {**found, "fully_connected": None} == {**known, "fully_connected": None}
    assert found["fully_connected"]["mac4"] == known["fully_connected"]["mac4"], "there were no narrow weights"
    assert found["fully_connected"]["mac"] == pytest.approx(2 * known["fully_connected"]["mac"], rel=0.05)


def test_kernels_are_named_by_kind() -> None:
    assert groups("cortex-m4", ["conv2d_dsp", "pool"], M4) == {"product", "pool"}
    assert {"product", "packed", "depthwise"} <= groups("cortex-m4", [], M4)
    with pytest.raises(BuildError, match=r"kernels=pol: there is no such kernel; allowed: add, add_dsp, arg_max"):
        groups("cortex-m4", ["pol"], M4)


def test_a_core_that_takes_the_costs_of_another_has_none_to_measure() -> None:
    with pytest.raises(BuildError, match=r"core=cortex-m3: its costs are 1.33 times those of the cortex-m4; name that"):
        deployment_of("cortex-m3")


@pytest.mark.parametrize("core", MEASURED)
def test_costs_are_read_as_they_were_written(core: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed, costs = path_of(core).read_bytes(), read_costs(core)
    monkeypatch.setattr(files, "path_of", lambda core: tmp_path / f"{core}.json")
    write_costs(costs, core)
    assert (tmp_path / f"{core}.json").read_bytes() == committed


def test_a_file_that_is_no_costs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "path_of", lambda core: tmp_path / f"{core}.json")
    (tmp_path / "cortex-m9.json").write_text('{"add": {"call": "few"}}')
    with pytest.raises(BuildError, match=r"cortex-m9.json: not the costs of a core \(Expected `float`, got `str`"):
        read_costs("cortex-m9")


def test_work_without_a_cost_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    sketch = Sketch((1, 8, 8, 4))
    sketch.windows("input", MaxPool2D, (2, 2), 2)
    (layer,) = layers(sketch.graph())
    kernel = next(one for one in serving(layer, target_of(M4)) if one.kind == "pool_dsp")
    for place in ("mcubuild.engine.kernels.base", "mcubuild.cores.costs"):  # "word", say, in common with others
        monkeypatch.setattr(f"{place}.costs_of", lambda core, kinds: ({"call": 1.0, "word": 1.0}, 1.0))
    told = r"cortex-m4.json: the kernel 'pool_dsp' has no cost of window, group, row; write a guess .*=pool_dsp"
    with pytest.raises(BuildError, match=told):
        kernel.cycles(layer, "cortex-m3")


@pytest.mark.slow
def test_runs_give_the_costs_that_are_kept(tmp_path: Path) -> None:
    """Six networks of the kernel's, in the emulator: what is written down is what comes out, to the last digit."""
    data = measured("cortex-m4", ["pool_dsp"], Workbench(Store(tmp_path), "test"))
    (fit,) = fits(data)
    assert len(data) == 16 and updated(read_costs("cortex-m4"), [fit]) == read_costs("cortex-m4")
