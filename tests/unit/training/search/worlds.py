"""Small searches over seeded rows, in order of time."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.bundle.rows import schema_of
from pipelines.spec import Spec, parse_spec
from pipelines.training import estimators
from pipelines.training.search import Ground, SearchResult, search
from tests.unit.steps.learning import spec_of_candidate

LOG = logging.getLogger("perennial.tests")
ROWS = 240
LINEAR = "estimator: sklearn.linear_model.LogisticRegression"
C = "C: {low: 0.0001, high: 100, log: true}"


def spec_with(line: str, **train: Any) -> Spec:
    """A spec whose one candidate has these fields."""
    spec = parse_spec(spec_of_candidate(line).encode(), "model.yaml")
    return spec.model_copy(update={"train": spec.train.model_copy(update=train)})


def rows(count: int = ROWS) -> tuple[pd.DataFrame, np.ndarray]:
    """Inputs and a target that two of five tell of."""
    rng = np.random.default_rng(11)
    values = rng.normal(size=(count, 5)).astype(np.float32)
    y = (values[:, 0] + 0.6 * values[:, 1] + rng.normal(0, 1, count) > 0).astype(np.int64)
    return pd.DataFrame(values, columns=[f"x{i}" for i in range(5)]), y


def folds(count: int, number: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    """Expanding windows."""
    edges = np.linspace(0, count, number + 2).astype(int)
    return [(np.arange(edges[i]), np.arange(edges[i], edges[i + 1])) for i in range(1, number + 1)]


def ground_of(spec: Spec, inputs: pd.DataFrame, y: Any, cuts: Any = (), log: Any = LOG) -> Ground:
    """What trials of the spec's last candidate stand on."""
    candidate = spec.candidates[-1]
    schema = schema_of(pa.Table.from_pandas(inputs), list(inputs.columns), "binary", None)
    pipeline = estimators.build_pipeline(candidate, schema, spec.train.seed, candidate.params)
    return Ground(pipeline, candidate, spec, inputs, y, list(cuts), log, schema)


def searched(line: str, *, number: int = 3, folder: Any = None, log: Any = LOG) -> SearchResult:
    """The result of a search over small rows."""
    spec = spec_with(line)
    inputs, y = rows()
    return search(ground_of(spec, inputs, y, folds(len(y), number), log), folder=folder)
