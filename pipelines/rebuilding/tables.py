"""Where two tables of features differ first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.tables import columns_of, from_parquet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def describe_difference(recorded: Path, rebuilt: bytes, key: Sequence[str]) -> tuple[str, str]:
    """Return in words where two Parquet tables differ first, and the row and its values.

    `key` names a row's columns.
    """
    before, after = from_parquet(recorded), from_parquet(rebuilt)
    if columns_of(before) != columns_of(after):
        was, now = columns_of(before), columns_of(after)
        names = [n for n in [*was, *now] if was.get(n) != now.get(n)]
        if not names:
            return "its columns are in another order", ""
        name = names[0]
        types = [columns.get(name, "none") for columns in (was, now)]
        return f"column {name}: recorded {types[0]}, rebuilt {types[1]}", ""
    if before.num_rows != after.num_rows:
        return f"recorded {before.num_rows:,} rows, rebuilt {after.num_rows:,}", ""
    places = {name: _first(before[name], after[name]) for name in before.column_names}
    found = {name: place for name, place in places.items() if place is not None}
    if not found:
        return "the same rows, written as other bytes", ""
    name = min(found, key=lambda n: found[n])
    place = found[name]
    row = ", ".join(f"{k} {before[k][place].as_py()}" for k in key if k in before.column_names)
    was, now = (table[name][place].as_py() for table in (before, after))
    return f"column {name}, row {place}", f"{row}: recorded {was!r}, rebuilt {now!r}"


def _first(before: pa.ChunkedArray, after: pa.ChunkedArray) -> int | None:
    """Return the first place where two columns of one type differ; NaN equals NaN, None does not
    differ from None.
    """
    equal = pc.fill_null(pc.equal(before, after), fill_value=False)
    equal = pc.or_(equal, pc.and_(pc.is_null(before), pc.is_null(after)))
    if pa.types.is_floating(before.type):
        nan = pc.and_(pc.is_nan(before), pc.is_nan(after))
        equal = pc.or_(equal, pc.fill_null(nan, fill_value=False))
    place = int(pc.index(equal, value=pa.scalar(value=False)).as_py())
    return None if place < 0 else place
