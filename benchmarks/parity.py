"""How far what is served lies from what was fitted, on rows that no proof has asked.

`python -m benchmarks.parity` from the checkout.

Each pipeline is fitted, stored and compiled as `package` does it. Then its packaged form is asked
5,000 new rows: drawn anew with nulls and unseen texts, extremes, and the neighbours of its trees'
thresholds with other values beside them than the proof's. Probabilities are compared absolutely,
values relatively (see `training.onnx.answers.difference`).
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.bundle.predictor import NativePredictor, OnnxPredictor
from pipelines.bundle.rows import (
    feed_from_rows,
    feed_from_table,
    frame_from_feed,
    rows_from_table,
    schema_of,
)
from pipelines.training.onnx.answers import difference, native_answers
from pipelines.training.onnx.edges import edge_rows
from pipelines.training.onnx.export import compile_pipeline
from pipelines.training.onnx.thresholds import build_rows
from pipelines.training.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.bundle.rows import Feed
    from pipelines.bundle.schema import InputSchema

ROWS, ASKED = 4_000, 5_000
COMPILED, NATIVE = 1e-5, 0.0
NUMBERS = ["price", "weight", "count"]
WORDS = ["good", "bad", "café", "naïve", "film", "great", "awful", "the", "a", "x1", "über"]
UNSEEN = ["", " ", "déjà-vu", "good,bad", "GOOD", "e", "電影 好", "good\u00a0film", "🙂 film", "!!"]


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something is not as asked."""
    tiny = is_tiny(__doc__, argv)
    rows, asked = (300, 200) if tiny else (ROWS, ASKED)
    measures: list[Measure] = []
    with limit_threads(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, (task, make) in pipelines(trees=5 if tiny else 60).items():
            measures += measure(name, task, make(), rows, asked)
    show("Parity", measures)
    if tiny:
        return 0
    write("parity", measures)
    failed = [m for m in measures if m["asked"] and m["value"] > float(m["asked"].split()[1])]
    return int(bool(failed))


def pipelines(trees: int) -> dict[str, tuple[str, Callable[[], Any]]]:
    """Return the pipelines by name, each with its task."""
    import lightgbm
    import xgboost
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        RandomForestClassifier,
        StackingClassifier,
    )
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    quiet = {"n_estimators": trees, "verbose": -1, "n_jobs": 1}
    few = {"n_estimators": trees, "n_jobs": 1}
    boosted = {"max_iter": trees, "early_stopping": False}

    def forest() -> Any:
        return RandomForestClassifier(random_state=0, **few)

    def linear() -> Any:
        return LogisticRegression(max_iter=500)

    def stack() -> Any:
        parts = [("trees", chain(encoder(), forest())), ("words", chain(texts(), linear()))]
        return StackingClassifier(parts, cv=3)

    def texts() -> Any:
        return encoder(scale=True, words=TfidfVectorizer(ngram_range=(1, 2)))

    def calibrated(method: str) -> Any:
        of = HistGradientBoostingClassifier(**boosted)
        return CalibratedClassifierCV(of, method=method, cv=3)

    nulls = "passthrough"
    return {
        "linear, TF-IDF": ("binary", lambda: chain(texts(), linear())),
        "linear, TF-IDF, classes": ("multiclass", lambda: chain(texts(), linear())),
        "random forest": ("binary", lambda: chain(encoder(), forest())),
        "hist. gradient boosting": (
            "regression",
            lambda: chain(encoder(nulls), HistGradientBoostingRegressor(**boosted)),
        ),
        "XGBoost": ("binary", lambda: chain(encoder(nulls), xgboost.XGBClassifier(**few))),
        "XGBoost, values": (
            "regression",
            lambda: chain(encoder(nulls), xgboost.XGBRegressor(**few)),
        ),
        "LightGBM": ("multiclass", lambda: chain(encoder(nulls), lightgbm.LGBMClassifier(**quiet))),
        "LightGBM, values": (
            "regression",
            lambda: chain(encoder(nulls), lightgbm.LGBMRegressor(**quiet)),
        ),
        "stack of forest and TF-IDF": ("binary", lambda: chain(stack())),
        "calibrated, sigmoid": ("binary", lambda: chain(encoder(nulls), calibrated("sigmoid"))),
        "calibrated, isotonic": ("binary", lambda: chain(encoder(nulls), calibrated("isotonic"))),
        "neighbours": ("binary", lambda: chain(encoder(scale=True), KNeighborsClassifier())),
    }


