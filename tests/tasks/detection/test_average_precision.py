"""Average precision: by hand, against pycocotools, and against the rules written down once more, slowly."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcubuild.data.boxes import Boxes, BoxLists
from mcubuild.tasks.detection.average_precision import Method, average_precision, judge
from mcubuild.tasks.detection.boxes import Detections

CLASSES = 3


def boxes(*rows: tuple[float, float, float, float, int, bool]) -> Boxes:
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Boxes(table[:, :4].astype(np.float32), table[:, 4].astype(np.int64), table[:, 5].astype(np.bool_))


def detections(*rows: tuple[float, float, float, float, int, float]) -> Detections:
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(table[:, :4].astype(np.float32), table[:, 4].astype(np.int64), table[:, 5])


def score(truth: list[Boxes], found: list[Detections], method: Method, classes: int = 1) -> list[float | None]:
    return [one.average_precision(method) for one in judge(BoxLists.of(truth), found, classes)]


BOX = (0.0, 0.0, 0.5, 0.5)
OTHER = (0.5, 0.5, 1.0, 1.0)


@pytest.mark.parametrize(
    "rows, area, eleven",
    [
        ([], 0, 0),
        ([(*BOX, 0, 0.9)], 0.5, 6 / 11),
        ([(*BOX, 0, 0.9), (*OTHER, 0, 0.8)], 1, 1),
        ([(*OTHER, 0, 0.8), (*BOX, 0, 0.9), (*BOX, 0, 0.85)], 0.5 + 0.5 * 2 / 3, (6 + 5 * 2 / 3) / 11),
        ([(0.1, 0.5, 0.6, 1, 0, 0.95), (*BOX, 0, 0.9)], 0.25, 3 / 11),
        ([(*BOX, 0, 0.5), (*OTHER, 0, 0.9), (0.0, 0.5, 0.4, 0.9, 0, 0.1)], 1, 1),
    ],
    ids=["nothing", "half", "all", "twice", "wrong first", "wrong last"],
)
def test_by_hand(rows: list[Any], area: float, eleven: float) -> None:
    truth, found = [boxes((*BOX, 0, False), (*OTHER, 0, False))], [detections(*rows)]
    assert score(truth, found, "area") == [pytest.approx(area)]
    assert score(truth, found, "eleven") == [pytest.approx(eleven)]


def test_difficult_boxes_count_for_nothing() -> None:
    truth = [boxes((*BOX, 0, False), (*OTHER, 0, True))]
    both = [detections((*OTHER, 0, 0.9), (*OTHER, 0, 0.8), (*BOX, 0, 0.5))]
    assert score(truth, both, "area") == [1]
    assert score([boxes((*OTHER, 0, True))], both, "area") == [None]


def test_overlap_of_exactly_the_least_is_enough() -> None:
    truth = [boxes((0, 0, 1, 1, 0, False))]
    assert score(truth, [detections((0, 0, 1, 0.5, 0, 1))], "area") == [1]
    assert score(truth, [detections((0, 0, 1, 0.499, 0, 1))], "area") == [0]


def test_other_classes_and_pictures_do_not_help() -> None:
    truth = [boxes((*BOX, 0, False)), boxes((*OTHER, 1, False))]
    assert score(truth, [detections((*BOX, 1, 1)), detections((*OTHER, 0, 1))], "area", 3) == [0, 0, None]


def test_recalls_of_tenths_are_met_exactly() -> None:
    """3 of 10 found is a recall of 0.3, which floats do not hold."""
    cells = [(row / 4, column / 4, (row + 1) / 4, (column + 1) / 4) for row in range(3) for column in range(4)][:10]
    truth = [boxes(*((*cell, 0, False) for cell in cells))]
    for count in range(11):
        found = [detections(*((*cell, 0, 0.5) for cell in cells[:count]))]
        assert score(truth, found, "eleven") == [pytest.approx((count + 1) / 11 if count else 0)]


def random_case(seed: int, *, apart: bool) -> tuple[list[Boxes], list[Detections]]:
    """Boxes of pictures, and detections, some near them; ``apart``: no two touch, difficult ones are met once."""
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for _ in range(int(rng.integers(1, 12))):
        rows: list[Any] = []
        for cell in rng.permutation(9)[: rng.integers(0, 8)].tolist():
            corner = np.array([cell // 3, cell % 3]) / 3 if apart else rng.random(2) * 0.6
            start = corner + rng.random(2) * 0.1
            end = start + 0.08 + 0.14 * rng.random(2) * (1 if apart else 2)
            rows.append((*start, *end, int(rng.integers(CLASSES)), bool(rng.random() < 0.2)))
        near: list[Any] = []
        for row in rows:
            for _ in range(int(rng.integers(0, 2 if apart and row[5] else 3))):
                moved = np.array(row[:4]) + rng.normal(0, 0.02, 4)
                label = row[4] if rng.random() < 0.8 else int(rng.integers(CLASSES))
                near.append((*np.minimum(moved[:2], moved[2:] - 0.01), *moved[2:], label, rng.random()))
        for _ in range(int(rng.integers(0, 4))):
            start = rng.random(2) * 0.7
            near.append((*start, *(start + 0.05 + rng.random(2) * 0.2), int(rng.integers(CLASSES)), rng.random()))
        truth.append(boxes(*rows))
        found.append(detections(*near))
    return truth, found


def slowly(truth: list[Boxes], found: list[Detections], label: int, method: Method) -> float | None:
    """The rules as VOCevaldet.m has them, a detection at a time."""
    wanted = sum(int((one.classes == label).sum() - (one.difficult & (one.classes == label)).sum()) for one in truth)
    if not wanted:
        return None
    listed = [
        (-float(of.scores[at]), picture, at)
        for picture, of in enumerate(found)
        for at in range(len(of))
        if of.classes[at] == label
    ]
    used, right, wrong, points = set[tuple[int, int]](), 0, 0, []
    for _, picture, at in sorted(listed):
        box, best, own = found[picture].corners[at].astype(float), -1.0, -1
        for number in range(len(truth[picture])):
            if truth[picture].classes[number] != label:
                continue
            true = truth[picture].corners[number].astype(float)
            tall, wide = min(box[2], true[2]) - max(box[0], true[0]), min(box[3], true[3]) - max(box[1], true[1])
            common = tall * wide if tall > 0 and wide > 0 else 0.0
            union = (box[2] - box[0]) * (box[3] - box[1]) + (true[2] - true[0]) * (true[3] - true[1]) - common
            if common / union > best:
                best, own = common / union, number
        if best >= 0.5:
            if not truth[picture].difficult[own]:
                if (picture, own) in used:
                    wrong += 1
                else:
                    used.add((picture, own))
                    right += 1
        else:
            wrong += 1
        if right + wrong:
            points.append((right, right / (right + wrong)))
    if method == "eleven":
        return sum(max((p for r, p in points if 10 * r >= tenth * wanted), default=0.0) for tenth in range(11)) / 11
    return sum(max((p for r, p in points if r >= count), default=0.0) for count in range(1, wanted + 1)) / wanted


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["area", "eleven"]), st.booleans())
def test_against_the_rules_written_down_slowly(seed: int, method: Method, apart: bool) -> None:
    truth, found = random_case(seed, apart=apart)
    expected = [slowly(truth, found, label, method) for label in range(CLASSES)]
    for got, wanted in zip(score(truth, found, method, CLASSES), expected, strict=True):
        assert (got is None) == (wanted is None)
        assert got is None or got == pytest.approx(wanted)


def by_pycocotools(truth: list[Boxes], found: list[Detections], recalls: Any) -> list[float]:
    """Average precision by class, -1 where there is nothing to be found. An area of 0 has a box ignored."""
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")

    def box(corners: Any) -> list[float]:
        top, left, bottom, right = (1000 * corners.astype(float)).tolist()
        return [left, top, right - left, bottom - top]

    annotations = [
        {"image_id": picture, "category_id": int(label), "bbox": box(corners), "iscrowd": 0, "area": 0 if hard else 100}
        for picture, of in enumerate(truth)
        for corners, label, hard in zip(of.corners, of.classes, of.difficult, strict=True)
    ]
    results = [
        {"image_id": picture, "category_id": int(label), "bbox": box(corners), "score": float(sure)}
        for picture, of in enumerate(found)
        for corners, label, sure in zip(of.corners, of.classes, of.scores, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        given = coco.COCO()
        given.dataset = {
            "images": [{"id": picture} for picture in range(len(truth))],
            "categories": [{"id": label} for label in range(CLASSES)],
            "annotations": [{"id": number + 1, **one} for number, one in enumerate(annotations)],
        }
        given.createIndex()
        evaluation = cocoeval.COCOeval(given, given.loadRes(results), "bbox")
        evaluation.params.iouThrs, evaluation.params.recThrs = np.array([0.5]), np.asarray(recalls)
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[1, 1e10]], ["all"]
        evaluation.params.maxDets = [1000]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][0, :, :, 0, 0]
    return [float(of_class.mean()) for of_class in precision.T]


@pytest.mark.needs("pycocotools")
@pytest.mark.parametrize("seed", range(25))
def test_against_pycocotools(seed: int) -> None:
    """Where its rules are the same: where the best true box is taken, it gives a detection the second best one, and it
    lets but one detection of a difficult box go."""
    truth, found = random_case(seed, apart=True)
    if not sum(map(len, found)):
        pytest.skip("it takes no results for an error")
    wanted = {label: sum(int(((b.classes == label) & ~b.difficult).sum()) for b in truth) for label in range(CLASSES)}
    eleven = by_pycocotools(truth, found, np.arange(11) / 10 - 1e-9)
    for got, expected in zip(score(truth, found, "eleven", CLASSES), eleven, strict=True):
        assert (-1 if got is None else got) == pytest.approx(expected, abs=1e-6)
    for label, got in enumerate(score(truth, found, "area", CLASSES)):
        # The area is a mean over the recalls at which the curve steps.
        steps = (np.arange(max(1, wanted[label])) + 1) / max(1, wanted[label]) - 1e-9
        expected = by_pycocotools(truth, found, steps)[label]
        assert (-1 if got is None else got) == pytest.approx(expected, abs=1e-6)


def test_mean_and_interval() -> None:
    truth, found = zip(*[random_case(seed, apart=True) for seed in range(12)], strict=True)
    all_truth, all_found = [b for of in truth for b in of], [d for of in found for d in of]
    judged = judge(BoxLists.of(all_truth), all_found, CLASSES + 1)
    result = average_precision(judged, seed=1)
    known = [value for value in result.classes if value is not None]
    assert len(known) == CLASSES and result.classes[CLASSES] is None
    assert result.mean == pytest.approx(sum(known) / CLASSES)
    low, high = result.interval
    assert low < result.mean < high
    assert average_precision(judged, seed=1) == result
    # Four times the pictures halve the interval.
    more = average_precision(judge(BoxLists.of(all_truth * 4), all_found * 4, CLASSES + 1), seed=1)
    assert 0.35 < (more.interval[1] - more.interval[0]) / (high - low) < 0.7
    assert more.mean == pytest.approx(result.mean, abs=0.02)


def test_a_picture_drawn_twice_counts_like_two() -> None:
    truth, found = random_case(5, apart=True)
    weights = np.arange(len(truth)) % 3
    twice = [number for number, count in enumerate(weights) for _ in range(count)]
    judged = judge(BoxLists.of(truth), found, CLASSES)
    again = judge(BoxLists.of([truth[n] for n in twice]), [found[n] for n in twice], CLASSES)
    for one, other in zip(judged, again, strict=True):
        got, expected = one.average_precision("area", weights), other.average_precision("area")
        assert (got is None) == (expected is None)
        assert got is None or got == pytest.approx(expected)


def test_nothing_to_be_found_at_all() -> None:
    with pytest.raises(ValueError, match="no picture has a box"):
        average_precision(judge(BoxLists.of([Boxes.none()]), [detections()], 2))


def test_curve() -> None:
    truth, found = [boxes((*BOX, 0, False), (*OTHER, 0, False))], [detections((*BOX, 0, 0.9), (*BOX, 0, 0.5))]
    recall, precision = judge(BoxLists.of(truth), found, 1)[0].curve()
    assert recall.tolist() == [0.5, 0.5]
    assert precision.tolist() == [1, 0.5]
