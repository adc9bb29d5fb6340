"""The loss of YOLOv2's head, its score, and boxes that move with their pictures."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mcubuild.data.boxes import NOTHING, Boxes, BoxLists, packed, unpacked
from mcubuild.data.splits import Split
from mcubuild.nas.space.arch import Space, smallest
from mcubuild.nas.training.finetune import finetune
from mcubuild.nas.training.length import Length
from mcubuild.nas.training.scratch import from_scratch
from mcubuild.nas.training.supernet import fresh
from mcubuild.nas.training.supernet_training import train
from mcubuild.progress import bar
from mcubuild.resolution import square
from mcubuild.spec.finetune import FinetuneSettings
from mcubuild.spec.supernet import SupernetSettings
from mcubuild.tasks.detection.augmentation import varied
from mcubuild.tasks.detection.learning import BoxLearning
from mcubuild.tasks.learning import from_json, to_json

ANCHORS = ((0.2, 0.2), (0.5, 0.5))
LEARNING = BoxLearning(ANCHORS, 2, 32)
ROWS = 4


def boxes(*rows: tuple[int, float, float, float, float]) -> Boxes:
    corners = np.array([row[1:] for row in rows], np.float32).reshape(-1, 4)
    return Boxes(corners, np.array([row[0] for row in rows], np.int64), np.zeros(len(rows), np.bool_))


def targets(*pictures: Boxes) -> torch.Tensor:
    return torch.from_numpy(packed(BoxLists.of(pictures)))


SURE = 14.0


def perfect(truth: torch.Tensor, sure: float = SURE) -> torch.Tensor:
    """The outputs (N, 14, 4, 4) of a detector that knows all."""
    out = torch.zeros(len(truth), ROWS, ROWS, len(ANCHORS), 7)
    out[..., 4] = -SURE
    for sample, rows in enumerate(truth):
        for label, top, left, bottom, right, _ in rows.tolist():
            if label == NOTHING:
                continue
            height, width, y, x = bottom - top, right - left, (top + bottom) / 2 * ROWS, (left + right) / 2 * ROWS
            anchor = 0 if height < 0.35 else 1
            cell = out[sample, int(y), int(x), anchor]
            cell[0], cell[1] = (math.log(part / (1 - part)) for part in (x % 1, y % 1))
            cell[2], cell[3] = math.log(width / ANCHORS[anchor][1]), math.log(height / ANCHORS[anchor][0])
            cell[4], cell[5 + int(label)] = sure, 9.0
    return out.flatten(3).permute(0, 3, 1, 2)


TRUTH = targets(boxes((0, 0.1, 0.17, 0.3, 0.37), (1, 0.4, 0.3, 0.95, 0.85)), boxes(), boxes((1, 0.05, 0.6, 0.25, 0.8)))


def test_who_knows_all_loses_nothing_and_scores_everything() -> None:
    outputs = perfect(TRUTH)
    assert LEARNING.losses(outputs, TRUTH).tolist() == pytest.approx([0, 0, 0], abs=1e-3)
    assert LEARNING.hits(outputs, TRUTH) == (3, 3)
    assert LEARNING.score(outputs, TRUTH) == pytest.approx(1.0)
    assert LEARNING.distillation(outputs, outputs).item() == pytest.approx(0, abs=1e-2)


def test_each_part_of_the_loss_counts() -> None:
    """By hand: three true boxes in three pictures, so that sums are divided by one."""
    unlike = 4 / math.pi**2 * (math.pi / 4 - math.atan2(1, 1.2)) ** 2
    complete = 1 / 1.2 - unlike**2 / (1 - 1 / 1.2 + unlike)
    for change, expected in (
        ("objectness", 2 * math.log(2)),
        ("ghost", math.log(2)),
        ("class", math.log(2)),
        ("size", 2 * (1 - complete) + 2 * SURE * (1 - 1 / 1.2)),
        ("place", 2 * (1 - (0.8 / 1.2 - 0.04**2 / (0.2**2 + 0.24**2))) + 2 * SURE * (1 - 0.8 / 1.2)),
    ):
        outputs = perfect(TRUTH).permute(0, 2, 3, 1).reshape(3, ROWS, ROWS, 2, 7).clone()
        cell = outputs[2, 0, 2, 0]  # of the last picture's only box
        if change == "objectness":
            cell[4] = 0
        elif change == "ghost":
            outputs[1, 3, 3, 1, 4] = 0
        elif change == "class":
            cell[5:] = 0
        elif change == "place":  # its centre at 0.15 from 0.05 + 0.1, a fifth of its height lower
            y = 0.15 * ROWS + 0.04 * ROWS
            cell[1] = math.log(y / (1 - y))
        else:
            cell[2] += math.log(1.2)
        flat = outputs.flatten(3).permute(0, 3, 1, 2)
        lost = LEARNING.losses(flat, TRUTH)
        assert lost.sum().item() == pytest.approx(expected, rel=0.02, abs=5e-3), change


def test_the_loss_has_gradients_and_falls() -> None:
    outputs = torch.zeros(3, 14, ROWS, ROWS, requires_grad=True)
    optimiser = torch.optim.Adam([outputs], lr=0.2)
    losses = []
    for _ in range(100):
        optimiser.zero_grad()
        loss = LEARNING.loss(outputs, TRUTH)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0] and LEARNING.hits(outputs, TRUTH) == (3, 3)


SPACE = Space(0.25, square(64), 3, 14, 1, "mobile", stride=32)
SAMPLES = Split(np.zeros((3, 64, 64, 3), np.uint8), np.zeros(3, np.int64), boxes=unpacked(TRUTH.numpy()))


def test_networks_begin_by_seeing_nothing(tmp_path: Path) -> None:
    """Objectness is 0.01 at first: of a network alone, of a super network, and of one with another's weights."""
    settings = SupernetSettings(epochs=1, batch=2, learning_rate=1e-9, subnets=0)
    network, _ = from_scratch(
        smallest(SPACE), SAMPLES, None, settings, Length(2, 1, 0, patient=True),
        learning=LEARNING, seed=0, work=tmp_path / "alone", progress=partial(bar, "train"),
    )  # fmt: skip
    begun = [network.bias.detach()]
    save_file(fresh(SPACE, 1).state_dict(), tmp_path / "start.safetensors")
    for start in (None, tmp_path / "start.safetensors"):
        work = tmp_path / f"{len(begun)}"
        train(SPACE, SAMPLES, SAMPLES, settings, learning=LEARNING, seed=0, out=tmp_path, work=work, start=start)
        begun.append(load_file(tmp_path / "supernet.safetensors")["classifier.bias"])
    for bias in begun:
        anchors = bias.view(2, 7)
        assert anchors[:, 4].sigmoid().tolist() == pytest.approx([0.01, 0.01], abs=1e-5)
        assert anchors[:, [0, 1, 2, 3, 5, 6]].abs().max() < 1e-5


