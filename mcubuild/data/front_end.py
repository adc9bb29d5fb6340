"""How a sound becomes a picture, in figures: what a device must do to feed a network that was trained on them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class FrontEnd:
    """Parameters of ``mcubuild.data.features``, which says what is computed with them."""

    features: Literal["log_mel", "mfcc"]
    sample_rate: int
    """Hz."""
    clip: int
    """Samples that are looked at."""
    window: int
    """Samples of a frame."""
    hop: int
    """Samples from one frame to the next."""
    fft: int
    """Points of the Fourier transform; a frame is padded with zeros."""
    side: int
    """Frames, and mel bands."""
    lowest: float
    """Hz, where the first mel band begins."""
    highest: float
    """Hz, where the last one ends."""
    low: tuple[float, ...]
    """Features that become pixel 0: one figure for all, or one for each cepstral coefficient."""
    high: tuple[float, ...]
    """Those that become pixel 255."""
