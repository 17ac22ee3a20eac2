"""A sheet of a workbook (Excel, OpenDocument) to a table, each cell as the value that it holds.

The cells are read by calamine: formulas count as the values that the workbook keeps of them.
"""

from __future__ import annotations

import datetime as dt
import io
import re
from typing import TYPE_CHECKING, Any

from pipelines.columns.from_objects import column_of
from pipelines.columns.storable import check_names
from pipelines.errors import BadData

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from pipelines.spec.schema import Column
    from pipelines.spec.table_options import TableOptions

_EXACT = 2**53
"""Excel keeps numbers as floats: up to here each whole number is one of its own."""

_RANGE = re.compile(r"^([A-Z]+)([0-9]+)(?::([A-Z]+)([0-9]+)?)?$")


def table_of(
    data: bytes, subject: str, options: TableOptions, stated: Mapping[str, Column]
) -> pa.Table:
    """Return the rows of the sheet, or of the range in it.

    A column that mixes numbers and texts is one of texts where its stated type is a number: people
    write what a cell cannot hold exactly as a text. Raises BadData naming sheet, row or column.
    """
    import pyarrow as pa

    rows = _cells(data, subject, options)
    rows = rows[options.skip :]
    while rows and not any(_is_full(cell) for cell in rows[-1]):
        rows.pop()
    if options.header:
        if not rows:
            raise BadData(f"{subject} is empty: not even a header.")
        header, *rows = rows
        names = options.names or _names(header, subject)
    else:
        names = options.names or []
    check_names(names, subject)
    columns = {}
    for place, name in enumerate(names):
        values = [_value(row[place]) if place < len(row) else None for row in rows]
        if name in stated and _mixes(values) and stated[name].type not in {"text", "category"}:
            values = [_as_text(v) for v in values]
        columns[name] = column_of(values, name, subject)
    beyond = [i for i, row in enumerate(rows) if any(_is_full(c) for c in row[len(names) :])]
    if beyond:
        first = beyond[0] + options.skip + 1 + options.header
        raise BadData(
            f"{subject}, row {first} of the sheet: cells beyond the {len(names)} columns.",
            remedy="write `range` (such as A3:F) in the source.",
        )
    return pa.table({n: _whole(c) for n, c in columns.items()})


def _cells(data: bytes, subject: str, options: TableOptions) -> list[list[Any]]:
    import python_calamine

    try:
        workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise BadData(
            f"{subject} is no readable workbook: {str(error)[:200]}.",
            remedy="it may be damaged, or protected by a password.",
        ) from error
    sheets = workbook.sheet_names
    if options.sheet is not None and options.sheet not in sheets:
        raise BadData(
            f"{subject} has no sheet {options.sheet!r}.", remedy=f"it has: {', '.join(sheets)}."
        )
    if not sheets:
        raise BadData(f"{subject} has no sheet.")
    sheet = workbook.get_sheet_by_name(options.sheet or sheets[0])
    rows = sheet.to_python(skip_empty_area=False)
    return _in_range(rows, options.range) if options.range else rows


def _in_range(rows: list[list[Any]], text: str) -> list[list[Any]]:
    match = _RANGE.match(text)
    left, top, right, bottom = match.groups() if match else ("A", "1", None, None)
    first = _number_of(left) - 1
    last = _number_of(right) if right else None
    return [row[first:last] for row in rows[int(top) - 1 : int(bottom) if bottom else None]]


def _number_of(letters: str) -> int:
    """Return the number of a column: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _names(header: list[Any], subject: str) -> list[str]:
    names = [str(cell).strip() for cell in header]
    while names and not names[-1]:
        names.pop()
    if not names or not all(names):
        raise BadData(
            f"{subject}: the header has cells without a name ({names[:6]}).",
            remedy="write `skip` (rows before the header), `range` or `names` in the source.",
        )
    return names


def _is_full(cell: Any) -> bool:
    return cell is not None and cell != ""


def _value(cell: Any) -> Any:
    """Return a cell's value; an empty one has none."""
    return cell if _is_full(cell) else None


def _mixes(values: list[Any]) -> bool:
    """Tell whether some values are texts and others are not."""
    return 0 < sum(isinstance(v, str) for v in values) < sum(v is not None for v in values)


def _as_text(value: Any) -> str | None:
    """Return a cell's value as a file of texts would have it."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) <= _EXACT else repr(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return None if value is None else str(value)


def _whole(column: pa.Array) -> pa.Array:
    """Return numbers that are all whole as whole numbers: a workbook knows floats alone."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_floating(column.type) or column.null_count == len(column):
        return column
    is_whole = pc.and_(pc.equal(pc.floor(column), column), pc.less_equal(pc.abs(column), _EXACT))
    return column.cast(pa.int64()) if pc.all(is_whole).as_py() else column
