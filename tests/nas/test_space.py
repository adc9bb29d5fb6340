import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from mcubuild.artifacts.margin import Margin
from mcubuild.board import read_board
from mcubuild.engine.memory.footprint import Footprint, estimate
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError
from mcubuild.nas.space import optimisation as module
from mcubuild.nas.space.arch import Arch, Space, draw, largest, smallest
from mcubuild.nas.space.backbones import BACKBONES
from mcubuild.nas.space.blocks import Bottleneck
from mcubuild.nas.space.candidates import Limits
from mcubuild.nas.space.contender import Contender, read_contenders
from mcubuild.nas.space.footprints import Footprints
from mcubuild.nas.space.optimisation import Row, contenders, optimise, spaces_for, survey, winner
from mcubuild.nas.space.skeleton import skeleton
from mcubuild.resolution import Resolution, square
from mcubuild.spec.bits import Width
from mcubuild.spec.budget import Budget
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.outline import Outline
from mcubuild.spec.space import SpaceSettings
from tests.nas.toy import seconds_for

BOARD = read_board("stm32f412")
OUTLINE = Outline("image_classification", 3, 1, 32)
SETTINGS = SpaceSettings(blocks=("mobile",), samples=20, widths=(0.3, 0.5, 0.8), resolutions=(square(16), square(32)))


def run(
    out: Path,
    sram: int = 64 << 10,
    flash: int = 512 << 10,
    latency: float | None = None,
    energy: float | None = None,
    seed: int = 0,
) -> None:
    budget = Budget(sram=sram, flash=flash, latency=latency, energy=energy)
    optimise(OUTLINE, SETTINGS, Deployment(BOARD, budget=budget), seed=seed, out=out)


@pytest.mark.parametrize("engine", [EngineSettings(), EngineSettings(inplace_depthwise=False, inplace_add=False)])
@pytest.mark.parametrize(("bits", "activations", "ends"), [(8, 8, None), (4, 8, 8), (8, 4, None)])
def test_blocks_together_cost_what_the_whole_network_costs(
    engine: EngineSettings, bits: Literal[8, 4], activations: int, ends: int | None
) -> None:
    asked = Deployment(BOARD, engine, bits=bits, activations=activations, ends=ends)
    footprints = Footprints(replace(asked, budget=Budget(sram=1 << 30)))
    rng = np.random.default_rng(1)
    for space in (Space(0.5, square(144), 3, 100), Space(0.3, square(30), 1, 10), Space(0.2, square(7), 1, 2)):
        for arch in (smallest(space), largest(space), *(draw(space, rng) for _ in range(3))):
            whole = skeleton(arch, bits, activations, ends)
            assert footprints.of(arch) == estimate(whole, Target.of(BOARD, engine), 2048)
            for sram in (10_000, 60_000, 100_000):
                tight = Footprints(replace(asked, budget=Budget(sram=sram)))
                assert tight.of(arch) == estimate(whole, tight.target, 2048)


def test_activations_of_four_bits_admit_larger_networks() -> None:
    """In the RAM that a network takes with activations of 8 bits, nearly one of twice the resolution's area fits."""
    wide, narrow = (Footprints(Deployment(BOARD, activations=bits, budget=Budget(sram=1 << 30))) for bits in (8, 4))
    needs = wide.of(largest(Space(0.5, square(96), 3, 10))).arena
    for side, fits in ((128, True), (144, False)):
        assert (narrow.of(largest(Space(0.5, square(side), 3, 10))).arena <= needs) is fits


def test_mixed_bits_are_as_wide_as_flash_allows() -> None:
    """All networks fit that fit with either width everywhere, and more."""
    rng, space, flash, within = np.random.default_rng(2), Space(0.5, square(32), 3, 10, 5), 300 << 10, 0
    budget, widths = Budget(sram=48 << 10, flash=flash), list[Width]([8, 4, "mixed"])
    wide, narrow, mixed = (Footprints(Deployment(BOARD, bits=width, budget=budget)) for width in widths)
    for arch in (smallest(space), *(draw(space, rng) for _ in range(30))):
        needs, least, most = mixed.of(arch), narrow.of(arch), wide.of(arch)
        if most.flash <= flash:
            assert needs == most
        assert most.cycles <= needs.cycles <= least.cycles
        for latency in (None, (wide.longest(most) + 3 * narrow.longest(least)) / 4):
            either = wide.fits(arch, flash, latency) or narrow.fits(arch, flash, latency)
            assert mixed.fits(arch, flash, latency) or not either
            within += mixed.fits(arch, flash, latency) and not either
    assert within > 3  # which neither width alone admits


