"""JSON to a table: one list of objects, or objects one after another, as in JSON lines."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipelines.columns.from_objects import column_of
from pipelines.columns.storable import MOST_COLUMNS
from pipelines.errors import BadData
from pipelines.sources.csv_text import decode_text
from pipelines.sources.literals import is_float
from pipelines.sources.nested import flatten
from pipelines.spec.table_options import TableOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

_PLAIN = TableOptions()
_SPACE = re.compile(r"[ \t\r\n]*")
_SHORT = 16
"""A number with so many signs, one of them its point, has digits that a float64 holds."""


def table_of(data: bytes, subject: str, options: TableOptions = _PLAIN) -> pa.Table:
    """Return the objects as rows, their keys as columns.

    Raises BadData naming the line, or the column.
    """
    import pyarrow as pa

    text = decode_text(data, options, subject).decode()
    if not text.strip():
        raise BadData(f"{subject} is empty.")
    columns: dict[str, list[Any]] = {}
    count = 0
    for place, row in _rows(text, subject):
        if not isinstance(row, dict):
            raise BadData(
                f"{subject}: line {_line(text, place)} holds no object.",
                remedy="write one object for each row.",
            )
        for key, value in row.items():
            values = columns.setdefault(key, [])
            values.extend([None] * (count - len(values)))
            values.append(value)
        count += 1
        if len(columns) > MOST_COLUMNS:
            raise BadData(f"{subject} has more than {MOST_COLUMNS} columns.")
    for values in columns.values():
        values.extend([None] * (count - len(values)))
    table = pa.table({name: column_of(columns.pop(name), name, subject) for name in list(columns)})
    return flatten(table, subject) if options.flatten else table


class _KeyTwice(ValueError):
    """An object names a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _KeyTwice(next(key for key in keys if keys.count(key) > 1))
    return row


def _float(text: str) -> float | Decimal:
    return (
        float(text)
        if (len(text) <= _SHORT and "e" not in text.lower()) or is_float(text)
        else Decimal(text)
    )


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=_float,
    # NaN is no JSON, but Python and pandas write it for what is missing.
    parse_constant={"NaN": None, "Infinity": float("inf"), "-Infinity": float("-inf")}.__getitem__,
)


def _rows(text: str, subject: str) -> Iterator[tuple[int, Any]]:
    """Yield the place and the value of each row."""
    place = _after_space(text, 0)
    is_list = text[place] == "["
    if is_list:
        place = _after_space(text, place + 1)
    while place < len(text):
        if is_list and text[place] == "]":
            if _after_space(text, place + 1) < len(text):
                raise BadData(f"{subject}: line {_line(text, place)}: something follows the list.")
            return
        row, end = _decode(text, place, subject)
        yield place, row
        place = _after_space(text, end)
        if is_list and text[place : place + 1] == ",":
            place = _after_space(text, place + 1)
        elif is_list and text[place : place + 1] != "]":
            break
    if is_list:
        raise BadData(
            f"{subject} is not readable as json: the list has no end.",
            remedy="the file may be cut short.",
        )


def _decode(text: str, place: int, subject: str) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, place)
    except _KeyTwice as error:
        raise BadData(
            f"{subject}: line {_line(text, place)}: the key {str(error)!r} is there twice.",
            remedy="name them apart.",
        ) from error
    except json.JSONDecodeError as error:
        raise BadData(
            f"{subject} is not readable as json: line {error.lineno}: {error.msg}."
        ) from error
    except RecursionError as error:
        raise BadData(f"{subject}: line {_line(text, place)} is nested too deeply.") from error
    except ValueError as error:  # a whole number of more than 4,300 digits
        raise BadData(f"{subject}: line {_line(text, place)}: {str(error)[:200]}.") from error


def _after_space(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return match.end() if match else place


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1
