"""Whether forecasts lie above or below the truth on the whole: the mean residual and its error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.pieces import LEAST_TO_COMPARE, pieces_of_times

if TYPE_CHECKING:
    from pipelines.science.pieces import Span

    Array = np.ndarray[Any, Any]

_TWO_SIDED_90 = 0.95


@dataclass(frozen=True)
class Bias:
    """The mean of truth less forecast, and half of its interval of 90 %, in the target's unit.

    `half` is None where there are too few days to tell.
    """

    mean: float
    half: float | None
    rows: int

    @property
    def in_words(self) -> str:
        """The residual as a sentence of a drift report."""
        side = "below" if self.mean > 0 else "above"
        most = f" ± {self.half:.4g} (90 %)" if self.half is not None else ""
        words = f"the forecasts lie {abs(self.mean):.4g}{most} {side} the truth on the mean of"
        clear = self.half is not None and abs(self.mean) > self.half
        return f"{words} {self.rows:,} labelled rows" + (
            ": more than chance explains" if clear else ""
        )


def bias_of(truth: Array, forecasts: Array, event_times: Array, span: Span = "day") -> Bias | None:
    """Return the mean residual of rows (n,); None without rows.

    Residuals of one day are alike, so their days vary, not their rows: the error is that of a ratio
    of sums over blocks (Cochran 1977, "Sampling Techniques", section 6.3).
    """
    from scipy.special import stdtrit

    residuals = np.asarray(truth, dtype=np.float64) - np.asarray(forecasts, dtype=np.float64)
    if not len(residuals):
        return None
    block = pieces_of_times(event_times, span).of_row
    rows = np.bincount(block)
    sums = np.bincount(block, weights=residuals)
    mean, count = float(residuals.mean()), len(rows)
    if count < LEAST_TO_COMPARE:
        return Bias(mean, None, len(residuals))
    spread = ((sums - mean * rows) ** 2).sum() * count / (count - 1)
    reach = float(stdtrit(count - 1, _TWO_SIDED_90) * np.sqrt(spread))
    return Bias(mean, reach / len(residuals), len(residuals))
