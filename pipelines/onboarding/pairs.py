"""Pairs of columns that look alike: what tells whether the two were swapped."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.onboarding.ranges import breaks_ranges
from pipelines.science.margins import share_bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.onboarding.figures import ColumnFigures

MOST_COLUMNS = 40
TOLD_APART = 0.95
"""Share of the batches in which a swap must be seen by the columns' own quantiles."""


def pair_expectations(columns: Sequence[ColumnFigures]) -> list[dict[str, Any]]:
    """Return an expectation for each pair of numbers that a swap would leave unseen.

    That is where the quantiles of each would pass for the other's, and in most rows one is greater.
    """
    chosen = list(columns)[:MOST_COLUMNS]
    return [
        expectation
        for one, other in combinations(chosen, 2)
        if not _is_seen(one, other)
        for expectation in _order(one, other)
    ]


def _is_seen(one: ColumnFigures, other: ColumnFigures) -> bool:
    """Tell whether the ranges of the two columns see that they were swapped."""
    if one.is_whole != other.is_whole:
        return True  # whole numbers are held to their type
    caught = breaks_ranges(one, other) | breaks_ranges(other, one)
    return bool(caught.mean() >= TOLD_APART)


def _order(one: ColumnFigures, other: ColumnFigures) -> list[dict[str, Any]]:
    """Return the expectation that one is greater than the other, in as many rows as it was."""
    if len(one.parts) != len(other.parts):
        return []
    x, y = np.concatenate(one.arrays), np.concatenate(other.arrays)
    batch = np.repeat(np.arange(len(one.parts)), one.rows.astype(int))
    known = np.isfinite(x) & np.isfinite(y)
    counts = np.bincount(batch[known], minlength=len(one.parts))
    if not counts.all():
        return []
    for a, b, ahead, behind in (
        (one, other, x >= y, y >= x),
        (other, one, y >= x, x >= y),
    ):
        greater, swapped = (
            np.bincount(batch[known], part[known], len(one.parts)) / counts
            for part in (ahead, behind)
        )
        least, _ = share_bounds(greater, float(np.median(one.rows)))
        if least > 0.01 and swapped.max() < least:  # noqa: PLR2004
            return [
                {
                    "type": "expect_column_pair_values_a_to_be_greater_than_b",
                    "kwargs": {
                        "column_A": a.name,
                        "column_B": b.name,
                        "or_equal": True,
                        "mostly": round(least - 0.0005, 3),
                        "ignore_row_if": "either_value_is_missing",
                    },
                    "severity": "critical",
                }
            ]
    return []
