"""Bounds for the figures of batches that are still to come, from those of the batches that are
there.

A figure (a quantile, a share, a count) has one value in each batch. What comes later may lie as far
beyond what was seen as the seen values lie apart: batches follow seasons and trends, and a dozen of
them hold few. For figures above zero the same is said in factors, where that is narrower. This is
no interval of confidence; benchmarks/suites.py measures how often a quiet batch falls out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

MANY = 12
"""Batches from which the seen range is taken as it is; of fewer it is widened."""
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
NOISE = 6.0
"""Standard errors, roughly, that are always allowed."""


def bounds_of(figures: Array, *, spread: float = 0.0, rows: float = 1.0) -> tuple[float, float]:
    """Return the least and the greatest figure to expect, from those of the batches (b,).

    `spread` is how far values lie apart within a batch of `rows` rows: what chance alone moves.
    """
    known = figures[np.isfinite(figures)]
    if not len(known):
        return float("-inf"), float("inf")
    low, high = float(known.min()), float(known.max())
    times = max(1.0, MANY / len(known)) if len(known) > 1 else 1.0
    noise = NOISE * spread / np.sqrt(max(rows, 1.0))
    if len(known) == 1:
        noise += 0.5 * max(spread, abs(low))
    margin = times * (high - low) + noise
    least, greatest = low - margin, high + margin
    if low > 0:
        least = max(least, low * (low / high) ** times - noise)
    if high < 0:
        greatest = min(greatest, high * (high / low) ** times + noise)
    return float(least), float(greatest)


def share_bounds(shares: Array, rows: float) -> tuple[float, float]:
    """Return bounds, within [0, 1], for a share of the rows of a batch."""
    known = shares[np.isfinite(shares)]
    if not len(known):
        return 0.0, 1.0
    middle = float(np.median(known))
    low, high = bounds_of(known, spread=float(np.sqrt(middle * (1 - middle))) + 0.02, rows=rows)
    return max(0.0, low), min(1.0, high)


def novelty(batches: list[set[str]], counts: list[dict[str, int]]) -> float:
    """Return the greatest share of a batch's rows with values that no earlier batch had.

    Of the later half of the batches: the first ones have to bring something new. 1 for a single
    batch.
    """
    if len(batches) < 2:  # noqa: PLR2004
        return 1.0
    seen: set[str] = set()
    shares = []
    for place, (values, count) in enumerate(zip(batches, counts, strict=True)):
        total = sum(count.values())
        if place >= len(batches) // 2 and total:
            shares.append(sum(n for v, n in count.items() if v not in seen) / total)
        seen |= values
    return max(shares, default=1.0)


def outward(low: float, high: float, digits: int = 4) -> tuple[float, float]:
    """Return bounds with few digits, never narrower than they were."""
    return _round(low, digits, np.floor), _round(high, digits, np.ceil)


def _round(value: float, digits: int, toward: Any) -> float:
    if value == 0 or not np.isfinite(value):
        return value
    exponent = int(np.floor(np.log10(abs(value)))) - digits + 1
    scale = 10.0**exponent
    return float(f"{toward(value / scale) * scale:.{digits + 2}g}")
