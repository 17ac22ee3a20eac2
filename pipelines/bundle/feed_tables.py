"""Feeds, arrays and bytes as Arrow tables, and back: how they travel to another process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from pipelines.bundle.rows import Feed

    Array = np.ndarray[Any, Any]

_BYTES = "bytes"
_PART = 2**30
"""Bytes of one cell; Arrow's cells hold less than two gibibytes."""


def table_of_feed(feed: Feed) -> pa.Table:
    """Return a feed ([rows, 1] float32 or text by column) as a table. NaN stays NaN."""
    return pa.table(
        {
            name: pa.array(values[:, 0], pa.string() if values.dtype == object else None)
            for name, values in feed.items()
        }
    )


def feed_of_table(table: pa.Table) -> Feed:
    """Return the feed of such a table, the same bit for bit."""
    feed: Feed = {}
    for name in table.column_names:
        column = table[name]
        values = (
            np.array(column.to_pylist(), dtype=object)
            if pa.types.is_string(column.type)
            else column.to_numpy()
        )
        feed[name] = values.reshape(-1, 1)
    return feed


def table_of_array(values: Array) -> pa.Table:
    """Return an array (n,) or (n, k) as a table of its columns."""
    wide = values.reshape(len(values), -1)
    return pa.table({str(i): pa.array(wide[:, i]) for i in range(wide.shape[1])})


def array_of_table(table: pa.Table) -> Array:
    """Return such a table as an array (n, k)."""
    columns = [column.to_numpy() for column in table.columns]
    return np.column_stack(columns) if columns else np.empty((table.num_rows, 0))


def table_of_bytes(data: bytes) -> pa.Table:
    """Return bytes as a table."""
    parts = [data[i : i + _PART] for i in range(0, len(data), _PART)]
    return pa.table({_BYTES: pa.array(parts, pa.large_binary())})


def bytes_of_table(table: pa.Table) -> bytes:
    """Return the bytes of such a table."""
    return b"".join(table[_BYTES].to_pylist())
