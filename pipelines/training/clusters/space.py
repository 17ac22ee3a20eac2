"""The space in which clusterings are judged: the same for every candidate, champion and window.

A candidate may encode its inputs as it likes, and would look good in a space of its own choice. So
distances are taken between the inputs themselves, encoded in one way: numbers by their distance
from the mean in standard deviations of the rows that are looked at, null as the median; texts by a
column for each of the most frequent ones. Personal inputs are left out: a watch does not see them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.rows import frame_from_table, schema_of
from pipelines.science.cluster_metrics import of_space
from pipelines.science.own_metrics import Measures
from pipelines.spec.metrics import metrics_for
from pipelines.training.answers import give_types

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]

TEXTS = 30
"""Columns that an input of texts has at most; the rarest texts share one."""


def common_space(rows: pa.Table, spec: Spec) -> Array:
    """Return the rows (n, m) as points between which distances are taken."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    names = [c for c in spec.inputs if c not in spec.features.personal]
    names = [c for c in names if c in rows.column_names]
    if not names or not rows.num_rows:
        return np.zeros((rows.num_rows, 1))
    typed = give_types(rows.select(names), names)
    schema = schema_of(typed.slice(0, 1), names, spec.task, None)
    texts = [c.name for c in schema.columns if c.kind == "string"]
    numbers = [name for name in names if name not in texts]
    number = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("scale", StandardScaler()),
        ]
    )
    text = OneHotEncoder(handle_unknown="ignore", max_categories=TEXTS, sparse_output=False)
    parts = [("numbers", number, numbers), ("texts", text, texts)]
    encoder = ColumnTransformer([part for part in parts if part[2]], sparse_threshold=0)
    points = encoder.fit_transform(frame_from_table(schema.columns, typed))
    return np.asarray(points, dtype=np.float64)


def measure_clusters(rows: pa.Table, spec: Spec) -> Measures:
    """Return what clusterings of these rows are scored by."""
    space = common_space(rows, spec)
    return Measures(of_space(metrics_for(spec.task), space, spec.train.seed))
