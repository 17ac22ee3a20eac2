"""The fit itself, with what an estimator needs that scikit-learn's pipeline does not hand it.

Folds for calibration and stacks, constraints by input, classes that these rows lack, rows held back
for early stopping, weights of rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import SpecError
from pipelines.training.adapting import pipelines_of
from pipelines.training.folds import LaterRows
from pipelines.training.parameters import ENCODER, ESTIMATOR, MONOTONE, core_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from pipelines.spec import Candidate

    Array = np.ndarray[Any, Any]
    Fit = Callable[[Any, pd.DataFrame, Array, dict[str, Array]], None]
    """Fits a pipeline in place, on inputs and targets; the last may hold `sample_weight`."""

STACK_FOLDS = 5
HELD_BACK = 0.1
"""The share of the rows, the last ones, on which rounds of boosting are stopped early."""


def fit_adapted(
    model: Any,
    inputs: pd.DataFrame,
    y: Array,
    candidate: Candidate,
    weights: Array | None,
    fit: Fit | None = None,
) -> Any:
    """Return the fitted pipeline, a plain one; `fit` is how, where it is not by its own method.

    Raises SpecError where it cannot take weights.
    """
    if not _asks_for_target(model):
        y = np.zeros(len(y))
    if candidate.onnx:
        return model.fit(inputs, y)  # nothing is learnt, and no row has a weight
    if candidate.fenced:
        own = {} if weights is None else {f"{ESTIMATOR}__sample_weight": weights}
        return model.fit(inputs, y, **own)
    for pipeline, part in pipelines_of(model, candidate):
        _place_constraints(pipeline, inputs, y, part)
    _set_folds(model, candidate)
    if weights is not None:
        _refuse_weights(model, candidate)
    draws = any(hasattr(step, "fit_resample") for _, step in model.steps)
    lacking = _lacking_classes(model, y)
    if len(lacking) and not draws and not candidate.part_names:
        # Rows of no weight, since XGBoost wants each class up to the last one to have a row.
        weights = np.ones(len(y)) if weights is None else weights
        inputs = inputs.iloc[[*range(len(y)), *([0] * len(lacking))]]
        y = np.concatenate([y, lacking])
        weights = np.concatenate([weights, np.zeros(len(lacking))])
    named = {} if weights is None else {"sample_weight": weights}
    if fit is not None:
        fit(model, inputs, y, named)
    elif _stops_early(model) and not draws:
        _fit_with_held_back(model, inputs, y, named)
    else:
        model.fit(inputs, y, **{f"{ESTIMATOR}__{name}": value for name, value in named.items()})
    _forget_folds(model, candidate)
    return _without_sampler(model) if draws else model


def _asks_for_target(model: Any) -> bool:
    """Tell whether the last estimator learns from a target; one that does not is shown zeros."""
    from sklearn.utils import get_tags

    last = model.named_steps[ESTIMATOR]
    if not hasattr(last, "score_samples") or hasattr(last, "predict_proba"):
        return True
    try:
        return bool(get_tags(last).target_tags.required)
    except (AttributeError, TypeError):  # an estimator without tags says nothing of itself
        return True


def _set_folds(model: Any, candidate: Candidate) -> None:
    """Give calibrations and stacks their folds.

    A calibration learns from earlier rows and corrects on later ones. A stack needs each row judged
    once: by blocks of neighbours in time. Of a snapshot, both by chance.
    """
    from sklearn.base import is_classifier
    from sklearn.model_selection import KFold, StratifiedKFold

    for pipeline, part in pipelines_of(model, candidate):
        estimator = pipeline.named_steps[ESTIMATOR]
        if core_of(estimator) is not estimator:
            chance = StratifiedKFold(STACK_FOLDS, shuffle=True, random_state=0)
            estimator.set_params(cv=LaterRows() if part.in_time else chance)
    if candidate.stack:
        whole = model.named_steps[ESTIMATOR]
        chance_of = StratifiedKFold if is_classifier(whole) else KFold
        by_chance = chance_of(STACK_FOLDS, shuffle=True, random_state=0)
        whole.set_params(cv=KFold(STACK_FOLDS) if candidate.in_time else by_chance)


def _forget_folds(model: Any, candidate: Candidate) -> None:
    """Take the folds out of what is kept: they were of this fit."""
    whole = model.named_steps[ESTIMATOR]
    parts = []
    if candidate.part_names:
        parts = [*(part for _, part in whole.estimators), *whole.estimators_]
    ends = [whole, *(part.named_steps[ESTIMATOR] for part in parts)]
    for estimator in ends:
        if type(estimator).__name__.startswith(("CalibratedClassifierCV", "Stacking")):
            estimator.cv = None


def _without_sampler(model: Any) -> Any:
    from sklearn.pipeline import Pipeline

    return Pipeline([step for step in model.steps if not hasattr(step[1], "fit_resample")])


def _refuse_weights(model: Any, candidate: Candidate) -> None:
    from sklearn.utils.validation import has_fit_parameter

    why = ""
    if candidate.part_names:
        why = "a stack or a vote cannot hand weights to its candidates"
    elif any(hasattr(step, "fit_resample") for _, step in model.steps):
        why = "resample draws rows, which then have no weights"
    elif not has_fit_parameter(core_of(model.named_steps[ESTIMATOR]), "sample_weight"):
        why = f"{candidate.estimator} takes no weights of rows"
    if why:
        raise SpecError(
            f"candidates.{candidate.name}: {why}.",
            remedy="remove this candidate, or train.sample_weight.",
            at=("candidates", candidate.name, "estimator"),
        )


def _lacking_classes(model: Any, y: Array) -> Array:
    """Return the classes below the greatest that have no row, where the library minds."""
    core = core_of(model.named_steps[ESTIMATOR])
    if not type(core).__module__.startswith("xgboost.") or not hasattr(core, "predict_proba"):
        return np.empty(0, dtype=np.int64)
    return np.setdiff1d(np.arange(int(y.max()) + 1), y)


def _stops_early(model: Any) -> bool:
    """Tell whether the estimator stops early on rows that its fit must be given."""
    estimator = model.named_steps[ESTIMATOR]
    names = ("early_stopping_rounds", "early_stopping_round")
    library = type(estimator).__module__.startswith(("xgboost.", "lightgbm."))
    return library and any(estimator.get_params().get(name) for name in names)


def _fit_with_held_back(
    model: Any, inputs: pd.DataFrame, y: Array, named: dict[str, Array]
) -> None:
    """Fit with the last rows held back, on which the rounds are stopped."""
    cut = len(y) - max(int(len(y) * HELD_BACK), 1)
    columns = model[:-1].fit_transform(inputs, y)
    own = {name: value[:cut] for name, value in named.items()}
    model.named_steps[ESTIMATOR].fit(
        columns[:cut], y[:cut], eval_set=[(columns[cut:], y[cut:])], **own
    )


def _place_constraints(pipeline: Any, inputs: pd.DataFrame, y: Array, candidate: Candidate) -> None:
    """Turn constraints by input into those by encoded column, as the estimator wants them."""
    core = core_of(pipeline.named_steps[ESTIMATOR])
    found = {
        name: value
        for name, value in core.get_params().items()
        if name in MONOTONE and isinstance(value, dict)
    }
    if not found:
        return
    from sklearn.base import clone

    ((name, wanted),) = found.items()
    columns = [str(c) for c in clone(pipeline[:-1]).fit(inputs, y).get_feature_names_out()]
    used = {
        c
        for _, _, names in pipeline.named_steps[ENCODER].transformers
        for c in ([names] if isinstance(names, str) else names)
    }
    signs = [0] * len(columns)
    for column, sign in wanted.items():
        places = [i for i, c in enumerate(columns) if c.split("__", 1)[-1] == column]
        if column in inputs.columns and column not in used:
            continue  # it tells nothing in these rows
        if len(places) != 1 or sign not in {-1, 0, 1}:
            why = f"{column!r} is not one number that reaches the estimator"
            why = why if len(places) != 1 else f"{column!r}: {sign!r} is none of -1, 0 and 1"
            part = "params" if set(MONOTONE) & set(candidate.params) else "search"
            raise SpecError(
                f"candidates.{candidate.name}: {name}: {why}.",
                remedy="name inputs that hold numbers, each with 1 or -1.",
                at=("candidates", candidate.name, part, name),
            )
        signs[places[0]] = int(sign)
    as_text = type(core).__module__.startswith(("xgboost.", "catboost."))
    core.set_params(**{name: f"({','.join(map(str, signs))})" if as_text else signs})
