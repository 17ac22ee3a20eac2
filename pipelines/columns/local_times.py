"""Times of a zone, as clocks there show them, in UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def to_utc(column: pa.ChunkedArray, zone: str) -> tuple[pa.ChunkedArray, list[str]]:
    """Return local times in UTC, and what is to be said of them, in sentences."""
    import pyarrow as pa
    import pyarrow.compute as pc

    moments = pc.assume_timezone(column, zone, ambiguous="earliest", nonexistent="latest")
    return moments.cast(pa.timestamp("us", "UTC")), []
