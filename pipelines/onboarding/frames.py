"""The table that was read as pandas' own types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.onboarding.typed import Look


def frame_of(look: Look) -> pd.DataFrame:
    """Return the table as pandas' own types: times in UTC without a zone, decimals as floats."""
    import pyarrow as pa

    columns: dict[str, Any] = {}
    for field in look.table.schema:
        column = look.table[field.name]
        if pa.types.is_timestamp(field.type):
            series = column.cast(pa.timestamp("us")).to_pandas()
        elif pa.types.is_decimal(field.type) or _has_gaps(column):
            series = column.cast(pa.float64()).to_pandas()
        else:
            series = column.to_pandas()
        columns[field.name] = series
    return pd.DataFrame(columns)


def _has_gaps(column: pa.ChunkedArray) -> bool:
    """Tell whether a column of booleans has missing values, which pandas would make objects of."""
    import pyarrow as pa

    return bool(pa.types.is_boolean(column.type) and column.null_count)
