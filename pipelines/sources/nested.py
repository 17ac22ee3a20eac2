"""Nested columns: their fields as columns of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.columns.storable import check_names

if TYPE_CHECKING:
    import pyarrow as pa


def flatten(table: pa.Table, subject: str) -> pa.Table:
    """Return the table with each field of a structure as a column of its own.

    The field `city` of `address` becomes `address_city`. Lists have no such fields and stay.
    Raises BadData where such a name is there already.
    """
    import pyarrow as pa

    while any(pa.types.is_struct(field.type) for field in table.schema):
        columns, names = [], []
        for field, column in zip(table.schema, table.columns, strict=True):
            if not pa.types.is_struct(field.type):
                columns.append(column)
                names.append(field.name)
                continue
            parts = column.combine_chunks().flatten() if column.num_chunks != 1 else None
            parts = parts if parts is not None else column.chunk(0).flatten()
            columns += [pa.chunked_array([part]) for part in parts]
            names += [f"{field.name}_{inner.name}" for inner in field.type]
        check_names(names, subject)
        table = pa.table(columns, names=names)
    return table
