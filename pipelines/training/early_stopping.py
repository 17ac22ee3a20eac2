"""How many rounds a boosting is given, found on a part of its training rows.

The newest share of the rows (of a snapshot, some drawn by the seed) is held back; the boosting
learns from the others until more rounds do not help there any more. The number is then a parameter
as others are: the final fit has as many rounds and all rows. It is not scaled by the rows that were
held back: a tenth more rows rarely needs more rounds, and never many.

The estimators' own early stopping draws the rows by chance, and would see what comes later.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.spec.search import rounds_of
from pipelines.training.fitting import fit_pipeline

if TYPE_CHECKING:
    import logging

    import pandas as pd

    from pipelines.spec import Candidate

    Array = np.ndarray[Any, Any]

LEAST_HELD = 10
"""With fewer rows held back the number of rounds would be chance: all are run."""


def fit_and_stop(
    model: Any,
    inputs: pd.DataFrame,
    y: Array,
    candidate: Candidate,
    log: logging.Logger,
    messages: set[str] | None = None,
    *,
    weights: Array | None = None,
    seed: int | None,
) -> tuple[Any, int | None]:
    """Fit the pipeline until rounds do not help any more; return it and how many did.

    `seed` draws the rows that are held back; None where rows are in order of time and the newest
    are. None rounds where nothing could be held back: then all rows were learnt from, and all
    rounds run. Raises what `fit_pipeline` raises.
    """
    learn, held = _held_back(y, candidate, seed)
    if not len(held):
        log.warning("%s: too few rows to hold any back: no early stopping", candidate.name)
        return fit_pipeline(model, inputs, y, candidate, log, messages, weights=weights), None
    found: list[int] = []

    def fit(pipeline: Any, x: pd.DataFrame, target: Array, named: dict[str, Array]) -> None:
        estimator = pipeline[-1]
        if rounds_of(type(estimator).__name__) is None:  # the constant that stands in its place
            pipeline.fit(x, target)
            return
        encoded = pipeline[:-1].fit_transform(x, target)
        judged = pipeline[:-1].transform(inputs.iloc[held])
        rounds = candidate.early_stopping.rounds if candidate.early_stopping else 0
        held_back = (judged, y[held])
        found.append(_fit(estimator, (encoded, target), held_back, rounds, named))

    own = None if weights is None else weights[learn]
    model = fit_pipeline(
        model, inputs.iloc[learn], y[learn], candidate, log, messages, weights=own, fit=fit
    )
    return model, max(found[0], 1) if found else None


def _held_back(y: Array, candidate: Candidate, seed: int | None) -> tuple[Array, Array]:
    """Return the positions to learn from and to hold back; none of the latter where too few.

    Rows of a class that is not among those learnt from cannot judge, and are left out.
    """
    share = candidate.early_stopping.share if candidate.early_stopping else 0.0
    count = int(len(y) * share)
    order = np.arange(len(y)) if seed is None else np.random.default_rng(seed).permutation(len(y))
    learn, held = np.sort(order[: len(y) - count]), np.sort(order[len(y) - count :])
    if "Classifier" in candidate.estimator:
        held = held[np.isin(y[held], np.unique(y[learn]))]
        learnt, judged = np.unique(y[learn]), np.unique(y[held])
        if len(judged) < 2 or len(learnt) < len(np.unique(y)):  # noqa: PLR2004 -- two classes
            held = held[:0]
    return learn, held if len(held) >= LEAST_HELD else held[:0]


def _fit(
    estimator: Any,
    learnt: tuple[Any, Array],
    held: tuple[Any, Array],
    patience: int,
    named: dict[str, Array],
) -> int:
    """Fit one estimator and return after how many rounds it was best.

    `learnt` and `held` are encoded inputs and targets; `named` may hold the rows' weights.
    """
    (x, y), (judged, truth) = learnt, held
    name = type(estimator).__name__
    if name.startswith("HistGradientBoosting"):
        estimator.set_params(early_stopping=True, n_iter_no_change=patience, scoring="loss")
        estimator.fit(x, y, X_val=judged, y_val=truth, **named)
        return int(np.argmax(estimator.validation_score_))
    if name.startswith("XGB"):
        estimator.set_params(early_stopping_rounds=patience)
        estimator.fit(x, y, eval_set=[held], verbose=False, **named)
        return int(estimator.best_iteration) + 1
    if name.startswith("LGBM"):
        from lightgbm import early_stopping

        estimator.fit(
            x,
            y,
            eval_X=judged,
            eval_y=truth,
            callbacks=[early_stopping(patience, verbose=False)],
            **named,
        )
        return int(estimator.best_iteration_)
    return _grow(estimator, learnt, held, patience, named)


def _grow(
    estimator: Any,
    learnt: tuple[Any, Array],
    held: tuple[Any, Array],
    patience: int,
    named: dict[str, Array],
) -> int:
    """Fit a GradientBoosting, `patience` rounds at a time: it has no rows to judge of its own."""
    (x, y), (judged, truth) = learnt, held
    most, count = estimator.n_estimators, 0
    best, best_count = np.inf, 0
    estimator.set_params(warm_start=True, n_iter_no_change=None)
    while count < most and count - best_count <= patience:
        before, count = count, min(count + patience, most)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            estimator.set_params(n_estimators=count).fit(x, y, **named)
        for rounds, answers in enumerate(_stages(estimator, judged), start=1):
            if rounds > before and (loss := _loss(truth, answers, estimator)) < best:
                best, best_count = loss, rounds
    estimator.set_params(warm_start=False)
    return best_count


def _stages(estimator: Any, x: Any) -> Any:
    classify = hasattr(estimator, "staged_predict_proba")
    return estimator.staged_predict_proba(x) if classify else estimator.staged_predict(x)


def _loss(y: Array, answers: Array, estimator: Any) -> float:
    """Return the log loss of probabilities (n, k), or the mean squared error of values (n,)."""
    if answers.ndim == 1:
        return float(np.mean((y - answers) ** 2))
    place = np.searchsorted(estimator.classes_, y)
    return float(-np.mean(np.log(np.clip(answers[np.arange(len(y)), place], 1e-15, 1))))
