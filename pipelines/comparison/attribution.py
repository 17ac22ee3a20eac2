"""What each input adds to an answer, exactly, where the estimator allows it.

Linear models: coefficient times the distance from the mean row, which is Shapley's value where
inputs are taken as independent (Lundberg & Lee 2017, "A Unified Approach to Interpreting Model
Predictions", NeurIPS, corollary 1). XGBoost and LightGBM: their own TreeSHAP (Lundberg et al. 2020,
"From local explanations to global understanding with explainable AI for trees", Nature Machine
Intelligence 2). Attributions must add up to the answer on every row, else they are not shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    Array = np.ndarray[Any, Any]

TOLERANCE = 1e-3
"""By how much a sum may be off, as a share of the answers' spread; float32 rounds."""
_INNER, _LAST = slice(None, -1), -1


@dataclass(frozen=True)
class Attribution:
    """What inputs add to the margin (before it becomes a probability): `amounts` (n, inputs).

    Of several classes they are those of the class with the greatest probability in each row.
    `off` is the greatest distance of a sum from the answer.
    """

    inputs: list[str]
    amounts: Array
    method: str
    off: float


@dataclass(frozen=True)
class NoAttribution:
    """Why there is none, in words."""

    why: str


def attribute(pipeline: Any, rows: pd.DataFrame) -> Attribution | NoAttribution:
    """Return what each input adds to the answers for these rows, proven to add up."""
    estimator, encoder = _parts(pipeline)
    if hasattr(estimator, "process"):
        return NoAttribution(
            "the pipeline is code of the model's own, so what belongs to which input cannot be"
            " told; the losses by shuffling tell what it looks at"
        )
    name = type(estimator).__name__
    if encoder is None:
        return NoAttribution(
            "the pipeline is not an encoder and an estimator, so no input can be told"
        )
    encoded = encoder.transform(rows)
    places = _input_of(encoder, encoded.shape[1])
    if places is None:
        return NoAttribution("the encoder mixes inputs, so what belongs to which cannot be told")
    found = _of_columns(estimator, encoded)
    if found is None:
        return NoAttribution(
            f"{name} has no exact attribution here; the losses by shuffling tell what it looks at"
        )
    columns, base, margin, method = found
    off = _difference(columns, base, margin)
    if off > TOLERANCE:
        return NoAttribution(
            f"the attributions of {name} do not add up to its answers (off by {off:.2g} of their"
            " spread), so they are not shown"
        )
    inputs = list(dict.fromkeys(places))
    values = _most_probable(columns, margin)
    summed = np.zeros((len(values), len(inputs)))
    for i, owner in enumerate(places):
        summed[:, inputs.index(owner)] += values[:, i]
    return Attribution(inputs, summed, method, off)


def _parts(pipeline: Any) -> tuple[Any, Any]:
    """Return the estimator, and what stands before it where that is one ColumnTransformer."""
    from sklearn.compose import ColumnTransformer

    steps = getattr(pipeline, "steps", [])
    if len(steps) == 2 and isinstance(steps[0][1], ColumnTransformer):  # noqa: PLR2004
        return steps[1][1], steps[0][1]
    return (steps[-1][1] if steps else pipeline), None


def _input_of(encoder: Any, width: int) -> list[str] | None:
    """Return the input that each encoded column comes from; None where one cannot be told."""
    places: list[str | None] = [None] * width
    for name, transformer, columns in encoder.transformers_:
        span = encoder.output_indices_.get(name)
        if span is None or span.start == span.stop:
            continue
        owners = _owners(transformer, [str(c) for c in columns], span.stop - span.start)
        if owners is None:
            return None
        places[span] = owners
    return None if any(p is None for p in places) else [str(p) for p in places]


def _owners(transformer: Any, columns: list[str], width: int) -> list[str] | None:
    groups = getattr(transformer, "categories_", None)
    if groups is not None and width == sum(map(len, groups)) and len(groups) == len(columns):
        return [c for c, group in zip(columns, groups, strict=True) for _ in group]
    steps = transformer.steps if hasattr(transformer, "steps") else [("", transformer)]
    single = all(_keeps_columns(step) for _, step in steps)
    return columns if single and width == len(columns) else None


