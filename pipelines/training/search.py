"""Search a candidate's settings over folds in time.

A candidate without a search is scored on the same folds.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import BadData
from pipelines.science.metrics import better_by, constant_threshold, score, why_undefined
from pipelines.spec import Range
from pipelines.training.estimators import ESTIMATOR, answers, constant
from pipelines.training.fitting import fit_pipeline, label_errors

if TYPE_CHECKING:
    import logging

    import pandas as pd

    from pipelines.spec import Candidate, Spec

    Array = np.ndarray[Any, Any]
    Folds = list[tuple[Array, Array]]


@dataclass(frozen=True)
class SearchResult:
    """What the search found.

    The estimator's parameters, its score in the metric's own unit, and every setting tried.
    """

    params: dict[str, Any]
    score: float | None
    spread: float | None
    """The standard deviation of the score over the folds."""
    settings: list[dict[str, Any]]
    """One row per setting: its parameters, `score`, `spread`, `seconds` (of one fit)."""
    fold_scores: list[list[float]] = field(default_factory=list)
    """The scores of each setting, fold by fold."""


@dataclass(frozen=True)
class Drawn:
    """A distribution for ParameterSampler over a `Range`.

    Uniform or log-uniform, rounded where the parameter is a whole number.
    """

    low: float
    high: float
    log: bool
    whole: bool

    def rvs(self, random_state: Any = None) -> float | int:
        """Draw one value."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        value = random_state.uniform(low, high)
        value = min(max(math.exp(value) if self.log else value, self.low), self.high)
        return round(value) if self.whole else float(value)


def search(
    pipeline: Any,
    candidate: Candidate,
    spec: Spec,
    *,
    inputs: pd.DataFrame,
    y: Array,
    folds: Folds,
    log: logging.Logger,
) -> SearchResult:
    """Return the best setting by train.metric, by its mean over the folds; the first of equals.

    Raises SpecError or BadData.
    """
    from sklearn.base import clone

    usable = usable_folds(folds, y, spec, log)
    settings, fold_scores, messages, count = [], [], set[str](), 0
    for setting in _settings(candidate, pipeline, spec.train.seed):
        values, seconds = [], []
        for train, test in usable:
            began = time.perf_counter()
            model = fit_pipeline(
                clone(pipeline).set_params(**setting),
                inputs.iloc[train],
                y[train],
                candidate,
                log,
                messages,
            )
            seconds.append(time.perf_counter() - began)
            with label_errors(candidate, "asked"):
                values.append(_score(model, inputs.iloc[test], y[test], spec))
            count += 1
            log.info(
                "%s: fit %d on %d rows: %s %.4f",
                candidate.name,
                count,
                len(train),
                spec.train.metric,
                values[-1],
            )
        plain = {
            name.removeprefix(f"{ESTIMATOR}__"): _plain(value) for name, value in setting.items()
        }
        settings.append(
            {
                **plain,
                "score": float(np.mean(values)),
                "spread": float(np.std(values)),
                "seconds": float(np.mean(seconds)),
            }
        )
        fold_scores.append([float(v) for v in values])
    return replace(_best(settings, candidate, spec), fold_scores=fold_scores)


def _settings(candidate: Candidate, pipeline: Any, seed: int) -> list[dict[str, Any]]:
    """Return every setting of the search space, by the pipeline's parameter names.

    Of a space with more than `budget` settings, `budget` are drawn.
    """
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    space = _space(candidate, pipeline)
    size = math.prod(
        len(v) if isinstance(v, list) else candidate.budget + 1 for v in space.values()
    )
    if size <= candidate.budget or not space:
        return list(ParameterGrid(space))
    return list(ParameterSampler(space, candidate.budget, random_state=seed))


def _score(model: Any, inputs: pd.DataFrame, y: Array, spec: Spec) -> float:
    """Return the spec's metric of the model's answers; NaN where it is not defined."""
    classes = [""] * (int(max(y.max(), *model.classes_)) + 1) if spec.task == "multiclass" else None
    return score(spec.train.metric, y, answers(model, inputs, spec.task, classes))


def usable_folds(folds: Folds, y: Array, spec: Spec, log: logging.Logger) -> Folds:
    """Return the folds that can be learnt from and judged on.

    The metric must be defined on the rows that judge: a constant's score is finite there.
    """
    classes = ["0"] * (int(y.max()) + 1) if spec.task == "multiclass" else None
    usable, why, limit = [], "", constant_threshold(spec.train.metric)
    for train, test in folds:
        guess = constant(y[train], spec.task, spec.train.metric, len(test), classes)
        many = [len(np.unique(y[rows])) > 1 for rows in (train, test)]
        undefined = why_undefined(spec.train.metric, y[test], guess, threshold=limit)
        why = why or undefined
        if many[0] and (many[1] or spec.task == "regression") and not undefined:
            usable.append((train, test))
    if not usable:
        raise BadData(
            f"In every fold {spec.target.column} has one value only, or {spec.train.metric} is not"
            f" defined{f' ({why})' if why else ''}.",
            remedy="widen train.window or lower train.folds.",
            at=("train", "folds"),
        )
    if len(usable) < len(folds):
        words = (
            f"hold one value of {spec.target.column} only, or leave {spec.train.metric} undefined"
        )
        words += f" ({why})" if why else ""
        log.warning(
            "%d of %d folds %s, and are left out.", len(folds) - len(usable), len(folds), words
        )
    return usable


def _space(candidate: Candidate, pipeline: Any) -> dict[str, Any]:
    """Return the search space by the pipeline's parameter names.

    A `Range` is drawn in whole numbers where the estimator's default is one (max_iter), or is no
    number at all (max_depth: None) and both bounds are whole.
    """
    defaults = type(pipeline.named_steps[ESTIMATOR])().get_params()
    space: dict[str, Any] = {}
    for name, values in candidate.search.items():
        if isinstance(values, Range):
            default, bounds = defaults[name], (values.low, values.high)
            numeric = isinstance(default, int | float) and not isinstance(default, bool)
            whole = (
                isinstance(default, int) if numeric else all(float(b).is_integer() for b in bounds)
            )
            space[f"{ESTIMATOR}__{name}"] = Drawn(
                values.low, values.high, log=values.log, whole=whole
            )
        else:
            space[f"{ESTIMATOR}__{name}"] = list(values)
    return space


def _best(settings: list[dict[str, Any]], candidate: Candidate, spec: Spec) -> SearchResult:
    """Return the best of what was tried, the first of equals.

    A setting whose score is not finite never wins.
    """
    gain = np.array([better_by(spec.train.metric, row["score"], 0.0) for row in settings])
    best = int(np.argmax(np.where(np.isfinite(gain), gain, -np.inf)))
    params = {**candidate.params, **{k: settings[best][k] for k in candidate.search}}
    if not np.isfinite(gain[best]):
        return SearchResult(params=params, score=None, spread=None, settings=settings)
    return SearchResult(
        params=params,
        score=settings[best]["score"],
        spread=settings[best]["spread"],
        settings=settings,
    )


def _plain(value: Any) -> Any:
    """Return a NumPy scalar as Python's own."""
    return value.item() if isinstance(value, np.generic) else value
