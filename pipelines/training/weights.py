"""How much each row counts, where the spec names a column that says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.errors import BadData
from pipelines.plurals import how_many

if TYPE_CHECKING:
    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]


def weights_of(rows: pa.Table, spec: Spec) -> Array | None:
    """Return the weights (n,) as float64, or None where all rows count alike.

    Raises BadData for weights that are missing, negative, no numbers, or zero all together.
    """
    name = spec.train.sample_weight
    if name is None:
        return None
    column = rows.column(name)
    number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    number = number or pa.types.is_decimal(column.type) or pa.types.is_boolean(column.type)
    if not number:
        raise _wrong(name, f"holds {column.type}, and weights are numbers")
    values: Array = np.array(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    bad = ~np.isfinite(values)
    if bad.any():
        raise _wrong(name, f"is missing, or not finite, in {how_many(int(bad.sum()), 'row')}")
    if (values < 0).any():
        raise _wrong(name, f"is negative in {int((values < 0).sum()):,} rows")
    if len(values) and not values.sum() > 0:
        raise _wrong(name, "is 0 in every row")
    return values


def _wrong(name: str, why: str) -> BadData:
    return BadData(
        f"The weights {name}: the column {why}.",
        remedy="build weights of at least 0 in features.py, or remove train.sample_weight.",
        at=("train", "sample_weight"),
    )
