"""Numbers far outside what a model has learnt from: why it may give no valid answer.

Looked at only after such an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.bundle.schema import Column

FAR = 1.0
"""How far beyond the least or the greatest number seen is far, in widths of what was seen.

No more than one width, because exponents overflow soon: a model that learns logarithms does so at
88.
"""


def refuse_far(columns: Sequence[Column], rows: Mapping[int, Sequence[Any]]) -> None:
    """Raise Problem 422 with the row and the field of the number furthest outside.

    Return where none of `rows` holds a far one.

    `rows` are values in the columns' order, by their index in the request.
    """
    distances = (
        (_distance(c, v), number, c)
        for number, row in rows.items()
        for c, v in zip(columns, row, strict=True)
    )
    distance, number, column = max(distances, key=lambda each: each[0])
    if distance > FAR:
        words = (
            f"is so far outside what the model has learnt from ({column.low:g} to {column.high:g})"
            " that it gives no valid answer"
        )
        raise Problem(
            422, "invalid_input", f"{column.name} {words}.", row=number, field=column.name
        )


def _distance(column: Column, value: float | None) -> float:
    """Return how far a value lies outside its column's range, in the range's widths.

    0 for what has no range.
    """
    if value is None or column.low is None or column.high is None:
        return 0.0
    width = (column.high - column.low) or abs(column.high) or 1.0
    return max(column.low - value, value - column.high, 0.0) / width
