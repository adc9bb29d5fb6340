"""How far to trust a share that was seen in some samples; no numpy, as the terminal shows it with nothing to build."""

from math import sqrt

from mcubuild.report.amounts import amount


def wilson(share: float, samples: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share 0 ... 1 seen in ``samples`` independent samples.

    E. B. Wilson: Probable inference, the law of succession, and statistical inference (1927).
    """
    center = share + z * z / (2 * samples)
    spread = z * sqrt(share * (1 - share) / samples + z * z / (4 * samples * samples))
    scale = 1 + z * z / samples
    return max(0.0, (center - spread) / scale), min(1.0, (center + spread) / scale)


def with_interval(share: float, samples: int) -> str:
    """Such as ``83.33 % (79.1 to 86.8, 95 %)``."""
    return f"{amount(share, 'share')} ({ends(share, samples)}, 95 %)"


def ends(share: float, samples: int) -> str:
    """Of the interval, in percent: ``79.1 to 86.8``."""
    low, high = wilson(share, samples)
    return f"{100 * low:.1f} to {100 * high:.1f}"
