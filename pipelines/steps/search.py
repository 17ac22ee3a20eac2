"""Search a candidate's settings over folds in time; a candidate without a search is scored on the same folds."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import BadData, SpecError
from pipelines.science.metrics import better_by, score
from pipelines.spec import Range
from pipelines.steps.learn import ESTIMATOR, answers

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    import pandas as pd

    from pipelines.spec import Candidate, Spec

    Array = np.ndarray[Any, Any]
    Folds = list[tuple[Array, Array]]


@dataclass(frozen=True)
class Found:
    """What the search found: the estimator's parameters, its score in the metric's own unit, and every setting tried."""

    params: dict[str, Any]
    score: float | None
    spread: float | None
    """The standard deviation of the score over the folds."""
    tried: list[dict[str, Any]]
    """One row per setting: its parameters, `score`, `spread`, `seconds` (of one fit)."""


@dataclass(frozen=True)
class Drawn:
    """A distribution for RandomizedSearchCV over a `Range`: uniform or log-uniform, rounded where the parameter is a whole number."""

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


def search(pipeline: Any, candidate: Candidate, spec: Spec, *, inputs: pd.DataFrame, y: Array, folds: Folds, log: logging.Logger) -> Found:
    """Return the best setting by train.metric, meaned over the folds; the first of equals. Raises SpecError or BadData in words."""
    from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

    usable = _usable(folds, y, spec, log)
    space = _space(candidate, pipeline)
    options = {"scoring": _Scorer(spec, log, candidate.name), "cv": usable, "refit": False, "error_score": "raise"}
    grid = math.prod(len(v) if isinstance(v, list) else candidate.budget + 1 for v in space.values())
    if grid <= candidate.budget or not space:
        searcher = GridSearchCV(pipeline, space, **options)
    else:
        searcher = RandomizedSearchCV(pipeline, space, n_iter=candidate.budget, random_state=spec.train.seed, **options)
    fitted(searcher, inputs, y, candidate, log)
    return _found(searcher.cv_results_, candidate, spec)


def fitted(model: Any, inputs: pd.DataFrame, y: Array, candidate: Candidate, log: logging.Logger) -> Any:
    """Fit and return the model. Warnings go to the log, each once; raises SpecError for a bad value, BadData for unfit data."""
    from sklearn.utils._param_validation import InvalidParameterError

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(inputs, y)
        except InvalidParameterError as error:
            raise SpecError(f"candidates.{candidate.name}: {error}", remedy="mend `params` or `search`.") from error
        except (ValueError, TypeError, ArithmeticError) as error:
            raise BadData(f"{candidate.name} ({candidate.estimator}) could not be fitted: {error}") from error
    for message in dict.fromkeys(f"{w.category.__name__}: {str(w.message).splitlines()[0]}" for w in caught):
        log.warning("%s: %s", candidate.name, message)
    return model


class _Scorer:
    """The spec's metric as scikit-learn asks for it (greater is better), which also tells the log how far the search is."""

    def __init__(self, spec: Spec, log: logging.Logger, name: str) -> None:
        self._spec, self._log, self._name, self._count = spec, log, name, 0

    def __call__(self, model: Any, inputs: pd.DataFrame, y: Array) -> float:
        task, metric = self._spec.task, self._spec.train.metric
        classes = [""] * (int(max(y.max(), *model.classes_)) + 1) if task == "multiclass" else None
        value = score(metric, y, answers(model, inputs, task, classes))
        self._count += 1
        self._log.info("%s: fit %d on %d rows: %s %.4f", self._name, self._count, len(y), metric, value)
        return float(better_by(metric, value, 0.0))


def _usable(folds: Folds, y: Array, spec: Spec, log: logging.Logger) -> Folds:
    """Return the folds in which both sides hold more than one class (all of them for regression)."""
    if spec.task == "regression":
        return folds
    usable = [(a, b) for a, b in folds if min(len(np.unique(y[a])), len(np.unique(y[b]))) > 1]
    if not usable:
        raise BadData(f"In every fold {spec.target.column} has one value only.", remedy="widen train.window or lower train.folds.")
    if len(usable) < len(folds):
        log.warning("%d of %d folds hold one class only and are left out.", len(folds) - len(usable), len(folds))
    return usable


def _space(candidate: Candidate, pipeline: Any) -> dict[str, Any]:
    """Return the search space by the pipeline's parameter names.

    A `Range` is drawn in whole numbers where the estimator's default is one (max_iter), or is no number at all (max_depth:
    None) and both bounds are whole.
    """
    defaults = type(pipeline.named_steps[ESTIMATOR])().get_params()
    space: dict[str, Any] = {}
    for name, values in candidate.search.items():
        if isinstance(values, Range):
            default, bounds = defaults[name], (values.low, values.high)
            numeric = isinstance(default, int | float) and not isinstance(default, bool)
            whole = isinstance(default, int) if numeric else all(float(b).is_integer() for b in bounds)
            space[f"{ESTIMATOR}__{name}"] = Drawn(values.low, values.high, log=values.log, whole=whole)
        else:
            space[f"{ESTIMATOR}__{name}"] = list(values)
    return space


def _found(results: Mapping[str, Any], candidate: Candidate, spec: Spec) -> Found:
    """Return the best of `cv_results_`; a setting whose score is not finite never wins."""
    mean, spread = np.asarray(results["mean_test_score"]), np.asarray(results["std_test_score"])
    tried = []
    for i, setting in enumerate(results["params"]):
        plain = {name.removeprefix(f"{ESTIMATOR}__"): _plain(value) for name, value in setting.items()}
        value = float(better_by(spec.train.metric, mean[i], 0.0))
        tried.append({**plain, "score": value, "spread": float(spread[i]), "seconds": float(results["mean_fit_time"][i])})
    best = int(np.argmax(np.where(np.isfinite(mean), mean, -np.inf)))
    chosen = {**candidate.params, **{k: tried[best][k] for k in candidate.search}}
    if not np.isfinite(mean[best]):
        return Found(params=chosen, score=None, spread=None, tried=tried)
    return Found(params=chosen, score=tried[best]["score"], spread=tried[best]["spread"], tried=tried)


def _plain(value: Any) -> Any:
    """Return a NumPy scalar as Python's own."""
    return value.item() if isinstance(value, np.generic) else value
