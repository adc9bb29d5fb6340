"""How far to trust a share that was seen in some samples; no numpy, as the terminal shows it with nothing to build."""

from math import sqrt


def wilson(share: float, samples: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share 0 ... 1 seen in ``samples`` independent samples.

    E. B. Wilson: Probable inference, the law of succession, and statistical inference (1927).
    """
    center = share + z * z / (2 * samples)
    spread = z * sqrt(share * (1 - share) / samples + z * z / (4 * samples * samples))
    scale = 1 + z * z / samples
    return max(0.0, (center - spread) / scale), min(1.0, (center + spread) / scale)
