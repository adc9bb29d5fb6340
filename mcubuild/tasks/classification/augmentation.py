"""Training samples varied at random, in ways that leave their class alone."""

import math
from dataclasses import asdict

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from numpy.typing import NDArray
from torch import Tensor

from mcubuild.data.splits import Pixels
from mcubuild.tasks.classification.amplitudes import AMPLITUDES, SOUNDS, Amplitudes

_SHARP = 0.5
"""Share of the samples that move by whole pixels alone: interpolation blurs, and test samples are sharp."""
_WHITE = 255
_DECIBELS = 80 / _WHITE
"""Of a level of a log-mel spectrogram: see ``mcubuild.data.features``."""
_NEPERS = math.log(10) / 10 * _DECIBELS
"""The natural logarithm of the power that a level stands for."""


def varied(
    x: Pixels, rng: np.random.Generator, kind: str, strength: float, noise: Pixels | None, *, mirror: bool
) -> Pixels:
    """Each sample varied on its own; ``x`` stays as it is.

    Args:
        x: the samples.
        rng: where chance comes from.
        kind: of the data: a key of ``AMPLITUDES``.
        strength: multiplies all amplitudes; at 0 samples are mirrored at most.
        noise: of the same side, (M, R, R, C), mixed into half of the sounds; others get noise that is made up.
        mirror: whether left and right may change places.
    """
    most = Amplitudes(**{name: strength * value for name, value in asdict(AMPLITUDES[kind]).items()})
    images = torch.from_numpy(np.ascontiguousarray(x)).permute(0, 3, 1, 2).float()
    if kind in SOUNDS:
        images = _spectrograms(images, most, rng, noise)
    elif kind == "series":
        images = _series(images, most, rng)
    else:
        images = _images(images, most, rng, mirror=mirror)
    result: Pixels = images.round_().clamp_(0, _WHITE).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return result


def _images(x: Tensor, most: Amplitudes, rng: np.random.Generator, *, mirror: bool) -> Tensor:
    """Images (N, C, R, R), 0 ... 255: moved, coloured, with a square wiped out.

    That square is Random Erasing's (arXiv 1708.04896), at the mean: what hangs on one part of a thing is not learned.
    """
    samples, side = len(x), x.shape[2]
    warped = torch.from_numpy((rng.random(samples) >= _SHARP).astype(np.float32))
    size, width = _factors(most.scale, warped, rng), _factors(most.stretch, warped, rng).sqrt()
    angle = math.radians(most.rotation) * warped * _either_way(samples, rng)
    shear = most.shear * warped * _either_way(samples, rng)
    flip = torch.from_numpy(np.where(mirror & (rng.random(samples) < 0.5), -1, 1).astype(np.float32))
    cos, sin = angle.cos() / size, angle.sin() / size
    # Where a pixel comes from: rotated and scaled, then sheared, then stretched, then mirrored.
    across, down = (flip * cos / width, flip * (cos * shear - sin) / width), (sin * width, (sin * shear + cos) * width)
    x = _moved(x, across, down, _pixels(most.shift, side, samples, rng), _pixels(most.shift, side, samples, rng))
    if most.contrast or most.brightness:
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        light = _WHITE * most.brightness * _either_way(samples, rng)
        x = mean + (x - mean) * _each(_factors(most.contrast, torch.ones(samples), rng)) + _each(light)
    if most.saturation and x.shape[1] == 3:
        grey = x.mean(dim=1, keepdim=True)
        x = grey + (x - grey) * _each(_factors(most.saturation, torch.ones(samples), rng))
    if not most.erasing:
        return x
    width_of = rng.integers(round(most.erasing * side) + 1, size=samples)
    rows, columns = (_stretches(width_of, side, rng) for _ in range(2))
    return _wiped(x, rows[:, :, np.newaxis] & columns[:, np.newaxis, :])


def _spectrograms(x: Tensor, most: Amplitudes, rng: np.random.Generator, noise: Pixels | None) -> Tensor:
    """Spectrograms (N, 1, R, R), 0 ... 255, low bands at the bottom: moved, with noise, parts of them wiped out.

    Time and pitch are moved and stretched: pitch about its low end, as throats of another length do (Jaitly and Hinton,
    ICML workshop 2013). The masks are SpecAugment's (arXiv 1904.08779): a network that must do without either does not
    lean on one sound.
    """
    samples, side = len(x), x.shape[2]
    nothing, warped = torch.zeros(samples), torch.from_numpy((rng.random(samples) >= _SHARP).astype(np.float32))
    length, pitch = _factors(most.scale, warped, rng), _factors(most.pitch, warped, rng)
    x = _moved(x, (1 / length, nothing), (nothing, 1 / pitch), _pixels(most.shift, side, samples, rng), 1 - 1 / pitch)
    if most.noise:
        added = _noise(samples, side, _WHITE * most.noise, rng)
        if noise is not None:
            recorded = torch.from_numpy(rng.random(samples) < 0.5)[:, None, None, None]
            added = torch.where(recorded, _recorded(noise, samples, _WHITE * most.noise, rng), added)
        x = torch.logaddexp(_NEPERS * x, _NEPERS * added) / _NEPERS
    time, bands = (_stretches(rng.integers(round(most.masks * side) + 1, size=samples), side, rng) for _ in range(2))
    return _wiped(x, time[:, np.newaxis, :] | bands[:, :, np.newaxis])


