"""Learning to detect: the loss of YOLOv2's head on outputs (N, anchors * (5 + classes), rows, columns).

Source: YOLO9000 (Redmon and Farhadi, arXiv 1612.08242), and what its authors' code (darknet, src/region_layer.c) says
more: each true box is learned by the anchor of its cell whose size fits best. Objectness is to be the overlap with the
true box where an anchor learns one (``rescore``), and 0 elsewhere, but where a box overlaps a true one by more than 0.6
anyway; classes have cross-entropy.

Two of its parts are those of later detectors. Objectness has cross-entropy instead of squared errors, whose gradient
vanishes where an anchor is surely wrong, as with objects that are rare; boxes have 1 - CIoU (Zheng et al., arXiv
1911.08287) instead of squared errors of t, so that small ones count as much as large ones. With objectness that begins
near 0, that was worth 13 points of mAP@0.5 on the validation split of blood cells (600 steps of one network at 160
pixels, one seed, a bias of -4), nearly all of them for the smallest and rarest class.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from torch import Tensor

from mcubuild.data.boxes import NOTHING, unpacked
from mcubuild.data.splits import Index, Pixels, Targets
from mcubuild.tasks import Metric
from mcubuild.tasks.detection import MEAN_AP, OVERLAP
from mcubuild.tasks.detection.augmentation import varied
from mcubuild.tasks.detection.average_precision import Judged, Precision, average_precision, judge
from mcubuild.tasks.detection.decode import Decoding

_BOXES: Final = 2.0
_OBJECT: Final = 2.0
_NO_OBJECT: Final = 1.0
_CLASSES: Final = 1.0
"""Weights of the loss's parts."""
_PRIOR: Final = 0.01
"""Objectness of an untrained network: that of RetinaNet (Lin et al., arXiv 1708.02002, section 4.1)."""
_COORDINATES: Final = 1.0
"""Weight of squared errors of a box that another network teaches: coord_scale of yolov2-voc.cfg."""
_FOUND: Final = 0.6
"""Overlap with a true box above which an anchor that does not learn it is not told that there is none: ``thresh``."""
_JUDGED: Final = 0.01
"""Score of a box at least that a score in training is of."""
_LONGEST: Final = 3.0
"""Of gradients: without, a super network ended in NaN at a learning rate of 0.1."""
_MOST: Final = 100
"""Boxes of a picture that it is of."""