def test_the_chosen_network_learns_from_boxes_alone(tmp_path: Path) -> None:
    """Blocks that the largest network alone has do not matter."""
    whole, tuned = fresh(SPACE, 1), []
    own = whole.extract(smallest(SPACE)).state_dict()
    for other in (0, 1):
        state = {name: value if name in own else value + other for name, value in whole.state_dict().items()}
        save_file(state, tmp_path / "supernet.safetensors")
        finetune(
            smallest(SPACE), tmp_path / "supernet.safetensors", SAMPLES, None, FinetuneSettings(epochs=2, batch=2),
            learning=LEARNING, seed=0, out=tmp_path, work=tmp_path / f"{other}",
        )  # fmt: skip
        tuned.append((tmp_path / "weights.safetensors").read_bytes())
    assert len(own) < len(state) and tuned[0] == tuned[1]


def test_difficult_boxes_are_not_asked_for() -> None:
    truth = TRUTH.clone()
    truth[2, 0, 5] = 1
    assert LEARNING.hits(perfect(TRUTH), truth) == (2, 2)
    silent = perfect(targets(*unpacked(TRUTH.numpy()).part(np.array([0, 1, 1]))))
    assert LEARNING.losses(silent, truth)[2].item() == pytest.approx(0, abs=1e-3)


def test_boxes_move_with_their_pictures() -> None:
    """A bright square on black, varied: the box around what is bright is the box that the targets have."""
    rng = np.random.default_rng(3)
    x, lists = np.zeros((64, 96, 96, 1), np.uint8), []
    for picture in x:
        top, left = rng.integers(8, 50, 2)
        height, width = rng.integers(20, 36, 2)
        picture[top : top + height, left : left + width] = 200
        lists.append(boxes((1, top / 96, left / 96, (top + height) / 96, (left + width) / 96)))
    y = packed(BoxLists.of(lists))
    before = y.copy()
    pictures, moved = varied(x, y, rng, mirror=True)
    assert (y == before).all() and (x.max() == 200)
    checked = 0
    for picture, found in zip(pictures[..., 0].astype(int), unpacked(moved), strict=True):
        if not len(found):
            continue
        low, high = picture.min(), picture.max()
        bright = picture > (low + high) / 2
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        seen = np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1]) / 96
        assert np.abs(seen - found.corners[0]).max() <= 1.6 / 96
        checked += 1
    assert checked > 50


def test_what_is_cut_off_is_gone_or_difficult() -> None:
    y = packed(BoxLists.of([boxes((0, 0.0, 0.0, 0.05, 0.05), (1, 0.3, 0.3, 0.7, 0.7))] * 200))
    _, moved = varied(np.zeros((200, 32, 32, 3), np.uint8), y, np.random.default_rng(0), mirror=False)
    corners = unpacked(moved)
    assert 200 < len(corners.all) < 400 and corners.all.difficult.any()
    assert (corners.all.corners >= 0).all() and (corners.all.corners <= 1).all()


def test_a_learning_is_told_to_other_processes_in_json() -> None:
    assert from_json(to_json(LEARNING)) == LEARNING
