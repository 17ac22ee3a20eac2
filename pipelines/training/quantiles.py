"""Quantiles: an estimator for each level, and rows on which what was learnt is corrected.

A model whose coverage is promised learns from some rows and is corrected on others that it has not
seen, the whole pipeline with it: its encoders have not seen them either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.quantile_fits import QuantileFits
from pipelines.data.sides import groups_of
from pipelines.errors import BadData
from pipelines.levels import level_name
from pipelines.science.conformal import conformal_shifts
from pipelines.spec.quantile_problems import LEARNS_QUANTILES
from pipelines.training.parameters import ESTIMATOR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    import pyarrow as pa

    from pipelines.spec import Candidate, Spec

    Array = np.ndarray[Any, Any]

_AT = ("quantiles", "conformal")
UNWEIGHTED = (
    "train.sample_weight counts in the fits, and not in the correction of quantiles: coverage is"
    " promised for rows, each of which counts once"
)
"""What is said where rows have weights and a coverage is promised."""


def fits_of_levels(candidate: Candidate, estimator: Any, levels: Sequence[float]) -> QuantileFits:
    """Return the unfitted estimator of the levels around an estimator of one value."""
    learns = LEARNS_QUANTILES.get(candidate.estimator)
    if learns is None:
        return QuantileFits(estimator, tuple(levels))
    return QuantileFits(estimator.set_params(**learns.fixed), tuple(levels), learns.name)


def correction_groups(rows: pa.Table, spec: Spec) -> Array | None:
    """Return the groups (n,) that must not be torn apart between learning and correcting.

    None where each row is for itself, or nothing is corrected.
    """
    if not (spec.quantiles and spec.quantiles.conformal and spec.train.group):
        return None
    return groups_of(rows, spec)


def fit_corrected(
    fit: Callable[[Array], Any],
    inputs: pd.DataFrame,
    y: Array,
    candidate: Candidate,
    groups: Array | None,
) -> Any:
    """Return the pipeline that `fit` fits on some of the positions, its levels corrected on others.

    `groups` (n,) stay on one side each. Raises BadData where too few rows are left to correct on.
    """
    learn, correct = split_rows(candidate, len(y), groups)
    own = None if groups is None else groups[correct]
    _refuse_too_few(candidate, correct, own)
    model = fit(learn)
    with np.errstate(over="ignore", invalid="ignore"):
        scores = y[correct][:, None] - np.asarray(model.predict(inputs.iloc[correct]))
    if not np.isfinite(scores).all():
        raise BadData(
            f"{candidate.name} answers with numbers that are not finite, so its levels cannot be"
            " corrected.",
            remedy="mend `params`, or choose another estimator.",
            at=("candidates", candidate.name),
        )
    levels = candidate.quantiles.levels if candidate.quantiles else ()
    model.named_steps[ESTIMATOR].correct(conformal_shifts(scores, levels, own))
    return model


def split_rows(candidate: Candidate, rows: int, groups: Array | None) -> tuple[Array, Array]:
    """Return the positions to learn from and to correct on.

    The latest rows correct; where the rows have no time, whole groups by chance do, the same for
    the same rows.
    """
    share = candidate.conformal.share if candidate.conformal else 0.0
    if candidate.in_time:
        cut = rows - round(rows * share)
        return np.arange(cut), np.arange(cut, rows)
    units = np.arange(rows) if groups is None else groups
    names = np.unique(units)
    drawn = np.random.default_rng(0).permutation(names)[: round(len(names) * share)]
    correct = np.isin(units, drawn)
    return np.flatnonzero(~correct), np.flatnonzero(correct)


def refuse_too_few(candidate: Candidate, rows: int, groups: Array | None) -> None:
    """Raise BadData where a fit on so many rows leaves too few to correct on; not where nothing is
    corrected.
    """
    if candidate.conformal is not None:
        _, correct = split_rows(candidate, rows, groups)
        _refuse_too_few(candidate, correct, None if groups is None else groups[correct])


def _refuse_too_few(candidate: Candidate, correct: Array, groups: Array | None) -> None:
    """Raise BadData where rows, or groups of them, cannot hold what the levels promise."""
    quantiles = candidate.quantiles
    count = len(correct) if groups is None else len(np.unique(groups))
    if quantiles is None or count >= quantiles.least_rows:
        return
    unit = "rows" if groups is None else "groups"
    outermost = min(quantiles.levels, key=lambda level: min(level, 1 - level))
    raise BadData(
        f"quantiles.conformal: {count} {unit} are left to correct on, and the level"
        f" {level_name(outermost)} cannot be promised from fewer than {quantiles.least_rows}.",
        remedy="widen train.window, raise conformal.share, lower train.folds, or take levels that"
        " are nearer to the median.",
        at=_AT,
    )