@dataclass(frozen=True)
class BoxLearning:
    """Of a data set with boxes."""

    anchors: tuple[tuple[float, float], ...]
    """Heights and widths, as shares of the picture's."""
    classes: int
    stride: int
    mirror: bool = True
    """Whether left and right may change places."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "anchors", tuple(map(tuple, self.anchors)))  # JSON has lists

    @classmethod
    def of(cls, index: Index) -> "BoxLearning":
        """What suits the data set with this ``index``."""
        head = index.detector
        assert head is not None, "a data set with boxes"
        return cls(head.anchors, len(index.classes), head.stride, index.mirror)

    @property
    def metric(self) -> Metric:
        """The mean average precision."""
        return MEAN_AP

    @property
    def longest(self) -> float | None:
        """One crowded picture has many boxes, and squared errors of what another network teaches have no limit."""
        return _LONGEST

    @property
    def taught(self) -> bool:
        """No: boxes alone tell more.

        On blood cells (300 steps of one network from the same weights, one seed) they gave 66.1 % mAP@0.5 on the
        validation split, with the largest network's answers in equal parts 56.8 %.
        """
        return False

    @torch.no_grad()
    def begin(self, bias: Tensor) -> None:
        """Nothing is to be seen anywhere, nearly.

        Else the many anchors without a box are all that a network learns of at first, and rare boxes never catch up.
        """
        bias.view(len(self.anchors), 5 + self.classes)[:, 4] = -math.log((1 - _PRIOR) / _PRIOR)

    def wanted(self, x: Pixels, y: Targets) -> Targets:
        """The targets."""
        return y

    def suited(self, samples: int) -> "BoxLearning":
        """As it is: sets with boxes are small."""
        return self

    def vary(
        self, x: Pixels, y: Targets, rng: np.random.Generator, noise: Pixels | None = None
    ) -> tuple[Pixels, Targets]:
        """Pictures mirrored, cut out or put on a ground, and coloured, and their boxes with them."""
        return varied(x, y, rng, mirror=self.mirror)

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        """The mean over pictures."""
        return self.losses(outputs, targets).mean()

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of each picture: the sum over its cells and boxes, for each box that a picture has in the mean.

        Sums grow with the boxes, and with them the steps of a given learning rate: crowded pictures need no other one.
        """
        cells = self._cells(outputs)
        known = self._assigned(cells.detach(), targets)
        # Of a logit that is to say no, cross-entropy is softplus.
        nothing = _NO_OBJECT * (F.softplus(cells[..., 4]) * known.nothing).sum(dim=(1, 2, 3))
        picture, anchor, row, column = known.place
        mine = cells[picture, row, column, anchor]
        losses = _BOXES * (1 - _complete_overlap(self._corners(cells)[picture, row, column, anchor], known.corners))
        losses = losses + _OBJECT * F.binary_cross_entropy_with_logits(mine[:, 4], known.overlap, reduction="none")
        losses = losses + _CLASSES * F.cross_entropy(mine[:, 5:], known.label, reduction="none")
        boxes = max(1.0, len(losses) / len(outputs))
        return nothing.index_add(0, picture, losses) / boxes

    def distillation(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """The mean over pictures of what ``loss`` says, with the teacher's cells as the truth.

        All that an anchor of the teacher says of a box counts by how sure it is of it.
        """
        cells, taught = self._cells(outputs), self._cells(teacher.detach())
        wanted = taught[..., 4].sigmoid()
        errors = (cells[..., :2].sigmoid() - taught[..., :2].sigmoid()).square().sum(dim=-1)
        errors = errors + (cells[..., 2:4] - taught[..., 2:4]).square().sum(dim=-1)
        chances = taught[..., 5:].softmax(dim=-1)
        entropy = -(chances * cells[..., 5:].log_softmax(dim=-1)).sum(dim=-1)
        objectness = F.binary_cross_entropy_with_logits(cells[..., 4], wanted, reduction="none")
        objectness = (_NO_OBJECT + (_OBJECT - _NO_OBJECT) * wanted) * objectness
        whole = wanted * (_COORDINATES * errors + _CLASSES * entropy) + objectness
        return whole.sum() / wanted.sum().clamp(min=len(outputs))

    def hits(self, outputs: Tensor, targets: Tensor) -> tuple[int, int]:
        """True boxes that the anchors which learn them find: overlap and class are right; and all of them."""
        cells = self._cells(outputs.detach())
        known = self._assigned(cells, targets)
        picture, anchor, row, column = known.place
        right = cells[picture, row, column, anchor, 5:].argmax(dim=1) == known.label
        return int((right & (known.overlap >= OVERLAP)).sum()), len(known.label)

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """The mean average precision; 0 where there is nothing to be found."""
        judged = self._judged(outputs, targets)
        known = [one for one in (of_class.average_precision("area") for of_class in judged) if one is not None]
        return sum(known) / max(1, len(known))

    def interval(self, outputs: Tensor, targets: Tensor) -> tuple[float, float]:
        """By draws of pictures."""
        found: Precision = average_precision(self._judged(outputs, targets))
        return found.interval

    def agreement(self, outputs: Tensor, others: Tensor) -> float | None:
        """Not defined: boxes move a little."""
        return None

    def _judged(self, outputs: Tensor, targets: Tensor) -> list[Judged]:
        rows, columns = outputs.shape[2:]
        reads = Decoding(
            (rows, columns), (rows * self.stride, columns * self.stride), self.anchors, self.classes, 1.0, 0,
            threshold=_JUDGED, most=_MOST,
        )  # fmt: skip
        found = [reads.detections(one) for one in outputs.permute(0, 2, 3, 1).double().cpu().numpy()]
        return judge(unpacked(targets.cpu().numpy()), found, self.classes, OVERLAP)

    def _cells(self, outputs: Tensor) -> Tensor:
        """(N, rows, columns, anchors, 5 + classes)."""
        samples, _, rows, columns = outputs.shape
        return outputs.permute(0, 2, 3, 1).reshape(samples, rows, columns, len(self.anchors), 5 + self.classes)

    def _assigned(self, cells: Tensor, targets: Tensor) -> "_Assigned":
        """Which anchor learns which true box; of several in a cell that fit an anchor best, the last one."""
        samples, rows, columns, anchors, _ = cells.shape
        sizes = torch.tensor(self.anchors, dtype=cells.dtype, device=cells.device)
        picture, number = ((targets[..., 0] != NOTHING) & (targets[..., 5] == 0)).nonzero(as_tuple=True)
        boxes = targets[picture, number]
        label, (top, left, bottom, right) = boxes[:, 0].long(), boxes[:, 1:5].to(cells.dtype).unbind(dim=1)
        height, width = (bottom - top).clamp(min=1e-4), (right - left).clamp(min=1e-4)
        y, x = (top + bottom) / 2 * rows, (left + right) / 2 * columns
        row, column = y.long().clamp(0, rows - 1), x.long().clamp(0, columns - 1)
        common = torch.minimum(height[:, None], sizes[:, 0]) * torch.minimum(width[:, None], sizes[:, 1])
        fits = common / (height * width)[:, None].add(sizes.prod(dim=1)).sub(common)
        anchor = fits.argmax(dim=1)
        # One box an anchor of a cell: of several the last, whatever the order in which a device writes.
        code = ((picture * rows + row) * columns + column) * anchors + anchor
        last = torch.full((samples * rows * columns * anchors,), -1, device=cells.device)
        last = last.scatter_reduce(0, code, torch.arange(len(code), device=cells.device), "amax")
        kept = last[code] == torch.arange(len(code), device=cells.device)
        picture, row, column, anchor = picture[kept], row[kept], column[kept], anchor[kept]
        true = torch.stack([top, left, bottom, right], dim=1)[kept]
        corners = self._corners(cells)
        nothing = (self._overlaps(corners, targets) <= _FOUND).to(cells.dtype)
        nothing[picture, row, column, anchor] = 0
        overlap = _overlap(corners[picture, row, column, anchor], true)
        return _Assigned((picture, anchor, row, column), true, overlap, label[kept], nothing)

    def _corners(self, cells: Tensor) -> Tensor:
        """Top, left, bottom, right of every anchor's box, as shares of the picture."""
        _, rows, columns, _, _ = cells.shape
        sizes = torch.tensor(self.anchors, dtype=cells.dtype, device=cells.device)
        down, right = (torch.arange(side, dtype=cells.dtype, device=cells.device) for side in (rows, columns))
        y = (down[:, None, None] + cells[..., 1].sigmoid()) / rows
        x = (right[:, None] + cells[..., 0].sigmoid()) / columns
        tall, wide = (sizes[:, side] / 2 * cells[..., 3 - side].clamp(max=8).exp() for side in (0, 1))
        return torch.stack([y - tall, x - wide, y + tall, x + wide], dim=-1)

    def _overlaps(self, corners: Tensor, targets: Tensor) -> Tensor:
        """The largest overlap of every anchor's box with a true one of its picture, difficult ones included."""
        most = torch.zeros(corners.shape[:-1], dtype=corners.dtype, device=corners.device)
        used = int((targets[..., 0] != NOTHING).sum(dim=1).max()) if len(targets) else 0
        for number in range(used):
            true = targets[:, number, 1:5].to(corners.dtype)[:, None, None, None]
            there = targets[:, number, 0] != NOTHING
            most = torch.maximum(most, _overlap(corners, true) * there[:, None, None, None])
        return most


@dataclass(frozen=True)
class _Assigned:
    """True boxes (B), each with the anchor that learns it."""

    place: tuple[Tensor, Tensor, Tensor, Tensor]
    """Picture, anchor, row and column, (B,) each."""
    corners: Tensor
    """Top, left, bottom, right of the true box, as shares of the picture, (B, 4)."""
    overlap: Tensor
    """What objectness should be: that of the anchor's box with the true one, (B,)."""
    label: Tensor
    """(B,)."""
    nothing: Tensor
    """1 where there is no box to be found, else 0, (N, rows, columns, anchors)."""


def _overlap(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4)."""
    sides = (torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(one[..., :2], other[..., :2])).clamp(min=0)
    common = sides.prod(dim=-1)
    areas = (one[..., 2:] - one[..., :2]).prod(dim=-1) + (other[..., 2:] - other[..., :2]).prod(dim=-1)
    return common / (areas - common).clamp(min=1e-9)


def _complete_overlap(found: Tensor, true: Tensor) -> Tensor:
    """CIoU (B,) of boxes (B, 4): overlap, less the distance of their centres and the difference of their shapes."""
    overlap = _overlap(found, true)
    hull = torch.maximum(found[:, 2:], true[:, 2:]) - torch.minimum(found[:, :2], true[:, :2])
    between = (found[:, :2] + found[:, 2:] - true[:, :2] - true[:, 2:]) / 2
    away = between.square().sum(dim=1) / hull.square().sum(dim=1).clamp(min=1e-9)
    one, other = (torch.atan2(*(box[:, 2:] - box[:, :2]).clamp(min=1e-6).unbind(dim=1)) for box in (found, true))
    unlike = 4 / math.pi**2 * (one - other).square()
    with torch.no_grad():
        share = unlike / (1 - overlap + unlike).clamp(min=1e-9)
    return overlap - away - share * unlike


LEARNING = BoxLearning
