"""Literals of a suite, brought to the type of the column that they are compared with.

JSON has no times and no Decimals, and its numbers go through float64 in most hands. Whatever is
compared with a column's values becomes such a value first: `2020-01-01` and `2020-01-01T00:00:00Z`
the same moment in UTC, `"1.10"` a Decimal.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import TYPE_CHECKING, Any

from pipelines.validation.columns import plain_type
from pipelines.validation.types import family

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

_BOUNDED = {
    "expect_column_values_to_be_between",
    "expect_column_max_to_be_between",
    "expect_column_min_to_be_between",
    "expect_column_mean_to_be_between",
    "expect_column_median_to_be_between",
    "expect_column_sum_to_be_between",
}
"""Expectations whose bounds are values of the column."""
_SETS = {
    "expect_column_values_to_be_in_set",
    "expect_column_values_to_not_be_in_set",
    "expect_column_distinct_values_to_be_in_set",
    "expect_column_distinct_values_to_contain_set",
    "expect_column_distinct_values_to_equal_set",
    "expect_column_most_common_value_to_be_in_set",
}
_MEMBERSHIP = {"expect_column_values_to_be_in_set", "expect_column_values_to_not_be_in_set"}
"""Sets in which a value that the column cannot hold makes no difference."""
_NUMBERS = {
    "mostly",
    "threshold",
    "multiplier",
    "sum_total",
    "min_value",
    "max_value",
    "tail_weight_holdout",
    "internal_weight_holdout",
}
_INT64 = range(-(2**63), 2**64)


class UnfitLiteral(ValueError):
    """A literal that cannot be compared with the column; the message says why in words."""


def literals_for(kind: str, kwargs: Mapping[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """Return the arguments of an expectation that are compared with a column's values.

    They are returned as values of the columns.

    Nothing is returned for a column that is not in the schema. Raises UnfitLiteral where the suite
    is at fault. A number that is compared with texts is left as it is: there the data may as
    well be at fault, and the expectation is not met.
    """
    _refuse_texts_for_numbers(kind, kwargs)
    names = set(schema.names)
    literals: dict[str, Any] = {}
    column = kwargs.get("column")
    if column in names:
        field = plain_type(schema.field(column).type)
        if kind in _BOUNDED:
            literals |= {
                n: value_of(field, kwargs[n], n)
                for n in ("min_value", "max_value")
                if kwargs.get(n) is not None
            }
            _refuse_reversed(literals)
        if kind in _SETS and isinstance(kwargs.get("value_set"), list | tuple):
            literals["value_set"] = _literals_of_set(
                field, kwargs["value_set"], drop=kind in _MEMBERSHIP
            )
        if kind == "expect_column_quantile_values_to_be_between":
            literals |= _quantiles(field, kwargs.get("quantile_ranges"))
    pair = (kwargs.get("column_A"), kwargs.get("column_B"))
    if (
        kind == "expect_column_pair_values_to_be_in_set"
        and names.issuperset(pair)
        and isinstance(kwargs.get("value_pairs_set"), list | tuple)
    ):
        fields = [plain_type(schema.field(name).type) for name in pair]
        literals["value_pairs_set"] = [
            _pair(fields, values) for values in kwargs["value_pairs_set"]
        ]
    if kind == "expect_multicolumn_sum_to_equal" and isinstance(kwargs.get("sum_total"), int):
        literals["sum_total"] = kwargs["sum_total"]
    return literals


def value_of(field: pa.DataType, literal: Any, name: str) -> Any:
    """Return a literal as a value of a column of this type; null stays null.

    Raises UnfitLiteral.
    """
    if literal is None:
        return None
    kind = family(field)
    if isinstance(literal, float) and not isfinite(literal):
        raise UnfitLiteral(f"`{name}` is {literal}, which is no number")
    if kind in {"whole", "float", "decimal", "bool"}:
        return _number(field, kind, literal, name)
    if kind in {"time", "date"}:
        return _moment(literal, name)
    return literal


def _number(field: pa.DataType, kind: str, literal: Any, name: str) -> Any:
    if isinstance(literal, str) and kind == "decimal":
        try:
            literal = Decimal(literal)
        except InvalidOperation as error:
            raise UnfitLiteral(
                f'`{name}` is {literal!r}, which is no decimal number; write "1.10" or 1.1'
            ) from error
        if not literal.is_finite():
            raise UnfitLiteral(f"`{name}` is {str(literal)!r}, which is no number")
    if not isinstance(literal, int | float | Decimal):
        raise UnfitLiteral(
            f"`{name}` is {_show(literal)}, and the column holds numbers ({field}); write a number"
        )
    if kind == "decimal":
        return (
            literal
            if isinstance(literal, Decimal)
            else Decimal(repr(literal) if isinstance(literal, float) else int(literal))
        )
    if kind == "bool":
        return bool(literal) if literal in {0, 1} else literal
    if kind == "whole":
        return int(literal) if literal == int(literal) else literal
    return _float(field, literal, name)


def _float(field: pa.DataType, literal: float | Decimal, name: str) -> float:
    """Return the float of the column's width.

    0.1 of a float32 column is what that column holds for 0.1.
    """
    import numpy as np

    width: Any = {"halffloat": np.float16, "float": np.float32}.get(str(field), np.float64)
    try:
        with np.errstate(over="ignore"):
            number = float(width(float(literal)))
    except OverflowError as error:
        raise UnfitLiteral(
            f"`{name}` is greater than any number that the column can hold ({field})"
        ) from error
    return number if isfinite(number) else float(literal)


def _moment(literal: Any, name: str) -> datetime:
    """Return a moment in UTC of an ISO 8601 text.

    Without a zone it is in UTC, without a time of day it is midnight.
    """
    if isinstance(literal, datetime):
        moment = literal
    elif isinstance(literal, date):
        moment = datetime(literal.year, literal.month, literal.day, tzinfo=UTC)
    else:
        try:
            moment = datetime.fromisoformat(literal)
        except (TypeError, ValueError) as error:
            words = (
                f"`{name}` is {_show(literal)}, and the column holds times; write 2020-01-01 or"
                " 2020-01-01T00:00:00Z"
            )
            raise UnfitLiteral(words) from error
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise UnfitLiteral(
            f"`{name}` is {_show(literal)}, which lies outside of the years 1 to 9999 in UTC"
        ) from error


def _literals_of_set(field: pa.DataType, literals: Any, *, drop: bool) -> list[Any]:
    values = [value_of(field, literal, "value_set") for literal in literals]
    if drop:
        values = [v for v in values if _holdable(field, v)]
    return values


def _holdable(field: pa.DataType, value: Any) -> bool:
    """Tell whether a column of this type could hold the value.

    If not it would only turn a comparison into one of floats.
    """
    kind = family(field)
    if kind == "whole":
        return isinstance(value, int) and value in _INT64
    if kind == "decimal":
        return isinstance(value, Decimal) and _fits(field, value)
    return kind != "bool" or isinstance(value, bool)


def _fits(field: Any, value: Decimal) -> bool:
    _, digits, exponent = value.normalize().as_tuple()
    after = max(0, -int(exponent))
    return bool(
        after <= field.scale and len(digits) + int(exponent) <= field.precision - field.scale
    )


def _quantiles(field: pa.DataType, ranges: Any) -> dict[str, Any]:
    if not isinstance(ranges, dict) or not isinstance(ranges.get("value_ranges"), list):
        return {}
    bounds = [
        [value_of(field, v, "value_ranges") for v in pair]
        for pair in ranges["value_ranges"]
        if isinstance(pair, list)
    ]
    return {"quantile_ranges": {**ranges, "value_ranges": bounds}}


def _pair(fields: list[pa.DataType], values: Any) -> tuple[Any, ...]:
    if not isinstance(values, list | tuple) or len(values) != len(fields):
        raise UnfitLiteral("`value_pairs_set` must be a list of pairs")
    return tuple(
        value_of(field, value, "value_pairs_set")
        for field, value in zip(fields, values, strict=True)
    )


def _refuse_texts_for_numbers(kind: str, kwargs: Mapping[str, Any]) -> None:
    """Great Expectations reads "5" as 5 and true as 1 where it wants a number."""
    names = _NUMBERS - {"min_value", "max_value"} if kind in _BOUNDED else _NUMBERS
    for name in sorted(names & set(kwargs)):
        if isinstance(kwargs[name], str | bool | list | dict):
            raise UnfitLiteral(f"`{name}` is {_show(kwargs[name])}; write a number")


def _refuse_reversed(bounds: Mapping[str, Any]) -> None:
    low, high = bounds.get("min_value"), bounds.get("max_value")
    try:
        is_reversed = low is not None and high is not None and low > high
    except TypeError:
        return
    if is_reversed:
        raise UnfitLiteral(f"`min_value` ({low}) is greater than `max_value` ({high})")


def _show(literal: Any) -> str:
    return repr(literal)[:80]
