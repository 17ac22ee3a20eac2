"""From a candidate of the spec to a scikit-learn pipeline: encoding, estimator, targets, answers.

Numbers are imputed with the median unless the estimator is HistGradientBoosting, the one whose
treatment of NaN survives compilation (skl2onnx 1.20 compiles forests and trees that learnt from NaN
silently wrong, and indicator columns not at all).
"""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.bundle.rows import frame_from_table
from pipelines.errors import SpecError
from pipelines.spec.metrics import find_metric

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from pipelines.bundle.schema import InputSchema
    from pipelines.spec import Candidate
    from pipelines.spec.metric import Metric

Array = np.ndarray[Any, Any]

ENCODER, ESTIMATOR = "encode", "estimator"
"""The pipeline's two steps."""

_TAKES_NAN = ("HistGradientBoosting", "Dummy")
_TAKES_SPARSE = ("LogisticRegression",)
_UNSCALED = ("sklearn.ensemble.", "sklearn.tree.", "sklearn.dummy.")
"""Trees gain nothing from scaling, and compiled scaling rounds another way.

Values would fall on the other side of a split.
"""


def estimator_class(candidate: Candidate) -> Any:
    """Return the estimator's class; the catalogue has vouched for the path."""
    module, name = candidate.estimator.rsplit(".", 1)
    return getattr(importlib.import_module(module), name)


def check_parameters(candidate: Candidate) -> None:
    """Raise SpecError naming the parameters that the estimator does not have.

    The closest ones that it has are named as well.
    """
    names = sorted(estimator_class(candidate)().get_params())
    places = [(name, "params") for name in candidate.params]
    for name, part in [*places, *((name, "search") for name in candidate.search)]:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise SpecError(
                f"candidates.{candidate.name}: {candidate.estimator} has no parameter {name!r}.",
                remedy=f"{hint}It has {', '.join(names)}.",
                at=("candidates", candidate.name, part, name),
            )


def takes_null(candidate: Candidate) -> bool:
    """Tell whether the estimator is given null as it is, and may learn from it.

    For all others it is imputed.
    """
    return candidate.estimator.rsplit(".", 1)[-1].startswith(_TAKES_NAN)


def build_pipeline(
    candidate: Candidate, schema: InputSchema, seed: int, params: Mapping[str, Any]
) -> Any:
    """Return the unfitted pipeline.

    Columns encoded by kind, then the estimator with these parameters and the spec's seed.
    """
    from sklearn.pipeline import Pipeline

    check_parameters(candidate)
    estimator = estimator_class(candidate)()
    arguments = dict(params)
    if "random_state" in estimator.get_params():
        arguments.setdefault("random_state", seed)
    return Pipeline(
        [(ENCODER, _encoder(candidate, schema)), (ESTIMATOR, estimator.set_params(**arguments))]
    )


def _encoder(candidate: Candidate, schema: InputSchema) -> Any:
    """Return the ColumnTransformer: everything float32, as compiled models compute."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    texts = [c.name for c in schema.columns if c.kind == "string"]
    numbers = [c.name for c in schema.columns if c.kind != "string"]
    leaf = candidate.estimator.rsplit(".", 1)[-1]
    impute = SimpleImputer(strategy="median", keep_empty_features=True)
    sparse = leaf.startswith(_TAKES_SPARSE)
    number: Any = "passthrough" if takes_null(candidate) else impute
    if candidate.encoding == "onehot":
        number = (
            number
            if candidate.estimator.startswith(_UNSCALED)
            else Pipeline([("impute", impute), ("scale", StandardScaler())])
        )
        text: Any = OneHotEncoder(handle_unknown="ignore", dtype=np.float32, sparse_output=sparse)
    else:
        text = OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, dtype=np.float32
        )
    columns = [("numbers", number, numbers), ("texts", text, texts)]
    return ColumnTransformer([c for c in columns if c[2]], sparse_threshold=0.3 if sparse else 0)


def give_types(table: pa.Table, inputs: list[str], like: pa.Table | None = None) -> pa.Table:
    """Give a type to the inputs of null's own type, which have no value in any batch.

    That of `like`, or a number's.
    """
    for name in (n for n in inputs if pa.types.is_null(table.schema.field(n).type)):
        kind = like.schema.field(name).type if like is not None else pa.null()
        column = table[name].cast(pa.float64() if pa.types.is_null(kind) else kind)
        table = table.set_column(table.column_names.index(name), name, column)
    return table


def frame(schema: InputSchema, table: pa.Table) -> pd.DataFrame:
    """Return the inputs as a model is fed them.

    Float32 numbers, and text with "" for null (see `bundle.rows`).
    """
    return frame_from_table(schema.columns, table)


def answers(pipeline: Any, inputs: pd.DataFrame, task: str, classes: list[str] | None) -> Array:
    """Return the predictions: (n,) probability of 1 or value, or (n, k) by class.

    A class never learnt has probability 0.
    """
    with np.errstate(
        over="ignore", invalid="ignore", divide="ignore"
    ):  # what is not finite is refused by the metrics
        if task == "regression":
            return np.asarray(pipeline.predict(inputs), dtype=np.float64)
        probabilities = np.asarray(pipeline.predict_proba(inputs), dtype=np.float64)
    width = len(classes) if classes else 2
    wide = np.zeros((len(probabilities), width))
    wide[:, np.asarray(pipeline.classes_, dtype=np.int64)] = probabilities
    return wide if task == "multiclass" else wide[:, 1]


def constant(y: Array, task: str, metric: str, rows: int, classes: list[str] | None) -> Array:
    """Return what the best constant learnt from `y` would predict for `rows` rows.

    Shares, or the value that is best by the metric, such as the mean, or for mae the median.
    """
    if task == "multiclass":
        shares = np.bincount(y[y >= 0], minlength=len(classes or [])) / max(len(y), 1)
        return np.tile(shares, (rows, 1))
    return np.full(rows, _best_value(np.asarray(y, dtype=np.float64), find_metric(metric)))


def _best_value(y: Array, metric: Metric) -> float:
    """Return the constant that is best on `y` (n,) by a metric."""
    if metric.constant == "median":
        return float(np.median(y))
    if metric.constant == "quantile" and metric.number is not None:
        return float(np.quantile(y, metric.number))
    if metric.constant == "log_mean" and (y > -1).all():
        return float(np.expm1(np.mean(np.log1p(y))))
    if metric.constant == "relative_median" and (y != 0).all():
        order = np.argsort(y)
        heavy = np.cumsum(1 / np.abs(y[order]))
        return float(y[order][np.searchsorted(heavy, heavy[-1] / 2)])
    return float(np.mean(y))
