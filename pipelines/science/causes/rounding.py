"""Numbers that came in coarser steps than before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.causes.cause import Break
from pipelines.science.causes.seasons import how_far_season, same_season

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pipelines.science.causes.view import View

    Array = NDArray[Any]

_LEAST_DISTINCT = 15
"""A column of fewer values than this is too coarse for a coarser one to be seen."""
_LEFT = 0.5
"""Rounding leaves at most this part of the values that as many days of the past hold..."""
_DRAWS = 9
_SEASONAL = 0.3
"""Where the window's months differ from the reference's by this share of days, days of the
reference are drawn from those months."""
_OWN = 0.02
"""...in a range that holds at least this share of the reference."""


def find_rounding(view: View, seed: int) -> Iterator[Break]:
    """Give what shows that a column's values are rounded or cut off.

    As many whole days as the window has are drawn from the reference, within the window's range:
    they say how many distinct values are to be expected.
    """
    rng = np.random.default_rng(seed)
    count, past = view.blocks[0].count, view.blocks[1]
    # Some values are those of a season: a summer's clouds are of fewer kinds than a year's.
    seasonal = same_season(view) if how_far_season(view) > _SEASONAL else None
    days = np.unique(past.ids if seasonal is None else past.ids[seasonal])
    draws = [rng.choice(days, min(count, len(days)), replace=False) for _ in range(_DRAWS)]
    inside = [np.isin(past.ids, drawn) for drawn in draws]
    for name in view.numbers:
        values = view.window.columns[name]
        values = values[~np.isnan(values)]
        before = view.reference.columns[name]
        if len(values) < _LEAST_DISTINCT:
            continue
        distinct = np.unique(values)
        step = float(np.diff(distinct).min()) if len(distinct) > 1 else 0.0
        within = (before >= distinct[0] - step / 2) & (before <= distinct[-1] + step / 2)
        if step == 0 or within.mean() < _OWN:
            continue
        expected = np.median([_count(before[rows & within], len(values), rng) for rows in inside])
        steps = (distinct - distinct[0]) / step
        regular = float(np.abs(steps - np.round(steps)).max()) < 1e-3  # noqa: PLR2004 -- of a step
        if expected >= _LEAST_DISTINCT and len(distinct) < _LEFT * expected and regular:
            words = (
                f"{name}: the window holds {len(distinct):,} distinct values in steps of"
                f" {step:.4g}, and as many days of training hold {expected:,.0f} in the same range"
            )
            yield Break("rounded", [name], words, 1 - len(distinct) / float(expected))


def _count(values: Array, rows: int, rng: np.random.Generator) -> int:
    """Return how many distinct values so many rows hold at most."""
    if len(values) > rows:
        values = rng.choice(values, rows, replace=False)
    return len(np.unique(values))
