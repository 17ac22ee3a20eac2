"""Rows cut into parts by their time, before each of which a recipe is fitted again.

Source: Tashman (2000), "Out-of-sample tests of forecasting accuracy: an analysis and review",
International Journal of Forecasting 16 (the rolling origin, fitted again each time).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.pieces import pieces_of_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.pieces import Span

    Array = NDArray[Any]

MOST_PARTS = 8
"""Each part but the first costs a fit more."""


def parts_of(times: Array, span: Span) -> Array:
    """Return the part (n,) of each row with these event times (n,), 0..parts-1 in their order.

    A part holds whole days, or whole `span`s, about equally many; there are at most eight parts.
    """
    return pieces_of_times(times, span).join(MOST_PARTS).of_row


def origins_of(times: Array, parts: Array) -> Array:
    """Return when each part begins (parts,): the time of its first row."""
    return np.array([times[parts == part].min() for part in range(int(parts.max()) + 1)])
