"""Small pipelines over mixed columns with nulls and texts, as a spec's steps make them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from pipelines.bundle.rows import feed_from_table, frame_from_feed, rows_from_table, schema_of
from pipelines.training.onnx.edges import edge_rows
from pipelines.training.onnx.export import compile_pipeline

NUMBERS = ["price", "weight", "count"]
WORDS = [
    "good",
    "bad",
    "café",
    "naïve",
    "film",
    "movie",
    "great",
    "awful",
    "not",
    "the",
    "a",
    "plot",
    "x1",
    "über",
    "straße",
]


def mixed_table(rows=300, seed=0):
    """Prices with nulls, whole numbers, a shop with nulls, and reviews of some words."""
    rng = np.random.default_rng(seed)
    price = np.where(rng.random(rows) < 0.1, np.nan, np.round(rng.normal(size=rows), 2))
    shops = [None if s == "c" else s for s in rng.choice(list("abcd"), rows)]
    return pa.table(
        {
            "price": pa.array(price, from_pandas=True),
            "weight": np.round(rng.normal(10, 3, rows), 1),
            "count": rng.integers(0, 30, rows),
            "shop": pa.array(shops),
            "review": [" ".join(rng.choice(WORDS, rng.integers(0, 8))) for _ in range(rows)],
        }
    )


def targets(table, task, seed=1):
    """Answers that depend on the price, the weight and a word."""
    rng = np.random.default_rng(seed)
    value = np.nan_to_num(table["price"].to_numpy()) + 0.1 * (table["weight"].to_numpy() - 10)
    value = value + np.array(["good" in t for t in table["review"].to_pylist()])
    value = value + rng.normal(0, 0.3, table.num_rows)
    if task == "regression":
        return np.exp(value)
    return (value > 0.5).astype(int) if task == "binary" else np.digitize(value, [0.0, 1.0])


def encoder(numbers=None, shop=None, review=None):
    """Numbers imputed and the shop as a code, unless another transformer is given."""
    parts = [
        ("numbers", numbers or SimpleImputer(strategy="median"), NUMBERS),
        ("shop", shop or ordinal(), ["shop"]),
    ]
    return ColumnTransformer([*parts, *([("review", review, "review")] if review else [])])


def ordinal():
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, dtype=np.float32)


def one_hot():
    return OneHotEncoder(handle_unknown="ignore", dtype=np.float32)


def scaled():
    return chain(SimpleImputer(strategy="median"), StandardScaler())


def chain(*steps):
    return Pipeline([(f"step{i}", step) for i, step in enumerate(steps)])


def fit(pipeline, task, table=None):
    """Return the fitted pipeline, its schema and the feed of all rows."""
    table = mixed_table() if table is None else table
    classes = ["0", "1", "2"] if task == "multiclass" else None
    schema = schema_of(table, table.column_names, task, classes)
    feed = feed_from_table(schema.columns, table)
    return pipeline.fit(frame_from_feed(feed), targets(table, task)), schema, feed


def compile_with_proof(pipeline, task, table=None):
    """Fit a pipeline on the table and compile it; a third of the rows is asked."""
    table = mixed_table() if table is None else table
    pipeline, schema, _ = fit(pipeline, task, table)
    whole, single = edge_rows(schema, rows_from_table(schema.columns, table))
    held_out = feed_from_table(schema.columns, table.slice(0, 100))
    return compile_pipeline(pipeline, schema, held_out, [*whole, *single])
