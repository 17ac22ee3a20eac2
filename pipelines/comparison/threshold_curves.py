"""What becomes of precision, recall, F1 and accuracy as the threshold moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

STEPS = 99


def threshold_curves(y: Array, p: Array) -> tuple[Array, dict[str, Array]]:
    """Return the thresholds (t,) and each metric at them (t,), NaN where it is not defined.

    A row counts as positive where its probability p (n,) lies above the threshold; y (n,) is 0
    or 1.
    """
    at = np.linspace(0.01, 0.99, STEPS)
    order = np.sort(p[y == 1]), np.sort(p[y == 0])
    hits, false = (len(side) - np.searchsorted(side, at, side="right") for side in order)
    positives, negatives = len(order[0]), len(order[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        return at, {
            "precision": np.where(hits + false > 0, hits / (hits + false), np.nan),
            "recall": hits / positives if positives else np.full(STEPS, np.nan),
            "F1": 2 * hits / (hits + false + positives),
            "accuracy": (hits + negatives - false) / max(positives + negatives, 1),
        }
