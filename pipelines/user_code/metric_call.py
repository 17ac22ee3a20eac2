"""The child's part of a metric of the user's own: call it, and check what it returns.

Every call is given copies, so that a function which changes its arguments changes nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    Array = np.ndarray[Any, Any]

ROWS, TRUTH, PREDICTION, VALUES = "rows", "truth", "prediction", "values"
REMEDY = "return one number per row, such as `np.where(y == prediction, 0.0, 5.0)`"


def call_function(
    function: Any, tables: Mapping[str, pa.Table], subject: str
) -> dict[str, pa.Table]:
    """Return what each row counts, a column for each prediction that the request holds.

    The tables are `rows`, `truth` (one column y), and `prediction`s: `prediction 0` and so on, each
    with one column, or with one for each class. Raises SpecError naming what is wrong with a
    result.
    """
    import pandas as pd
    import pyarrow as pa

    y = tables[TRUTH]["y"]
    columns = {}
    for name in sorted(n for n in tables if n.startswith(PREDICTION)):
        given = tables[name]
        prediction = (
            _array(given.column(0))
            if given.num_columns == 1
            else pd.DataFrame({c: _array(given[c]) for c in given.column_names})
        )
        # A frame of its own for every call.
        rows = tables[ROWS].to_pandas()
        known = ", ".join(map(str, rows.columns))
        try:
            result = function(_array(y), prediction, rows)
        except KeyError as error:
            raise SpecError(
                f"{subject}: KeyError: {error}.", remedy=f"mend the function; `rows` has {known}."
            ) from error
        columns[name] = _check(result, len(y), f"{subject}: {function.__name__}", function)
    return {VALUES: pa.table(columns)}


def _array(column: pa.ChunkedArray) -> Array:
    """Return the values as an array that may be written to: texts as objects."""
    values = column.to_numpy()
    copy: Array = values.astype(object) if values.dtype.kind in "OU" else values.copy()
    return copy


def _check(result: Any, rows: int, who: str, function: Any) -> Array:
    """Return the result as float64 (n,); SpecError unless it is one finite number per row."""
    line = getattr(getattr(function, "__code__", None), "co_firstlineno", None)
    where = f" See line {line} of metrics.py." if line else ""

    def wrong(what: str) -> SpecError:
        return SpecError(f"{who} returned {what}.{where}", remedy=f"{REMEDY}.")

    if result is None:
        raise wrong("nothing")
    try:
        values = np.asarray(result)
    except Exception as error:
        raise wrong(f"a {type(result).__name__} that is no array") from error
    if values.ndim == 0 and values.dtype.kind in "biuf":
        raise wrong(f"the single number {values.item()!r} for {rows:,} rows; one per row is needed")
    if values.dtype == object:
        # pandas makes objects of numbers where it finds None among them.
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise wrong("values that are no numbers") from error
    if values.dtype.kind not in "biuf":
        raise wrong(f"values that are no numbers ({values.dtype})")
    if values.shape != (rows,):
        shape = " by ".join(f"{n:,}" for n in values.shape) or "no"
        raise wrong(f"{shape} values for {rows:,} rows")
    values = values.astype(np.float64)
    odd = int((~np.isfinite(values)).sum())
    if odd:
        first = int(np.flatnonzero(~np.isfinite(values))[0])
        raise wrong(
            f"{odd:,} of {rows:,} values that are missing or infinite, the first in row {first}"
        )
    return values
