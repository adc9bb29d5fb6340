"""Transfer learning: a super network that begins with the weights of another one, trained on other samples.

What both have is carried over: the first channels and the centre of kernels, as networks of one super network share
them; kinds of blocks have nothing in common. A carried channel computes what it did, as it takes nothing from channels
and taps that the other network lacks; these are fresh. So is the classifier, but for classes of the same name, where it
reads the same features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, tensor

from mcubuild.data.splits import read_index
from mcubuild.nas.space.arch import Space, largest
from mcubuild.nas.space.family import Family
from mcubuild.nas.space.files import read_neighbours, read_space, write_json
from mcubuild.nas.training.kernels import centre
from mcubuild.nas.training.supernet import fresh

_CLASSIFIER = "classifier."
_LUMA = (0.299, 0.587, 0.114)
"""What red, green and blue add to a grey pixel (ITU-R BT.601): so do readers of images make colours grey."""


@dataclass(frozen=True)
class Known:
    """What another build has learned."""

    space: Space
    """That of its super network's largest network."""
    classes: tuple[str, ...]
    """Names by label."""
    weights: Mapping[str, Tensor]
    """The super network's state."""


def read_known(space: Path, index: Path, weights: Path) -> Known:
    """What the build with these artifacts (space.json, index.json, supernet.safetensors) has learned."""
    family = Family(read_space(space), read_neighbours(space))
    return Known(family.largest, read_index(index).classes, load_file(weights))


def warm_start(
    known: Known, space: Space, classes: Sequence[str], *, kernel_transform: bool, seed: int, out: Path
) -> None:
    """Write start.safetensors, the state that a super network begins with, and start.json to ``out``.

    Args:
        known: where weights come from.
        space: that of the super network's largest network.
        classes: names by label.
        kernel_transform: whether the super network learns how smaller kernels come from larger ones.
        seed: of fresh weights.
        out: folder for the results.
    """
    network = fresh(space, seed, kernel_transform=kernel_transform)
    source = for_space(known, space)
    same = shared_classes(known, space, classes)
    state, carried = dict[str, Tensor](), 0
    parameters = dict(network.named_parameters())
    for name, own in network.state_dict().items():
        if name.startswith(_CLASSIFIER):
            state[name], count = carry_rows(source.get(name), own, same)
        else:
            state[name], count = carry(source.get(name), own)
        carried += count if name in parameters else 0
    save_file({name: value.contiguous() for name, value in state.items()}, out / "start.safetensors")
    told = {
        "space": known.space.name,
        "weights": sum(parameter.numel() for parameter in parameters.values()),
        "carried": carried,
        "classes": [classes[own] for own in same],
    }
    write_json(told, out / "start.json")


def for_space(known: Known, space: Space) -> Mapping[str, Tensor]:
    """What is known that networks of ``space`` can use, for images of its channels; nothing if their blocks differ.

    What sees a channel of a series has nothing to say of another series' channels: where their number differs, that is
    left out.
    """
    if (known.space.block, known.space.series) != (space.block, space.series):
        return {}
    first = f"{next(iter(largest(space).blocks()))}.conv.weight"
    if space.series and known.space.channels != space.channels:
        return {name: value for name, value in known.weights.items() if name != first}
    return {**known.weights, first: for_channels(known.weights[first], space.channels)}


def for_channels(stem: Tensor, channels: int) -> Tensor:
    """The first convolution's weight (outputs, 1 or 3, K, K) for inputs of ``channels`` channels, 1 or 3.

    For grey pictures it computes what it did for the same as RGB; for RGB what it did for the same made grey.
    """
    if stem.shape[1] == channels:
        return stem
    return stem.sum(1, keepdim=True) if channels == 1 else stem * tensor(_LUMA)[:, None, None]


def shared_classes(known: Known, space: Space, classes: Sequence[str]) -> dict[int, int]:
    """Label here -> label there, of classes that have the same name; none if the classifiers read other features."""
    if (known.space.block, known.space.stages) != (space.block, space.stages) or known.space.stride or space.stride:
        return {}
    return {own: known.classes.index(name) for own, name in enumerate(classes) if name in known.classes}


def carry_rows(source: Tensor | None, own: Tensor, rows: Mapping[int, int]) -> tuple[Tensor, int]:
    """``own`` with rows of ``source`` instead, by number in ``own``; and how many values that are."""
    if source is None:
        return own, 0
    value = own.clone()
    for to, origin in rows.items():
        value[to] = source[origin]
    return value, len(rows) * own[:1].numel()


def carry(source: Tensor | None, own: Tensor) -> tuple[Tensor, int]:
    """``own`` with what ``source`` has for it, and how many values that are.

    Both are weights of a convolution (outputs, inputs, K, K), matrices or vectors (channels,), or single numbers.
    """
    if source is None or source.ndim != own.ndim:
        return own, 0
    if own.ndim == 0:
        return source, 1
    value = own.clone()
    if own.ndim == 4:
        kernel = min(source.shape[-2], own.shape[-2])
        source = centre(source, kernel)
    part = source[tuple(slice(size) for size in own.shape[:2])]
    value[: len(part)] = 0  # of each carried channel whatever is not carried
    place = value[tuple(slice(size) for size in part.shape[:2])]
    (centre(place, part.shape[-2]) if own.ndim == 4 else place).copy_(part)
    return value, part.numel()
