"""How the values of a column are written in a file, and what is said of one that does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.columns.local_times import to_utc
from pipelines.columns.storable import say_once

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from pipelines.spec.schema import Column
    from pipelines.spec.table_options import TableOptions


class Misfit(Exception):
    """A value that is not of its column's type: its row (from 0), itself, and what would help."""

    def __init__(self, row: int, value: object, what: str, remedy: str) -> None:
        """Keep the parts; `what` ends the sentence "… holds 'value', which is …"."""
        super().__init__(f"row {row}: {value!r} is {what}; {remedy}")
        self.row = row
        self.value = value
        self.what = what
        self.remedy = remedy


class Writing:
    """How the values of one column are written: its column of the schema, and the file's options.

    `zone` is that of times which are written without one.
    """

    def __init__(self, name: str, column: Column, options: TableOptions, zone: str) -> None:
        """Pick out what concerns the column."""
        self.kind = column.type
        self.order = column.order
        self.missing = options.missing
        self.decimal = options.decimal
        self.thousands = options.thousands
        self.dates = (
            options.dates if isinstance(options.dates, str) else options.dates.get(name, "")
        )
        self.zone = column.timezone or zone
        self.where = f"the column {name!r}"


def first_row(mask: pa.ChunkedArray) -> int | None:
    """Return the first row in which the mask is true."""
    import pyarrow as pa
    import pyarrow.compute as pc

    row = pc.index(pc.fill_null(mask, fill_value=False), pa.scalar(value=True)).as_py()
    return None if row < 0 else row


def first_failure(values: pa.ChunkedArray, convert: Callable[[pa.ChunkedArray], object]) -> int:
    """Return the first row whose value `convert` refuses; it is known to refuse one of them."""
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        if fails(values.slice(low, middle - low), convert):
            high = middle
        else:
            low = middle
    return low


def fails(values: pa.ChunkedArray, convert: Callable[[pa.ChunkedArray], object]) -> bool:
    """Tell whether `convert` refuses the values, by an error or by None."""
    import pyarrow as pa

    try:
        return convert(values) is None
    except (pa.ArrowException, ValueError, OverflowError):
        return True


def require(texts: pa.ChunkedArray, pattern: str, what: str, remedy: str) -> None:
    """Raise Misfit for the first text that does not match."""
    import pyarrow.compute as pc

    row = first_row(pc.invert(pc.match_substring_regex(texts, pattern)))
    if row is not None:
        raise Misfit(row, texts[row].as_py(), what, remedy)


def or_missing(writing: Writing) -> str:
    """Return the second half of a remedy, where a word may stand for a missing value."""
    return (
        ", or name it in `missing` where it stands for no value"
        if writing.kind not in {"text", "category"}
        else ""
    )


def to_utc_and_say(naive: pa.ChunkedArray, zone: str, where: str) -> pa.ChunkedArray:
    """Return local times in UTC; hours that are missing or twice are said once."""
    times, sentences = to_utc(naive, zone)
    for sentence in sentences:
        say_once(f"{where}: {sentence}")
    return times
