"""The pandas frame that Great Expectations judges.

Every value as it is kept, none by way of float64.

pandas' own conversion makes float64 of whole numbers beside a null (2^53 + 1 becomes 2^53) and
objects of Decimals. Here a column becomes a NumPy one where NumPy holds it exactly, and else one of
pandas' nullable or Arrow-backed kinds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.errors import BadData

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SIGNED_END = 2**63
"""The first whole number that int64 does not hold."""


def judged_frame(table: pa.Table) -> pd.DataFrame:
    """Return the frame: the table's columns and row order, index 0..n-1.

    Times in UTC, dates as their midnight.

    Raises BadData where a name stands twice, since an expectation could mean either column.
    """
    import pandas as pd

    refuse_double_names(table.schema)
    columns = {f.name: _as_judged(table[f.name], f.type) for f in table.schema}
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))


def refuse_double_names(schema: pa.Schema) -> None:
    """Raise BadData where a name stands twice, since an expectation could mean either column."""
    names = schema.names
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise BadData(
            f"The table has more than one column {twice[0]!r}.",
            remedy="give each column a name of its own.",
        )


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values, without the dictionary that they may be kept in."""
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _as_judged(column: pa.ChunkedArray, kind: pa.DataType) -> Any:
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        column = column.cast(kind)
    if pa.types.is_integer(kind):
        return _whole(column)
    if pa.types.is_floating(kind):
        return column.cast(pa.float64()).to_numpy()
    if pa.types.is_boolean(kind) and column.null_count:
        return column.to_pandas(types_mapper={kind: pd.BooleanDtype()}.get)
    if pa.types.is_decimal(kind):
        return column.to_pandas(types_mapper=pd.ArrowDtype)
    if pa.types.is_date(kind):
        kind = pa.timestamp("us")
        column = column.cast(kind)
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp(kind.unit, tz="UTC")).to_pandas()
    return column.to_pandas()


def _whole(column: pa.ChunkedArray) -> Any:
    """Return whole numbers as 64 bits.

    Great Expectations asks columns of fewer bits value by value.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    largest = pc.max(column).as_py()
    kind = pa.uint64() if largest is not None and largest >= SIGNED_END else pa.int64()
    column = column.cast(kind)
    if not column.null_count:
        return column.to_numpy()
    return column.to_pandas(
        types_mapper={pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}.get
    )
