"""The types that a column of raw rows may have, in the words of `schema.yaml`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

SIMPLE_TYPES = (
    "boolean",
    "integer",
    "float",
    "text",
    "category",
    "time",
    "date",
    "time_of_day",
    "duration",
    "bytes",
    "nested",
)
"""All types but `decimal(p, s)`.

`integer` has 64 bits, `float` too; `time` is a moment, kept in UTC with microseconds; `category`
is a text out of a list with an order; `nested` are lists and structs as they are.
"""

MOST_DIGITS = 38
"""Digits of a decimal that DuckDB and Parquet hold in 128 bits."""

_DECIMAL = re.compile(r"^decimal\(\s*([0-9]{1,2})\s*,\s*([0-9]{1,2})\s*\)$")


def decimal_digits(kind: str) -> tuple[int, int] | None:
    """Return digits and scale of `decimal(10, 2)`; None for every other type."""
    match = _DECIMAL.match(kind)
    return (int(match[1]), int(match[2])) if match else None


def _check_kind(kind: str) -> str:
    digits = decimal_digits(kind)
    if digits is None and kind not in SIMPLE_TYPES:
        msg = f"no type is named {kind!r}; write decimal(10, 2) or one of {', '.join(SIMPLE_TYPES)}"
        raise ValueError(msg)
    if digits is not None and not 1 <= digits[0] <= MOST_DIGITS:
        msg = f"a decimal has 1 to {MOST_DIGITS} digits"
        raise ValueError(msg)
    if digits is not None and digits[1] > digits[0]:
        msg = "a decimal cannot have more digits behind the point than in all"
        raise ValueError(msg)
    return kind


ColumnType = Annotated[str, StringConstraints(max_length=40), AfterValidator(_check_kind)]
