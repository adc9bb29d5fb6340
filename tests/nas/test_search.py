"""Search and fine-tuning on a toy data set, from a super network that has just begun to learn."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mcubuild.board import read_board
from mcubuild.checkpoint import restore
from mcubuild.data.splits import Split
from mcubuild.errors import BuildError
from mcubuild.nas.search.choice import choose
from mcubuild.nas.search.search import search, to_judge_by
from mcubuild.nas.space.arch import largest, parse_key, smallest
from mcubuild.nas.space.family import Family
from mcubuild.nas.space.files import read_arch
from mcubuild.nas.space.footprints import Footprints
from mcubuild.nas.training.finetune import finetune
from mcubuild.nas.training.network import build_network
from mcubuild.nas.training.recipe import evaluate
from mcubuild.nas.training.supernet_training import train
from mcubuild.spec.budget import Budget
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.finetune import FinetuneSettings
from mcubuild.spec.search import SearchSettings
from mcubuild.spec.supernet import SupernetSettings
from tests.damage import DAMAGES
from tests.nas.toy import LEARNING, SPACE, seconds_for, split

BOARD = read_board("stm32f412")
SETTINGS = SearchSettings(population=4, generations=2, parents=2, calibration=32)
FINETUNE = FinetuneSettings(epochs=4, batch=32, learning_rate=0.05)
FOOTPRINTS = Footprints(Deployment(BOARD))
LEAST, MOST = FOOTPRINTS.of(smallest(SPACE)), FOOTPRINTS.of(largest(SPACE))
FLASH = round(LEAST.flash + 0.3 * (MOST.flash - LEAST.flash))
LATENCY = seconds_for(LEAST.cycles + 0.3 * (MOST.cycles - LEAST.cycles), BOARD)
BUDGET = Budget(sram=64 << 10, flash=FLASH, latency=LATENCY)


@pytest.fixture(scope="module")
def supernet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("supernet")
    settings = SupernetSettings(epochs=4, batch=32, learning_rate=0.1, subnets=0)
    train(
        SPACE,
        split(64, 1),
        split(32, 2),
        settings,
        learning=LEARNING,
        seed=0,
        out=folder,
        work=folder,
    )
    return folder / "supernet.safetensors"


def run(
    supernet: Path, out: Path, work: Path, budget: Budget = BUDGET, settings: SearchSettings = SETTINGS
) -> dict[str, Any]:
    search(
        SPACE,
        supernet,
        split(64, 1),
        split(32, 2),
        settings,
        Deployment(BOARD, budget=budget),
        learning=LEARNING,
        seed=0,
        out=out,
        work=work,
    )
    found: dict[str, Any] = json.loads((out / "search.json").read_text())
    return found


@pytest.fixture(scope="module")
def found(supernet: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("found")
    run(supernet, folder, folder / "work")
    choose(Family(SPACE), folder / "search.json", None, folder)
    return folder


def test_a_network_looked_at_is_chosen_and_every_one_fits(found: Path) -> None:
    history = json.loads((found / "search.json").read_text())
    looked_at = [row for rows in history["evaluations"].values() for row in rows]
    chosen = read_arch(found / "arch.json")
    assert chosen.key == history["chosen"]["key"]
    assert history["chosen"] in looked_at
    assert history["chosen"]["accuracy"] >= sorted(row["accuracy"] for row in looked_at)[len(looked_at) // 2]
    assert {method: len(rows) for method, rows in history["evaluations"].items()} == {"evolution": 12, "random": 12}
    for row in looked_at:
        footprint = FOOTPRINTS.of(parse_key(SPACE, row["key"]))
        assert (row["sram"], row["flash"], row["cycles"]) == (footprint.sram, footprint.flash, footprint.cycles)
        assert row["flash"] <= FLASH
        assert row["latency"] == footprint.cycles / BOARD.clock
        assert FOOTPRINTS.longest(footprint) <= LATENCY
    for method, bests in history["best_by_generation"].items():
        assert bests == sorted(bests)
        assert bests[-1] == max(row["accuracy"] for row in history["evaluations"][method])


@pytest.mark.parametrize(
    ("changes", "looked_at", "first"),
    [({}, 20, 4), ({"objective": "pareto"}, 20, 4), ({"predictor": 20}, 28, 20)],
    ids=["accuracy", "pareto", "predictor"],
)
def test_a_search_that_was_cut_off_goes_on_to_the_same_result(
    supernet: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    looked_at: int,
    first: int,
) -> None:
    settings = SETTINGS.model_copy(update=changes)
    run(supernet, tmp_path / "whole", tmp_path / "whole" / "work", settings=settings)
    evaluated = 0

    def cut_off(*arguments: object) -> tuple[float, float]:
        nonlocal evaluated
        evaluated += 1
        if evaluated > first + 2:
            raise KeyboardInterrupt
        return evaluate(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("mcubuild.nas.search.inherited.evaluate", cut_off)
    with pytest.raises(KeyboardInterrupt):
        run(supernet, tmp_path, tmp_path / "work", settings=settings)
    kept = len(json.loads(restore(tmp_path / "work" / "evaluations.json") or ""))
    assert kept == first  # the first generation
    evaluated = -1000
    run(supernet, tmp_path, tmp_path / "work", settings=settings)
    assert evaluated + 1000 == looked_at - kept
    assert (tmp_path / "search.json").read_bytes() == (tmp_path / "whole" / "search.json").read_bytes()


@pytest.mark.parametrize("damage", ["flipped bit 0", "truncated"])
def test_scores_that_were_damaged_are_computed_again(
    supernet: Path, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(supernet, tmp_path, tmp_path / "work")
    whole = (tmp_path / "search.json").read_bytes()
    DAMAGES[damage](tmp_path / "work" / "evaluations.json")
    run(supernet, tmp_path, tmp_path / "work")
    assert (tmp_path / "search.json").read_bytes() == whole
    assert "evaluations.json is damaged and removed; going on from the one before." in capsys.readouterr().err


def beats(one: dict[str, Any], other: dict[str, Any]) -> bool:
    costs = [(-row["accuracy"], row["latency"], row["sram"], row["flash"]) for row in (one, other)]
    return costs[0] != costs[1] and all(a <= b for a, b in zip(*costs, strict=True))


def test_the_front_has_what_no_other_network_beats(found: Path) -> None:
    history = json.loads((found / "search.json").read_text())
    looked_at = {row["key"]: row for rows in history["evaluations"].values() for row in rows}.values()
    expected = {row["key"] for row in looked_at if not any(beats(other, row) for other in looked_at)}
    assert len(history["front"]) == len(expected) and {row["key"] for row in history["front"]} == expected
    accuracies = [row["accuracy"] for row in history["front"]]
    assert accuracies == sorted(accuracies, reverse=True)


def test_with_pareto_the_most_accurate_of_the_front_is_chosen(supernet: Path, tmp_path: Path) -> None:
    history = run(supernet, tmp_path, tmp_path / "work", settings=SETTINGS.model_copy(update={"objective": "pareto"}))
    assert history["chosen"] == history["front"][0]
    assert history["chosen"]["accuracy"] == max(row["accuracy"] for row in history["front"])


def test_another_network_of_the_search_is_taken_by_its_key(found: Path, tmp_path: Path) -> None:
    front = json.loads((found / "search.json").read_text())["front"]
    choose(Family(SPACE), found / "search.json", front[-1]["key"], tmp_path)
    assert read_arch(tmp_path / "arch.json").key == front[-1]["key"]
    with pytest.raises(BuildError, match=r'search\.choose: found "3x4", which is not among the networks'):
        choose(Family(SPACE), found / "search.json", "3x4", tmp_path)


def test_a_predictor_takes_the_place_of_most_evaluations(supernet: Path, found: Path, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"predictor": 20})
    history = run(supernet, tmp_path, tmp_path / "work", settings=settings)
    assert {method: len(rows) for method, rows in history["evaluations"].items()} == {"evolution": 24, "random": 24}
    keys = [[row["key"] for row in rows] for rows in history["evaluations"].values()]
    assert keys[0][:20] == keys[1][:20] and not set(keys[0][20:]) & {*keys[0][:20], *keys[1][20:]}
    assert history["predictor"]["taught"] == 16 and history["predictor"]["held_out"] == 4
    assert history["chosen"]["accuracy"] == max(
        row["accuracy"] for rows in history["evaluations"].values() for row in rows
    )
    assert json.loads((found / "search.json").read_text())["predictor"] is None


def test_the_ram_limits_the_search(supernet: Path, tmp_path: Path) -> None:
    free = run(supernet, tmp_path, tmp_path / "free", Budget(sram=64 << 10))
    needs = [row["sram"] for row in free["evaluations"]["random"]]
    assert LEAST.sram <= min(needs) < max(needs)
    sram = (LEAST.sram + max(needs)) // 2
    tight = run(supernet, tmp_path, tmp_path / "tight", Budget(sram=sram))
    assert all(row["sram"] <= sram for rows in tight["evaluations"].values() for row in rows)


def test_budget_that_nothing_meets_is_an_error(supernet: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"the smallest needs .* ms \(budget.latency allows 100.0 us\)"):
        run(supernet, tmp_path, tmp_path, Budget(sram=64 << 10, flash=FLASH, latency=1e-4))
    assert not (tmp_path / "search.json").exists()


def tune(supernet: Path, found: Path, out: Path, settings: FinetuneSettings = FINETUNE) -> bytes:
    arch = read_arch(found / "arch.json")
    finetune(
        arch,
        supernet,
        split(64, 1),
        split(32, 2),
        settings,
        learning=LEARNING,
        seed=0,
        out=out,
        work=out / "work",
    )
    return (out / "weights.safetensors").read_bytes()


def test_fine_tuning_writes_the_plain_networks_weights_and_improves_them(
    supernet: Path, found: Path, tmp_path: Path
) -> None:
    tune(supernet, found, tmp_path)
    network = build_network(read_arch(found / "arch.json"))
    network.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    accuracy, _ = evaluate(network.eval(), split(64, 3), LEARNING)
    assert accuracy > 0.7
    log = json.loads((tmp_path / "finetune_log.json").read_text())
    assert [set(entry) for entry in log] == [{"steps", "loss", "train_accuracy", "val_accuracy", "val_loss"}] * 4
    assert log[-1]["loss"] < log[0]["loss"]


def test_fine_tuning_is_deterministic_and_resumes(
    supernet: Path, found: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tune(supernet, found, tmp_path / "whole")
    calls = 0

    def cut_off(*arguments: object) -> tuple[float, float]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return evaluate(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("mcubuild.nas.training.fit.evaluate", cut_off)
    with pytest.raises(KeyboardInterrupt):
        tune(supernet, found, tmp_path / "cut")
    assert tune(supernet, found, tmp_path / "cut") == whole
    assert calls == 3 + 2


def test_without_epochs_the_inherited_weights_are_kept(supernet: Path, found: Path, tmp_path: Path) -> None:
    tune(supernet, found, tmp_path, FinetuneSettings(epochs=0))
    kept, shared = load_file(tmp_path / "weights.safetensors"), load_file(supernet)
    assert torch.equal(kept["classifier.weight"], shared["classifier.weight"])
    assert json.loads((tmp_path / "finetune_log.json").read_text()) == []


def test_more_than_enough_samples_to_judge_by_are_not_all_used() -> None:
    labels = np.repeat(np.arange(4), (3000, 2000, 1000, 2))
    many = Split(np.zeros((len(labels), 1, 1, 1), np.uint8), labels)
    assert np.allclose(np.bincount(to_judge_by(many).y, minlength=4), (500, 333, 167, 0), atol=1)
    assert len(to_judge_by(many.part(np.arange(900)))) == 900
