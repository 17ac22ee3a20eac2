"""Tables without the rows of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from pipelines.ops.traces.sought import Sought


def without(table: pa.Table, sought: Sequence[Sought]) -> pa.Table | None:
    """Return a table without the rows that hold what is sought; None where there are none."""
    return without_those(table, those_with(table, sought))


def those_with(table: pa.Table, sought: Sequence[Sought]) -> pa.ChunkedArray | None:
    """Return which rows hold what is sought, as booleans; None where none can."""
    import pyarrow.compute as pc

    gone = None
    for one in sought:
        mask = one.rows(table, numbers_anywhere=False)
        if mask is not None:
            gone = mask if gone is None else pc.or_(gone, mask)
    return gone


def without_those(table: pa.Table, gone: pa.ChunkedArray | None) -> pa.Table | None:
    """Return a table without the rows that are marked; None where there are none."""
    import pyarrow.compute as pc

    if gone is None or not pc.any(gone).as_py():
        return None
    return table.filter(pc.invert(gone))
