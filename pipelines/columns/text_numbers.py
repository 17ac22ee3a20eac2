"""Texts as numbers: decimal signs, groups of thousands, and numbers that are too long."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipelines.columns.writing import Misfit, first_failure, first_row, or_missing
from pipelines.spec.column_types import decimal_digits

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.columns.writing import Writing


NARROW_SPACES = "[\u00a0\u202f\u2009]"
"""Spaces that keep a number together, as spreadsheets write them between groups."""

_WHOLE = r"^[+-]?[0-9]+(D0*)?$"
_NUMBER = r"^[+-]?([0-9]+(D[0-9]*)?|D[0-9]+)([eE][+-]?[0-9]+)?$"
_INFINITE = r"^[+-]?(?i:inf|infinity)$"


def _digits(texts: pa.ChunkedArray, writing: Writing, pattern: str, what: str) -> pa.ChunkedArray:
    """Return numbers as a program writes them: a point, no groups, no plus."""
    import pyarrow.compute as pc

    decimal, group = re.escape(writing.decimal), writing.thousands
    if group == " ":
        texts = pc.replace_substring_regex(texts, pattern=NARROW_SPACES, replacement=" ")
    number = pattern.replace("D", decimal)
    if group:
        grouped = rf"^[+-]?[0-9]{{1,3}}({re.escape(group)}[0-9]{{3}})+({decimal}[0-9]*)?$"
        number = f"{number}|{grouped}"
    row = first_row(pc.invert(pc.match_substring_regex(texts, number)))
    if row is not None:
        value = texts[row].as_py()
        raise Misfit(row, value, what, _remedy_of_number(value, writing))
    if group:
        texts = pc.replace_substring(texts, pattern=group, replacement="")
    if writing.decimal != ".":
        texts = pc.replace_substring(texts, pattern=writing.decimal, replacement=".")
    return pc.replace_substring_regex(texts, pattern=r"^\+", replacement="")


def _remedy_of_number(value: str, writing: Writing) -> str:
    """Return the option that would take the text."""
    is_decimal = re.fullmatch(r"[+-]?[0-9]{1,3}(\.[0-9]{3})*,[0-9]+", value)
    if writing.decimal == "." and writing.kind != "integer" and is_decimal:
        groups = ' and `thousands: "."`' if "." in value else ""
        return f'write `decimal: ","`{groups} in the source'
    for sign in (",", ".", " ", "'", "_"):
        if re.fullmatch(rf"[+-]?[0-9]{{1,3}}({re.escape(sign)}[0-9]{{3}})+(\.[0-9]+)?", value):
            return f'write `thousands: "{sign}"` in the source'
    if re.fullmatch(r"[+-]?[0-9]*[.,][0-9]+", value) and writing.kind == "integer":
        return "write `type: float` (or `decimal(p, s)`)"
    return f"write `type: text`{or_missing(writing)}"


def integers(texts: pa.ChunkedArray, writing: Writing) -> pa.ChunkedArray:
    """Return whole numbers of 64 bits; `5.0` is 5. Raises Misfit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    digits = pc.replace_substring_regex(
        _digits(texts, writing, _WHOLE, "no whole number"), pattern=r"\.0*$", replacement=""
    )
    try:
        return digits.cast(pa.int64())
    except pa.ArrowInvalid:
        row = first_failure(digits, lambda part: part.cast(pa.int64()))
        raise Misfit(
            row,
            texts[row].as_py(),
            "beyond the whole numbers of 64 bits",
            'write `type: "decimal(38, 0)"`, or `text` for an identifier',
        ) from None


def floats(texts: pa.ChunkedArray, writing: Writing) -> pa.ChunkedArray:
    """Return the nearest floats of 64 bits. Raises Misfit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    digits = _digits(texts, writing, f"{_NUMBER}|{_INFINITE}", "no number")
    numbers = digits.cast(pa.float64())
    row = first_row(pc.and_(pc.is_inf(numbers), pc.match_substring_regex(texts, "[0-9]")))
    if row is not None:
        raise Misfit(row, texts[row].as_py(), "beyond the floats of 64 bits", "mend the value")
    return numbers


def decimals(texts: pa.ChunkedArray, writing: Writing) -> pa.ChunkedArray:
    """Return exact decimals. Raises Misfit where one has more digits than its type."""
    import pyarrow as pa

    precision, scale = decimal_digits(writing.kind) or (38, 0)
    digits = _digits(texts, writing, _NUMBER, "no number")
    kind = pa.decimal128(precision, scale)
    try:
        return digits.cast(kind)
    except pa.ArrowException:
        row = first_failure(digits, lambda part: part.cast(kind))
        raise Misfit(
            row,
            texts[row].as_py(),
            f"no {writing.kind}: it has more digits",
            "write a wider decimal, such as decimal(38, 10)",
        ) from None
