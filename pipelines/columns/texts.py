"""Texts as values of a stated type, as `schema.yaml` or `types` say.

A text that does not fit is a `Misfit`: nothing becomes null, is rounded or stays a text in silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.columns import text_numbers, text_times
from pipelines.columns.writing import Misfit, first_row, or_missing
from pipelines.spec.column_types import decimal_digits

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from pipelines.columns.writing import Writing

MISSING = (
    "",
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "<NA>",
    "NaN",
    "nan",
    "NAN",
    "-NaN",
    "-nan",
    "NULL",
    "null",
    "Null",
    "None",
    "none",
)
"""What stands for a missing value in a column of anything but texts, unless `missing` says else."""

TRUE, FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
"""How booleans may be written, in any case."""


def values_of(texts: pa.ChunkedArray, writing: Writing) -> pa.ChunkedArray:
    """Return the values that the texts stand for, in the type that is kept.

    Raises Misfit for the first text that stands for none.
    """
    texts = _without_missing(texts, writing)
    if decimal_digits(writing.kind):
        return text_numbers.decimals(texts, writing)
    return _PARSERS[writing.kind](texts, writing)


def _without_missing(texts: pa.ChunkedArray, writing: Writing) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    is_text = writing.kind in {"text", "category"}
    if is_text and writing.missing is None:
        return texts
    stripped = pc.utf8_trim_whitespace(texts)
    words = MISSING if writing.missing is None else ("", *writing.missing)
    null = pa.scalar(None, pa.string())
    return pc.if_else(
        pc.is_in(stripped, pa.array(words, pa.string())), null, texts if is_text else stripped
    )


def _texts(texts: pa.ChunkedArray, writing: Writing) -> pa.ChunkedArray:
    del writing
    return texts


def _categories(texts: pa.ChunkedArray, writing: Writing) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    order = writing.order or []
    row = first_row(
        pc.and_(pc.is_valid(texts), pc.invert(pc.is_in(texts, pa.array(order, pa.string()))))
    )
    if row is not None:
        raise Misfit(
            row,
            texts[row].as_py(),
            f"none of its {len(order)} values",
            "add it to `order` in schema.yaml, in its place",
        )
    return texts


def _booleans(texts: pa.ChunkedArray, writing: Writing) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    lower = pc.utf8_lower(texts)
    is_true = pc.is_in(lower, pa.array(TRUE))
    known = pc.or_(is_true, pc.is_in(lower, pa.array(FALSE)))
    row = first_row(pc.and_(pc.is_valid(texts), pc.invert(known)))
    if row is not None:
        raise Misfit(
            row, texts[row].as_py(), "no boolean", f"write `type: text`{or_missing(writing)}"
        )
    return pc.if_else(pc.is_valid(texts), is_true, pa.scalar(None, pa.bool_()))


def _nulls(texts: pa.ChunkedArray, writing: Writing) -> pa.ChunkedArray:
    """Return nulls; bytes and nested values have no form as a text that everybody shares."""
    import pyarrow as pa
    import pyarrow.compute as pc

    row = first_row(pc.is_valid(texts))
    if row is not None:
        raise Misfit(
            row,
            texts[row].as_py(),
            f"a text, and no {writing.kind}",
            "write `type: text`, or take a format that has such values (Parquet, Arrow)",
        )
    return pa.chunked_array([pa.nulls(len(texts))])


_PARSERS: dict[str, Callable[[pa.ChunkedArray, Writing], pa.ChunkedArray]] = {
    "boolean": _booleans,
    "integer": text_numbers.integers,
    "float": text_numbers.floats,
    "text": _texts,
    "category": _categories,
    "time": text_times.times,
    "date": text_times.dates,
    "time_of_day": text_times.times_of_day,
    "duration": text_times.durations,
    "bytes": _nulls,
    "nested": _nulls,
}
