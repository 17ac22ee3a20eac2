"""How much one column alone says of a target: the skill of its groups, judged on other rows.

`skill` is 0 for a column that says nothing and 1 for one that says all. For classes it is the Gini
coefficient (2 AUC - 1) of one class against the rest, the classes weighted by their rows; for
numbers the R² of the target's ranks, so that a few great values decide nothing. The mean of a group
is always judged on rows that it was not made from.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipelines.science.ranking import Ranking, roc_auc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

FOLDS = 5
MOST_BINS, ROWS_PER_BIN = 128, 20
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?")
_PRIOR = 2.0
"""Rows of the overall mean that are added to each group, so that a small one does not shout."""


def ranks_of(target: pd.Series[Any], *, classes: bool) -> list[Array]:
    """Return what a skill is judged on: 0/1 for each class, or the ranks of a number, in [0, 1].

    Shape of each: (n,). Of two classes the one stands for the other.
    """
    if not classes:
        ranks: Array = target.rank(pct=True).to_numpy(dtype=float)
        return [ranks]
    codes, names = pd.factorize(target, sort=True)
    first = 0 if len(names) > 2 else len(names) - 1  # noqa: PLR2004 -- of two classes one
    chosen = range(first, len(names))
    return [(codes == k).astype(float) for k in chosen]


def folds_of(count: int, seed: int = 0) -> Array:
    """Return the fold of each of `count` rows, at random and always the same."""
    folds: Array = np.random.default_rng(seed).permutation(np.arange(count) % FOLDS)
    return folds


def skill_of_groups(groups: Array, outcomes: list[Array], folds: Array, *, classes: bool) -> float:
    """Return the skill of groups (n,), integers from 0, on outcomes of shape (n,) each."""
    scores, weights = [], []
    for y in outcomes:
        answers = _means_of_others(groups, y, folds)
        scores.append(gini(y, answers) if classes else r2(y, answers))
        weights.append(y.sum() if classes else 1.0)
    total = float(np.sum(weights))
    return float(np.dot(scores, weights) / total) if total else 0.0


def views_of(column: pd.Series[Any], event: pd.Series[Any] | None = None) -> dict[str, Array]:
    """Return the groups (n,) in which a column can be looked at, by what they are.

    The values; of texts also the numbers in them, their first word and their length; of times the
    distance from the event. Whether there is a value is a view where some are missing.
    """
    views: dict[str, Array] = {}
    missing = column.isna().to_numpy()
    if missing.any() and not missing.all():
        views["whether it is filled"] = missing.astype(int)
    if pd.api.types.is_datetime64_any_dtype(column):
        views["its time"] = _bins(column.astype("int64").where(~column.isna()).astype(float))
        if event is not None:
            distance = (column - event).dt.total_seconds()
            views["its distance from the event"] = _bins(distance)
    elif pd.api.types.is_numeric_dtype(column):
        views["its values"] = _bins(column.astype(float))
    else:
        views |= _text_views(column.astype("string"))
    return views


def best_view(
    column: pd.Series[Any],
    outcomes: list[Array],
    folds: Array,
    *,
    classes: bool,
    event: pd.Series[Any] | None = None,
) -> tuple[float, str]:
    """Return the greatest skill of a column's views, and which view has it."""
    scores = {
        name: skill_of_groups(groups, outcomes, folds, classes=classes)
        for name, groups in views_of(column, event).items()
    }
    if not scores:
        return 0.0, ""
    name = max(scores, key=lambda n: scores[n])
    return scores[name], name


def _text_views(texts: pd.Series[Any]) -> dict[str, Array]:
    views = {"its values": _codes(texts)}
    if texts.nunique() > len(texts) / ROWS_PER_BIN:
        words = texts.str.extract(r"^\W*(\w+)", expand=False)
        views["its first word"] = _codes(words.str.replace(r"\d+", "0", regex=True))
        views["its length"] = _bins(texts.str.len().astype(float))
        numbers = texts.str.extract(f"({_NUMBER.pattern})", expand=False).str.replace(",", ".")
        if numbers.notna().mean() > 0.5:  # noqa: PLR2004 -- most of them hold a number
            views["the number in it"] = _bins(pd.to_numeric(numbers, errors="coerce").astype(float))
    return views


def _codes(values: pd.Series[Any]) -> Array:
    codes: Array = pd.factorize(values)[0] + 1
    return codes


def _bins(values: pd.Series[Any]) -> Array:
    """Return quantile bins; a value that many rows share has a bin of its own, and null has one."""
    count = len(values)
    bins = int(np.clip(count / ROWS_PER_BIN, 2, MOST_BINS))
    groups: Array = np.zeros(count, dtype=int)
    there = np.isfinite(values.to_numpy())
    if not there.any():
        return groups
    known = values.to_numpy()[there]
    distinct = np.unique(known)
    if len(distinct) <= bins:
        groups[there] = np.searchsorted(distinct, known) + 1
        return groups
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]))
    # A value on an edge that repeats belongs to itself, not to the bin beside it.
    groups[there] = (
        1 + np.searchsorted(edges, known, "left") + np.searchsorted(edges, known, "right")
    )
    return groups


def _means_of_others(groups: Array, y: Array, folds: Array) -> Array:
    """Return for each row the mean of its group over the rows of the other folds."""
    size = int(groups.max()) + 1
    sums, counts = np.bincount(groups, y, size), np.bincount(groups, minlength=size)
    overall = float(y.mean())
    answers = np.empty(len(y))
    for fold in range(FOLDS):
        own = folds == fold
        other_sums = sums - np.bincount(groups[own], y[own], size)
        other_counts = counts - np.bincount(groups[own], minlength=size)
        means = (other_sums + _PRIOR * overall) / (other_counts + _PRIOR)
        answers[own] = means[groups[own]]
    return answers


def gini(y: Array, answers: Array) -> float:
    """Return 2 AUC - 1 of answers (n,) on outcomes 0 and 1 (n,), at least 0."""
    if y.min() == y.max():
        return 0.0
    return max(0.0, 2 * Ranking(y, answers).score(roc_auc) - 1)


def r2(y: Array, answers: Array) -> float:
    """Return the share of the spread of y (n,) that the answers (n,) say, at least 0."""
    spread = float(((y - y.mean()) ** 2).sum())
    return max(0.0, 1 - float(((y - answers) ** 2).sum()) / spread) if spread else 0.0