def test_results_depend_on_the_seed_alone(tmp_path: Path) -> None:
    for folder, seed in (("one", 0), ("same", 0), ("other", 1)):
        run(tmp_path / folder, seed=seed)
    for name in ("contenders.json", "space_table.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "same" / name).read_bytes()
    assert (tmp_path / "one/space_table.json").read_bytes() != (tmp_path / "other/space_table.json").read_bytes()


def test_the_table_has_every_space_and_the_winner_has_the_highest_percentile(tmp_path: Path) -> None:
    run(tmp_path)
    table = json.loads((tmp_path / "space_table.json").read_text())
    assert [row["name"] for row in table["spaces"]] == [
        f"w{width}-r{resolution}-s2" for width in (0.3, 0.5, 0.8) for resolution in (16, 32)
    ]
    assert table["limits"] == {"sram": 64 << 10, "flash": 512 << 10, "latency": None, "energy": None}
    assert table["active_power_mw"] is None  # of no interest without a limit of the energy
    least = Footprints(Deployment(BOARD)).of(smallest(Space(0.3, square(16), 1, 3, 2))).cycles
    assert table["spaces"][0]["smallest"]["latency"] == pytest.approx(least / BOARD.clock)
    chosen = read_contenders(tmp_path / "contenders.json")[0].arch.space
    assert table["winner"] == chosen.name
    assert (chosen.channels, chosen.classes) == (1, 3)
    enough = [row for row in table["spaces"] if row["share"] >= 0.1]
    assert chosen.name == max(enough, key=lambda row: row["macs"]["p80"])["name"]
    for row in enough:
        macs, shares = zip(*row["cdf"], strict=True)
        assert list(macs) == sorted(macs)
        assert (shares[0], shares[-1]) == (0, 1)
        assert macs[16] == row["macs"]["p80"]


def test_more_flash_buys_a_space_with_more_work(tmp_path: Path) -> None:
    work = {}
    for flash in (100, 1024):
        run(tmp_path / str(flash), flash=flash << 10)
        table = json.loads((tmp_path / str(flash) / "space_table.json").read_text())
        row = next(row for row in table["spaces"] if row["name"] == table["winner"])
        work[flash] = (row["width"], row["macs"]["p80"])
    assert work[100] < work[1024]


def test_a_tight_latency_leaves_less_work(tmp_path: Path) -> None:
    tables = {}
    for latency in (None, 25e-3):
        run(tmp_path / str(latency), latency=latency)
        tables[latency] = json.loads((tmp_path / str(latency) / "space_table.json").read_text())["spaces"]
    pairs = [(free, tight) for free, tight in zip(tables[None], tables[25e-3], strict=True) if tight["macs"]]
    assert any(free["share"] == tight["share"] == 1 for free, tight in pairs), "some spaces are fast enough"
    assert any(
        0 < tight["share"] < free["share"] and tight["macs"]["max"] < free["macs"]["max"] for free, tight in pairs
    )


def test_processes_find_the_same_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    spaces = [Space(0.2, square(16), 1, 3), Space(0.3, square(32), 1, 3)]
    footprints, limits = Footprints(Deployment(BOARD, budget=Budget(sram=24 << 10))), Limits(200 << 10, None)
    alone = survey(spaces, 20, footprints, limits, 0)
    monkeypatch.setattr(module, "_WORTH_PROCESSES", 0)
    assert survey(spaces, 20, footprints, limits, 0) == alone
    assert 0 < alone[1].share < 1


def test_axes_say_how_they_come_from_the_papers() -> None:
    settings, photos = SpaceSettings(blocks=("mobile",)), replace(OUTLINE, max_resolution=224)
    assert module.axes(photos, settings) == "108 spaces: 9 widths x 12 resolutions (48 to 224 pixels, the paper's)"
    assert "scaled to images of 32 pixels, rounded to even, at least 8" in module.axes(OUTLINE, settings)
    wide = SpaceSettings.model_validate({"resolutions": ["128x160"]})
    detected = module.axes(Outline("object_detection", 2, 3, 224, anchors=5, stride=32), wide)
    assert "(128x160), as space.resolutions says; stages are those that leave cells of 32 pixels" in detected
    assert "spectrograms of 32" in module.axes(replace(OUTLINE, task="audio_classification"), settings)
    assert "3 widths x 2 resolutions (16, 32), as space.resolutions says; stages that" in module.axes(OUTLINE, SETTINGS)


def test_small_images_have_no_stages_that_would_see_maps_of_a_few_pixels() -> None:
    settings = SpaceSettings(
        blocks=("mobile",), widths=(0.5,), resolutions=(square(16), square(48), square(64), square(112))
    )
    photos, pictures = replace(OUTLINE, max_resolution=224), replace(OUTLINE, max_resolution=128)
    assert [space.count for space in module.spaces_for(photos, settings)] == [6, 6, 6, 6]
    spaces = module.spaces_for(pictures, settings)
    assert [space.name for space in spaces] == ["w0.5-r16-s2", "w0.5-r48-s2", "w0.5-r64-s4", "w0.5-r112"]
    for space in spaces[1:]:
        *_, last, _ = largest(space).blocks().values()
        assert isinstance(last, Bottleneck) and last.size.height >= 4
        assert Arch.from_json(largest(space).to_json()) == largest(space)


def _row(width: float, macs: tuple[int, ...], samples: int = 100) -> Row:
    return Row(Space(width, square(32), 1, 10), samples, macs, Footprint(1, 1, 1, 1, 1, 1, 1))


def test_winner_is_judged_by_the_80th_percentile_of_what_fits() -> None:
    steady, lucky = _row(0.2, (50,) * 100), _row(0.3, (10,) * 85 + (1000,) * 15)
    assert winner([steady, lucky]) is steady
    assert winner([_row(0.2, (50,) * 100), wide := _row(0.3, (50,) * 100)]) is wide


def test_spaces_where_hardly_anything_fits_do_not_compete_with_those_where_much_does() -> None:
    few, many = _row(0.9, (1000,) * 9), _row(0.2, (10,) * 10)
    assert winner([few, many]) is many
    fewer = _row(1.0, (5000,))
    assert winner([fewer, few]) is few
    assert winner([_row(0.5, ()), fewer]) is fewer
    assert winner([_row(0.5, ())]) is None


def test_when_nothing_fits_the_error_tells_what_would(tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        run(tmp_path, sram=2000, flash=512 << 10)
    least = Footprints(Deployment(BOARD, budget=Budget(sram=2000))).of(smallest(Space(0.3, square(16), 1, 3, 2)))
    assert f"least SRAM that one needs is {least.sram / 1024:.1f} kB (w0.3-r16-s2)" in str(caught.value)
    assert "budget.sram" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_when_the_energy_is_what_nothing_fits_the_error_names_it(tmp_path: Path) -> None:
    energy = 10e-6 * BOARD.active_power_mw / 1e3
    with pytest.raises(BuildError, match=r"within 10\.0 us\. .* or budget\.energy, or allow") as caught:
        run(tmp_path, latency=10e-6, energy=energy)
    assert "budget.latency" not in str(caught.value)


def test_resolutions_above_the_data_sets_are_refused(tmp_path: Path) -> None:
    settings = SpaceSettings(samples=10, resolutions=(square(48),))
    with pytest.raises(BuildError, match=r"space.resolutions: found 48.* at most 32 pixels"):
        optimise(OUTLINE, settings, Deployment(BOARD), seed=0, out=tmp_path)


PHOTOS = Outline("object_detection", 2, 3, 224, anchors=5, stride=32)


def test_detectors_may_see_pictures_that_are_no_squares(tmp_path: Path) -> None:
    settings = SpaceSettings(
        blocks=("mobile",),
        samples=10,
        widths=(0.3,),
        resolutions=(square(128), Resolution(96, 160), Resolution(160, 96)),
    )
    optimise(PHOTOS, settings, Deployment(BOARD), seed=0, out=tmp_path)
    table = json.loads((tmp_path / "space_table.json").read_text())
    assert [row["name"] for row in table["spaces"]] == ["w0.3-r96x160", "w0.3-r160x96", "w0.3-r128"]
    wide, tall, _ = (row["smallest"]["macs"] for row in table["spaces"])
    assert wide == pytest.approx(tall, rel=0.01)
    assert table["axes"] == (
        "3 spaces: 1 widths x 3 resolutions (96x160, 160x96, 128), as space.resolutions says; "
        "stages are those that leave cells of 32 pixels"
    )


@pytest.mark.parametrize(
    ("size", "outline", "message"),
    [
        (Resolution(96, 150), PHOTOS, "found 96x150, which is no multiple of 32"),
        (Resolution(96, 256), PHOTOS, "found 96x256, but networks for this data set take at most 224 pixels"),
        (Resolution(16, 32), OUTLINE, "found 16x32; only detectors see whole pictures"),
    ],
)
def test_shapes_that_do_not_suit(size: Resolution, outline: Outline, message: str, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=f"space.resolutions: {message}"):
        optimise(outline, SpaceSettings(samples=10, resolutions=(size,)), Deployment(BOARD), seed=0, out=tmp_path)


@pytest.mark.parametrize("value", ["96x", "x96", "96x96x3", "big", "4x64", 600, 96.5, True, "-96x96"])
def test_what_is_no_resolution(value: object) -> None:
    with pytest.raises(ValueError, match=r"a side in pixels|a side has 8 to 512|for switches"):
        SpaceSettings.model_validate({"resolutions": [value]})


def test_default_is_the_papers_108_spaces() -> None:
    assert len(module.sizes(OUTLINE, SpaceSettings())) == 108


@pytest.mark.parametrize("plan", ["fastest", "smallest"])
def test_what_fits_is_what_the_plan_says(plan: Literal["fastest", "smallest"]) -> None:
    """Budgets at and just below what networks need, where answers are hardest."""
    rng, engine = np.random.default_rng(3), EngineSettings(plan=plan)
    answers = []
    for space in (Space(0.5, square(80), 3, 2), Space(0.3, square(48), 1, 10)):
        archs = [draw(space, rng) for _ in range(4)]
        smallest_plans = Footprints(Deployment(BOARD, EngineSettings(plan="smallest")))
        for needed in (smallest_plans.of(archs[0]).sram, Footprints(Deployment(BOARD, engine)).of(archs[1]).sram):
            for sram in (needed - 32, needed):
                footprints = Footprints(Deployment(BOARD, engine, budget=Budget(sram=sram)))
                flash = footprints.of(archs[0]).flash
                for arch in archs:
                    found = footprints.of(arch)
                    assert footprints.fits(arch, flash) == (found.sram <= sram and found.flash <= flash)
                    assert footprints.fits(arch, 1 << 30) == (found.sram <= sram)
                    for cycles in (found.cycles - 1, found.cycles):
                        seconds = seconds_for(cycles, BOARD)
                        in_time = found.sram <= sram and found.cycles <= cycles
                        assert footprints.fits(arch, 1 << 30, seconds) == in_time
                    answers.append(footprints.fits(arch, 1 << 30))
    assert 0.2 < np.mean(answers) < 0.9


def test_limits_allow_for_what_estimates_are_off() -> None:
    """Estimates are multiplied; a limit is tighter by what they may still be too low."""
    arch, margin = smallest(Space(0.3, square(16), 1, 3, 2)), Margin(4.0, 0.25)
    plain = Footprints(Deployment(BOARD, budget=Budget(sram=256 << 10)))
    scaled = Footprints(Deployment(BOARD, budget=Budget(sram=256 << 10)), margin)
    assert scaled.of(arch).cycles == 4 * plain.of(arch).cycles
    assert scaled.within(128 << 10).of(arch).cycles == 4 * plain.of(arch).cycles
    seconds = 5 * plain.latency(plain.of(arch))
    assert scaled.longest(scaled.of(arch)) == pytest.approx(seconds)
    assert scaled.fits(arch, 1 << 20, seconds * 1.001) and not scaled.fits(arch, 1 << 20, seconds * 0.999)
    assert plain.fits(arch, 1 << 20, seconds / 4.9)


def test_contenders_are_of_every_kind_from_small_to_large(tmp_path: Path) -> None:
    outline = Outline("image_classification", 3, 3, 32)
    footprints = Footprints(Deployment(BOARD, budget=Budget(sram=64 << 10)))
    rows = survey(spaces_for(outline, SpaceSettings(samples=40)), 40, footprints, Limits(256 << 10, 0.1), 0)
    found = contenders(rows)
    blocks = [row.space.block for row in found]
    assert set(blocks) == set(BACKBONES) and len(found) == len({row.space for row in found}) <= 15
    for block in set(blocks):
        own = [row for row in found if row.space.block == block]
        assert len({row.space.resolution for row in own}) >= 3 and max(row.space.resolution.height for row in own) > 20
        for row in own:
            assert row.typical is not None and footprints.fits(row.typical, 256 << 10, 0.1)
            assert footprints.macs(row.typical) == pytest.approx(row.score, rel=0.2)
    assert max(row.score for row in found) > 3 * min(row.score for row in found)
    assert found[0] == winner([row for row in rows if row.space.block == "mobile"]), "MCUNet's rule"
    assert all(row.share >= 0.5 for row in found if row.space.block == "plain"), "most of its networks fit"
    nothing = survey(spaces_for(outline, SpaceSettings(samples=10)), 10, footprints, Limits(1 << 10, None), 0)
    assert contenders(nothing) == []


START = Space(width=0.5, resolution=square(24), channels=3, classes=7, count=2)
"""Of a super network trained elsewhere, on colours, at a resolution that does not compete here."""


def begun(
    out: Path, start: Space | None, settings: SpaceSettings = SETTINGS, flash: int = 512 << 10
) -> list[Contender]:
    """The contenders where a super network of ``start`` has learned already."""
    budget = Budget(sram=64 << 10, flash=flash)
    optimise(OUTLINE, settings, Deployment(BOARD, budget=budget), seed=0, out=out, start=start)
    return read_contenders(out / "contenders.json")


def only(found: list[Contender]) -> Space:
    """The space of the single contender."""
    assert len(found) == 1
    return found[0].arch.space


def test_the_space_to_start_from_is_the_only_contender_where_enough_of_it_fits(tmp_path: Path) -> None:
    free = SpaceSettings(samples=20)
    (contender,) = begun(tmp_path, START, free)
    assert contender.arch.space == replace(START, channels=1, classes=3)
    needs = Footprints(Deployment(BOARD, budget=Budget(sram=64 << 10))).of(contender.arch)
    assert (contender.macs, contender.flash) == (needs.macs, needs.flash)
    table = json.loads((tmp_path / "space_table.json").read_text())
    assert table["winner"] == "w0.5-r24-s2" and table["contenders"] == ["w0.5-r24-s2"]
    assert "w0.5-r24-s2, the space of the weights to start with, is the only contender" in table["axes"]
    assert max(row["macs"]["p80"] for row in table["spaces"] if row["macs"]) > next(
        row["macs"]["p80"] for row in table["spaces"] if row["name"] == table["winner"]
    )
    assert only(begun(tmp_path, replace(START, width=0.55), free)).width == 0.55  # the default excludes no width
    assert only(begun(tmp_path, replace(START, count=6), free)).count == 2  # maps of a pixel hold nothing


@pytest.mark.parametrize("block", ["plain", "residual"])
def test_a_space_of_other_blocks_to_start_from_is_the_only_contender(tmp_path: Path, block: str) -> None:
    start = replace(START, width=0.3, block=block)
    assert only(begun(tmp_path, start, SpaceSettings(samples=20))) == replace(start, channels=1, classes=3)
    assert begun(tmp_path, start) == begun(tmp_path, None), "space.blocks has mobile ones alone"
    begun(tmp_path, start)
    assert f"[space] rules out {start.name}" in (tmp_path / "space_table.json").read_text()


def test_a_resolution_that_does_not_compete_leaves_the_width(tmp_path: Path) -> None:
    assert only(begun(tmp_path, START)).name == "w0.5-r32-s2"  # space.resolutions has 16 and 32
    assert only(begun(tmp_path, replace(START, resolution=square(16)))).name == "w0.5-r16-s2"
    larger = only(begun(tmp_path, replace(START, resolution=square(64)), SpaceSettings(samples=20)))
    assert larger.width == 0.5 and larger.resolution.height <= OUTLINE.max_resolution


def test_the_budget_and_the_spec_come_before_the_space_to_start_from(tmp_path: Path) -> None:
    tight = begun(tmp_path, None, flash=40 << 10)
    assert begun(tmp_path, replace(START, width=0.8), flash=40 << 10) == tight
    ordinary = begun(tmp_path, None)
    assert len(ordinary) > 1 and begun(tmp_path, replace(START, width=0.55)) == ordinary
    assert "[space] rules out w0.55-r24-s2" in (tmp_path / "space_table.json").read_text()


def test_neighbours_of_the_space_to_start_from_are_every_pair(tmp_path: Path) -> None:
    (contender,) = begun(tmp_path, START, SpaceSettings(samples=20, neighbours=True))
    spaces = (contender.arch.space, *contender.neighbours)
    found = {(one.width, one.resolution.height, one.count) for one in spaces}
    assert found == {(width, side, 2) for width in (0.4, 0.5) for side in {side for _, side, _ in found}}
    assert len(found) == 6 and {one.block for one in spaces} == {"mobile"}
