"""A candidate's predictions for the held-out rows.

`train` leaves them in the store, and `gate` reads them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.errors import Corrupted
from pipelines.refs import canonical
from pipelines.tables import from_parquet, to_parquet

if TYPE_CHECKING:
    from pipelines.refs import Ref
    from pipelines.spec import Spec
    from pipelines.store.port import Store

    Array = np.ndarray[Any, Any]

SCORE, DUMMY = "perennial_score", "perennial_dummy"
_CLASSES = b"classes"


@dataclass(frozen=True)
class Predictions:
    """`rows` hold key, event time and target; `score` and `dummy` are (n,) or (n, k).

    `classes` name the k columns.
    """

    rows: pa.Table
    score: Array
    dummy: Array
    classes: list[str] | None


def write(
    store: Store,
    spec: Spec,
    holdout: pa.Table,
    *,
    score: Array,
    dummy: Array,
    classes: list[str] | None,
) -> Ref:
    """Store the predictions as Parquet and return the reference."""
    table = _identity(holdout, spec)
    for name, values in ((SCORE, score), (DUMMY, dummy)):
        table = table.append_column(name, pa.array(list(values) if values.ndim > 1 else values))
    return store.put(
        to_parquet(table.replace_schema_metadata({_CLASSES: canonical(classes)})), ".parquet"
    )


def read(store: Store, spec: Spec, ref: Ref, holdout: pa.Table) -> Predictions:
    """Return the predictions.

    Raises Corrupted where they are not of exactly the rows of `holdout`.
    """
    table = from_parquet(store.get(ref))
    rows = table.drop_columns([SCORE, DUMMY]).replace_schema_metadata(None)
    if not rows.equals(_identity(holdout, spec)):
        raise Corrupted(
            f"The predictions in {ref.uri} are not of this run's held-out rows.",
            remedy="clear `train` and run again.",
        )
    classes = json.loads((table.schema.metadata or {}).get(_CLASSES, b"null"))
    return Predictions(
        rows=rows, score=_array(table[SCORE]), dummy=_array(table[DUMMY]), classes=classes
    )


def _identity(holdout: pa.Table, spec: Spec) -> pa.Table:
    times = [spec.event_time] if spec.event_time else []
    target = [spec.target.column] if spec.has_target else []
    return holdout.select(
        list(dict.fromkeys([*spec.key, *times, *target]))
    ).replace_schema_metadata(None)


def _array(column: pa.ChunkedArray) -> Array:
    values: Array = (
        np.array(column.to_pylist()) if pa.types.is_list(column.type) else column.to_numpy()
    )
    return values
