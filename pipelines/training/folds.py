"""The folds over which settings are searched."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.data import labelled_rows
from pipelines.data.sides import groups_of
from pipelines.errors import BadData
from pipelines.science.metrics import why_undefined
from pipelines.science.own_metrics import Measures
from pipelines.science.refits import row_folds
from pipelines.science.splits import time_folds
from pipelines.tasks import answers_scores, classifies, learns_named_classes, learns_nothing
from pipelines.training.estimators import constant
from pipelines.training.scoring import constants_threshold

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

    import pyarrow as pa

    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]
    Folds = list[tuple[Array, Array]]


CALIBRATE = 0.2
"""The share of the rows, the latest ones, on which probabilities are corrected."""


class LaterRows:
    """One fold: the earlier rows to learn from, the later ones to correct on.

    A splitter as scikit-learn takes it, of rows in the order of time.
    """

    def get_n_splits(self, *_: Any) -> int:
        """Return how many folds there are."""
        return 1

    def split(self, rows: Any, *_: Any) -> Iterator[tuple[Array, Array]]:
        """Yield the positions of both sides."""
        count = rows.shape[0]
        cut = count - max(int(count * CALIBRATE), 1)
        yield np.arange(cut), np.arange(cut, count)


def search_folds(spec: Spec, rows: pa.Table, y: Array) -> Folds:
    """Return (train, test) positions over the rows to learn from, whose targets are y (n,).

    In time; of a snapshot, which has none, by chance, cut anew `train.repeats` times. Raises
    BadData where there are too few rows.
    """
    if not spec.is_snapshot:
        times = labelled_rows.times(rows, spec)
        wait = timedelta() if learns_nothing(spec.task) else spec.target.known_after
        return time_folds(times, spec.train.folds, wait + spec.horizon)
    groups = groups_of(rows, spec) if spec.train.group else None
    classify = classifies(spec.task)
    return [
        fold
        for repeat in range(spec.train.repeats)
        for fold in row_folds(
            y, groups, spec.train.folds, classify=classify, seed=spec.train.seed + repeat
        )
    ]


def usable_folds(
    folds: Folds, y: Array, spec: Spec, log: logging.Logger, measures: Measures | None = None
) -> Folds:
    """Return the folds that can be learnt from and judged on; what is left out is named.

    The metric must be defined on the rows that judge: a constant's score is finite there;
    `measures` are the model's own metrics of these rows. Raises BadData where no fold is left.
    """
    measures = measures or Measures(levels=spec.levels, of_scores=answers_scores(spec.task))
    why = {
        number: _why_unusable(fold, y, spec, measures) for number, fold in enumerate(folds, start=1)
    }
    usable = [fold for number, fold in enumerate(folds, start=1) if not why[number]]
    left_out = "; ".join(f"fold {number} {reason}" for number, reason in why.items() if reason)
    if not usable:
        lacks = "" if learns_nothing(spec.task) else f"{spec.target.column} has one value only, or "
        raise BadData(
            f"In every fold {lacks}{spec.train.metric} is not defined: {left_out}.",
            remedy="widen train.window or lower train.folds.",
            at=("train", "folds"),
        )
    if left_out:
        count = f"{len(folds) - len(usable)} of {len(folds)} folds"
        log.warning("%s are left out: %s.", count, left_out)
    return usable


def _why_unusable(fold: tuple[Array, Array], y: Array, spec: Spec, measures: Measures) -> str:
    """Return why nothing can be learnt from a fold, or judged on it; empty where it can."""
    train, test = fold
    column, name = spec.target.column, spec.train.metric
    learnt, judged = (len(np.unique(y[rows])) for rows in (train, test))
    if learnt < 2 and not learns_nothing(spec.task):  # noqa: PLR2004 -- one value teaches nothing
        return f"learns from one value of {column} only ({len(train):,} rows)"
    if judged < 2 and classifies(spec.task):  # noqa: PLR2004
        return f"judges on one value of {column} only ({len(test):,} rows)"
    classes = ["0"] * (int(y.max()) + 1) if learns_named_classes(spec.task) else None
    guess = constant(y[train], spec.task, spec.metric_named(name), len(test), classes, spec.levels)
    metric = measures.on(name, test)
    limit = constants_threshold(metric, y[test], guess, spec)
    why = why_undefined(metric, y[test], guess, threshold=limit)
    return f"leaves {name} undefined ({why})" if why else ""