def _keeps_columns(transformer: Any) -> bool:
    """Tell whether each column comes out as one, at its place, made of itself alone."""
    kept = {"SimpleImputer", "StandardScaler", "RobustScaler", "MinMaxScaler", "MaxAbsScaler",
            "OrdinalEncoder", "FunctionTransformer", "str"}  # fmt: skip
    return transformer == "passthrough" or type(transformer).__name__ in kept


def _of_columns(estimator: Any, encoded: Any) -> tuple[Array, Array, Array, str] | None:
    """Return the attributions (n, k, columns), the base (n, k) or (k,), the margin (n, k)."""
    module = type(estimator).__module__.split(".")[0]
    if module == "lightgbm":
        return _of_lightgbm(estimator, encoded)
    if module == "xgboost":
        return _of_xgboost(estimator, encoded)
    if module == "sklearn" and hasattr(estimator, "coef_"):
        return _of_linear(estimator, encoded)
    return None


def _of_linear(estimator: Any, encoded: Any) -> tuple[Array, Array, Array, str] | None:
    dense = np.asarray(encoded.todense() if hasattr(encoded, "todense") else encoded, np.float64)
    coefficients = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
    if coefficients.shape[1] != dense.shape[1]:
        return None
    middle = dense.mean(axis=0)
    values = (dense - middle)[:, None, :] * coefficients[None, :, :]
    base = np.atleast_1d(estimator.intercept_) + coefficients @ middle
    decide = getattr(estimator, "decision_function", None) or estimator.predict
    margin = np.asarray(decide(encoded), dtype=np.float64)
    return values, base, margin.reshape(len(dense), -1), "linear, exact for inputs taken one by one"


def _of_lightgbm(estimator: Any, encoded: Any) -> tuple[Array, Array, Array, str]:
    booster = estimator.booster_
    values = np.asarray(booster.predict(encoded, pred_contrib=True), dtype=np.float64)
    margin = np.asarray(booster.predict(encoded, raw_score=True), dtype=np.float64)
    margin = margin.reshape(len(values), -1)
    values = values.reshape(len(values), margin.shape[1], -1)
    return values[..., _INNER], values[..., _LAST], margin, "TreeSHAP of LightGBM, exact"


def _of_xgboost(estimator: Any, encoded: Any) -> tuple[Array, Array, Array, str] | None:
    import xgboost

    if estimator.get_xgb_params().get("booster") == "gblinear":
        return None
    booster, matrix = estimator.get_booster(), xgboost.DMatrix(encoded, missing=np.nan)
    end = getattr(estimator, "best_iteration", None) if estimator.early_stopping_rounds else None
    reach = (0, 0 if end is None else end + 1)
    values = np.asarray(booster.predict(matrix, pred_contribs=True, iteration_range=reach), float)
    margin = np.asarray(booster.predict(matrix, output_margin=True, iteration_range=reach), float)
    margin = margin.reshape(len(values), -1)
    values = values.reshape(len(values), margin.shape[1], -1)
    return values[..., _INNER], values[..., _LAST], margin, "TreeSHAP of XGBoost, exact"


def _difference(columns: Array, base: Array, margin: Array) -> float:
    """Return the greatest distance of a sum from its answer, as a share of the answers' spread."""
    if margin.shape != columns.shape[:2]:
        return float("inf")
    off = np.abs(columns.sum(axis=2) + base - margin).max(initial=0.0)
    return float(off / max(float(margin.std()), 1e-9))


def _most_probable(columns: Array, margin: Array) -> Array:
    """Return (n, columns): of several classes, those of the one with the greatest margin."""
    best = margin.argmax(axis=1) if margin.shape[1] > 1 else np.zeros(len(margin), dtype=int)
    return np.asarray(columns[np.arange(len(columns)), best])
