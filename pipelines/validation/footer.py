"""What the footer of a Parquet file says of its columns: nothing of the rows is read for it.

The files are the store's own: written by Arrow, of whose figures only those are taken that cannot
differ from what the rows say. Floats are not among them: what is not a number is left out there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet


class Footer:
    """The figures of a file's columns, from the figures of its groups of rows."""

    def __init__(self, metadata: parquet.FileMetaData, schema: pa.Schema) -> None:
        """Remember the footer; the columns' figures are looked up when they are asked for."""
        import pyarrow as pa

        self._metadata = metadata
        self._schema = schema
        # A column of the file is a column of the table where none has parts. A type that others
        # made, such as pandas' interval, hides that it has.
        self._is_flat = metadata.num_columns == len(schema) and not any(
            pa.types.is_nested(field.type) for field in schema
        )

    def missing(self, column: str) -> int | None:
        """Return how many values are null; None where that is not known, or is not all."""
        import pyarrow as pa

        kind = self._schema.field(column).type
        if pa.types.is_floating(kind):
            return None
        count = 0
        for figures in self._of_groups(column):
            if figures is None or not figures.has_null_count:
                return None
            count += figures.null_count
        return count

    def ends(self, column: str) -> tuple[Any, Any] | None:
        """Return the least and the greatest value of whole numbers or times, None and None where
        there is none; None where that is not known.
        """
        import pyarrow as pa

        kind = self._schema.field(column).type
        if not (pa.types.is_signed_integer(kind) or kind == pa.timestamp("us", "UTC")):
            return None
        lows, highs = [], []
        for number, figures in enumerate(self._of_groups(column)):
            if figures is None or not figures.has_null_count:
                return None
            if figures.null_count == self._metadata.row_group(number).num_rows:
                continue
            if not figures.has_min_max:
                return None
            lows.append(figures.min_raw)
            highs.append(figures.max_raw)
        if not lows:
            return None, None
        low, high = (pa.scalar(end, pa.int64()).cast(kind) for end in (min(lows), max(highs)))
        return low.as_py(), high.as_py()

    def _of_groups(self, column: str) -> list[parquet.Statistics | None]:
        """Return what is said of the column in each group of rows, None where nothing is."""
        place, groups = self._schema.get_field_index(column), range(self._metadata.num_row_groups)
        if not self._is_flat or place < 0:
            return [None for _ in groups]
        return [self._metadata.row_group(group).column(place).statistics for group in groups]
