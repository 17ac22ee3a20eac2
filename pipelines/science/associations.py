"""How far two columns go together, whatever their kinds: one measure from 0 (nothing) to 1.

- numbers with numbers: the absolute value of Spearman's rank correlation (Spearman 1904), with its
  sign kept apart;
- numbers with groups: the square root of eta² of the ranks, (H - k + 1) / (n - k) with H of
  Kruskal and Wallis (1952) and k groups (Tomczak and Tomczak 2014);
- groups with groups: Cramér's V with the correction of its bias by Bergsma (2013).

The last two are corrected so that columns that have nothing to do with each other stand near 0,
however many groups they have; below 0 they are 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

LEAST_ROWS = 20
"""Rows with both values below which nothing is said."""


@dataclass(frozen=True)
class Values:
    """A column of n rows as numbers: (n,) floats, NaN where a value is missing.

    `groups`: whether they are numbers of groups (0, 1, …) and their order means nothing.
    """

    numbers: Array
    groups: bool


def association(one: Values, other: Values) -> float | None:
    """Return how far the columns go together, -1 to 1; below 0 only for numbers with numbers.

    None where fewer than `LEAST_ROWS` rows have both values, or one of the columns is constant
    there.
    """
    both = ~(np.isnan(one.numbers) | np.isnan(other.numbers))
    if both.sum() < LEAST_ROWS:
        return None
    x, y = one.numbers[both], other.numbers[both]
    if (x == x[0]).all() or (y == y[0]).all():
        return None
    if one.groups and other.groups:
        return _cramer(x, y)
    if one.groups or other.groups:
        return _eta_of_ranks(*((y, x) if one.groups else (x, y)))
    return float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])


def _ranks(values: Array) -> Array:
    """Return the rank of each value, (n,), from 1; equal ones share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def _eta_of_ranks(numbers: Array, groups: Array) -> float | None:
    """Return the root of eta² of the ranks, by group."""
    ranks, (_, group) = _ranks(numbers), np.unique(groups, return_inverse=True)
    n, sizes = len(ranks), np.bincount(group)
    if n <= len(sizes):
        return None
    means = np.bincount(group, ranks) / sizes
    between = float((sizes * (means - ranks.mean()) ** 2).sum())
    h = (n - 1) * between / float(((ranks - ranks.mean()) ** 2).sum())
    return sqrt(min(1.0, max(0.0, (h - len(sizes) + 1) / (n - len(sizes)))))


def _cramer(one: Array, other: Array) -> float:
    """Return Cramér's V, corrected."""
    (_, rows), (_, columns) = (np.unique(v, return_inverse=True) for v in (one, other))
    r, k, n = int(rows.max()) + 1, int(columns.max()) + 1, len(rows)
    observed = np.bincount(rows * k + columns, minlength=r * k).reshape(r, k)
    expected = np.outer(observed.sum(1), observed.sum(0)) / n
    phi2 = float(((observed - expected) ** 2 / expected).sum()) / n
    phi2 = max(0.0, phi2 - (k - 1) * (r - 1) / (n - 1))
    least = min(k - (k - 1) ** 2 / (n - 1), r - (r - 1) ** 2 / (n - 1)) - 1
    return min(1.0, sqrt(phi2 / least)) if least > 0 else 0.0


def matrix(columns: list[Values]) -> list[list[float | None]]:
    """Return the associations of all pairs, (k, k), symmetric; 1 on the diagonal."""
    table: list[list[float | None]] = [[1.0] * len(columns) for _ in columns]
    for i, one in enumerate(columns):
        for j in range(i):
            table[i][j] = table[j][i] = association(one, columns[j])
    return table