def _series(x: Tensor, most: Amplitudes, rng: np.random.Generator) -> Tensor:
    """Series (N, C, R, 1), 0 ... 255: moved and stretched in time, each channel's swings and rest changed, with noise.

    What a sensor gives for the same thing that is done faster, more strongly, or with the sensor worn a bit otherwise
    (Um et al., arXiv 1706.00527).
    """
    samples, channels, side, _ = x.shape
    nothing, one = torch.zeros(samples), torch.ones(samples)
    warped = torch.from_numpy((rng.random(samples) >= _SHARP).astype(np.float32))
    length = _factors(most.scale, warped, rng)
    x = _moved(x, (one, nothing), (nothing, 1 / length), nothing, _pixels(most.shift, side, samples, rng))
    mean = x.mean(dim=2, keepdim=True)
    each = torch.ones(samples * channels)
    swing = _factors(most.contrast, each, rng).view(samples, channels, 1, 1)
    offset = _WHITE * most.brightness * _either_way(samples * channels, rng).view(samples, channels, 1, 1)
    x = mean + (x - mean) * swing + offset
    level = _each(_WHITE * most.noise * torch.from_numpy(rng.random(samples).astype(np.float32)))
    x = x + level * torch.from_numpy(rng.standard_normal(tuple(x.shape), dtype=np.float32))
    hidden = _stretches(rng.integers(round(most.masks * side) + 1, size=samples), side, rng)
    return torch.where(torch.from_numpy(hidden)[:, None, :, None], mean, x)


def _noise(samples: int, side: int, loudest: float, rng: np.random.Generator) -> Tensor:
    """Levels (N, 1, R, R) of steady noise, of any colour and loudness, from inaudible on."""
    loudness = _each(torch.from_numpy(rng.uniform(-loudest, loudest, samples).astype(np.float32)))
    colour = _each(loudest / 4 * _either_way(samples, rng)) * torch.linspace(-1, 1, side)[:, None]
    flutter = torch.from_numpy(rng.standard_normal((samples, 1, side, side), dtype=np.float32))
    return loudness + colour + 3 / _DECIBELS * flutter


def _recorded(noise: Pixels, samples: int, loudest: float, rng: np.random.Generator) -> Tensor:
    """Levels (N, 1, R, R) of recorded noise, from inaudible on; ``loudest`` is what its mean in time and bands may be.

    Powers of sounds that have nothing to do with each other add, so spectrograms are mixed as waveforms would be.
    """
    drawn = torch.from_numpy(noise[rng.integers(len(noise), size=samples)]).permute(0, 3, 1, 2).float()
    wanted = _each(torch.from_numpy(rng.uniform(-loudest, loudest, samples).astype(np.float32)))
    return drawn - drawn.mean(dim=(1, 2, 3), keepdim=True) + wanted


def _moved(
    x: Tensor, across: tuple[Tensor, Tensor], down: tuple[Tensor, Tensor], right: Tensor, below: Tensor
) -> Tensor:
    """Images whose point (u, v), both -1 ... 1, comes from (across . (u, v) + right, down . (u, v) + below).

    Values between pixels are interpolated; the border is repeated.
    """
    maps = torch.stack([torch.stack([*across, right], dim=1), torch.stack([*down, below], dim=1)], dim=1)
    grid = F.affine_grid(maps, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def _wiped(x: Tensor, hidden: NDArray[np.bool_]) -> Tensor:
    """Images with the mean of their channels wherever ``hidden`` (N, R, R) is."""
    return torch.where(torch.from_numpy(hidden)[:, None], x.mean(dim=(2, 3), keepdim=True), x)


def _either_way(samples: int, rng: np.random.Generator) -> Tensor:
    """From -1 to 1, (N,)."""
    return torch.from_numpy(rng.uniform(-1, 1, samples).astype(np.float32))


def _factors(share: float, changed: Tensor, rng: np.random.Generator) -> Tensor:
    """From 1 / (1 + ``share``) to 1 + ``share``, (N,), either side as likely; 1 where ``changed`` (N,) is 0."""
    return (math.log1p(share) * changed * _either_way(len(changed), rng)).exp()


def _pixels(share: float, side: int, samples: int, rng: np.random.Generator) -> Tensor:
    """Distances (N,) up to a ``share`` of the side, in halves of it: whole pixels, as what lies between them blurs."""
    reach = round(share * side)
    return torch.from_numpy((rng.integers(-reach, reach + 1, size=samples) * (2 / side)).astype(np.float32))


def _each(values: Tensor) -> Tensor:
    """(N,) -> (N, 1, 1, 1)."""
    return values[:, None, None, None]


def _stretches(width: NDArray[np.int64], side: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """A stretch of the side (N, R) for each picture, ``width`` (N,) pixels wide, anywhere."""
    start = rng.integers(side - width + 1)
    position = np.arange(side)
    inside: NDArray[np.bool_] = (position >= start[:, np.newaxis]) & (position < (start + width)[:, np.newaxis])
    return inside