def encoder(numbers: Any = None, *, scale: bool = False, words: Any = None) -> Any:
    """Return a ColumnTransformer as the spec's steps make it."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    impute = SimpleImputer(strategy="median")
    shop: Any = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, dtype=np.float32
    )
    if scale:
        numbers = chain(impute, StandardScaler())
        shop = OneHotEncoder(handle_unknown="ignore", dtype=np.float32)
    parts = [("numbers", numbers or impute, NUMBERS), ("shop", shop, ["shop"])]
    return ColumnTransformer([*parts, *([("review", words, "review")] if words else [])])


def chain(*steps: Any) -> Any:
    """Return a pipeline of the steps."""
    from sklearn.pipeline import Pipeline

    return Pipeline([(f"step{i}", step) for i, step in enumerate(steps)])


def draw(rows: int, seed: int, *, unseen: bool = False) -> pa.Table:
    """Return prices with nulls, numbers, shops with nulls and reviews; perhaps of unseen texts."""
    rng = np.random.default_rng(seed)
    price = np.where(rng.random(rows) < 0.1, np.nan, np.round(rng.normal(size=rows), 2))
    shops = rng.choice(["a", "b", "d", *(UNSEEN if unseen else [])], rows)
    words = [*WORDS, *(UNSEEN if unseen else [])]
    return pa.table(
        {
            "price": pa.array(price, from_pandas=True),
            "weight": np.round(rng.normal(10, 3, rows), 1),
            "count": rng.integers(0, 30, rows),
            "shop": pa.array(
                [None if gap else s for s, gap in zip(shops, rng.random(rows) < 0.1, strict=True)]
            ),
            "review": [" ".join(rng.choice(words, rng.integers(0, 12))) for _ in range(rows)],
        }
    )


def measure(name: str, task: str, pipeline: Any, rows: int, asked: int) -> list[Measure]:
    """Fit, package and ask one pipeline; return the greatest difference, and of how many rows."""
    from skops import io

    table = draw(rows, 0)
    schema = schema_of(
        table, table.column_names, task, ["0", "1", "2"] if task == "multiclass" else None
    )  # type: ignore[arg-type]
    feed = feed_from_table(schema.columns, table)
    pipeline.fit(frame_from_feed(feed), _targets(table, task))
    whole, single = edge_rows(schema, rows_from_table(schema.columns, table))
    held_out = feed_from_table(schema.columns, draw(rows // 4, 1))
    found = compile_pipeline(pipeline, schema, held_out, [*whole, *single])
    served = (
        OnnxPredictor(schema, found.model)
        if found.model
        else NativePredictor(schema, io.dumps(pipeline))
    )
    questions = _questions(pipeline, schema, asked)
    fitted, answers = native_answers(pipeline, schema, questions), served.predict_feed(questions)
    worst = difference(fitted, answers, task)
    how, limit = ("compiled", COMPILED) if found.model else ("native", NATIVE)
    count = len(questions["price"])
    return [
        {
            "measure": f"{name} ({task}), {how}, {count:,} rows: greatest difference",
            "value": float(f"{worst:.3g}"),
            "unit": "relative" if task == "regression" else "probability",
            "asked": f"<= {limit:g}",
        }
    ]


def _questions(pipeline: Any, schema: InputSchema, asked: int) -> Feed:
    """Return as many rows as are asked, a third of them at thresholds where there are any."""
    new = draw(asked, 2, unseen=True)
    drawn = feed_from_table(schema.columns, new)
    whole, single = edge_rows(schema, rows_from_table(schema.columns, new))
    at = [f for f in build_rows(pipeline, schema, drawn) if len(f["price"])]
    parts = [feed_from_rows(schema.columns, [*whole, *single]), *at]
    rng = np.random.default_rng(3)
    special = {c.name: np.concatenate([p[c.name] for p in parts]) for c in schema.columns}
    count = min(len(special["price"]), asked // 3)
    picks = rng.choice(len(special["price"]), count, replace=False)
    return {n: np.concatenate([special[n][picks], drawn[n][: asked - count]]) for n in special}


def _targets(table: pa.Table, task: str) -> Any:
    rng = np.random.default_rng(4)
    value = np.nan_to_num(table["price"].to_numpy()) + 0.1 * (table["weight"].to_numpy() - 10)
    value = value + np.array(["good" in t for t in table["review"].to_pylist()])
    value = value + rng.normal(0, 0.3, table.num_rows)
    if task == "regression":
        return np.exp(value)
    return (value > 0.5).astype(int) if task == "binary" else np.digitize(value, [0.0, 1.0])


if __name__ == "__main__":
    sys.exit(main())
