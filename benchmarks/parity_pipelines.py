"""The pipelines that `benchmarks.parity` asks, and the rows that they are fitted on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = ["price", "weight", "count"]
WORDS = ["good", "bad", "café", "naïve", "film", "great", "awful", "the", "a", "x1", "über"]
UNSEEN = ["", " ", "déjà-vu", "good,bad", "GOOD", "e", "電影 好", "good\u00a0film", "🙂 film", "!!"]


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

    def calibrate(method: str) -> Any:
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
        "calibrated, sigmoid": ("binary", lambda: chain(encoder(nulls), calibrate("sigmoid"))),
        "calibrated, isotonic": ("binary", lambda: chain(encoder(nulls), calibrate("isotonic"))),
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


def targets(table: pa.Table, task: str) -> Any:
    rng = np.random.default_rng(4)
    value = np.nan_to_num(table["price"].to_numpy()) + 0.1 * (table["weight"].to_numpy() - 10)
    value = value + np.array(["good" in t for t in table["review"].to_pylist()])
    value = value + rng.normal(0, 0.3, table.num_rows)
    if task == "regression":
        return np.exp(value)
    return (value > 0.5).astype(int) if task == "binary" else np.digitize(value, [0.0, 1.0])
