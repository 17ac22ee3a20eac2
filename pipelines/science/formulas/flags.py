"""The metrics of flagged rows that need no truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.formulas.kinds import OfSums

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipelines.science.formulas.kinds import Formula

    Array = NDArray[Any]


def flag_rate_error(percent: float) -> Formula:
    """Return how far the share of flagged rows is from so many per cent, as a share."""

    def value(flagged: Array, rows: Array) -> Array:
        return np.abs(flagged / rows - percent / 100)

    return OfSums(lambda _, label: (np.asarray(label, dtype=np.float64),), value, labels=True)


FAMILIES: dict[str, Callable[[float], Formula]] = {"flag_rate_error": flag_rate_error}
