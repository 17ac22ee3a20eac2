"""What Great Expectations computes inexactly, or not at all, on the columns of `judged_frame`.

Each class takes the place of Great Expectations' own metric for pandas, which is its way to be
extended: importing this module registers them. Checked against 1.24: it sends Decimals through
float64 (a minute for 30,000 of them), lets sums of int64 wrap around, takes every step of uint64
for a rise, raises "boolean value of NA is ambiguous" for nullable columns, and compares whole
numbers with floats as floats.
"""

# mypy: disable-error-code="misc, untyped-decorator"
# ruff: noqa: TID253 -- these classes extend Great Expectations; loaded when a table is judged

from __future__ import annotations

import decimal
from functools import reduce
from inspect import unwrap
from operator import add, and_, eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations import metrics as theirs
from great_expectations.expectations.metrics.column_aggregate_metric_provider import (
    column_aggregate_value,
)
from great_expectations.expectations.metrics.map_metric_provider import (
    column_condition_partial,
    column_function_partial,
    column_pair_condition_partial,
    multicolumn_condition_partial,
)
from great_expectations.expectations.metrics.metric_provider import metric_value

if TYPE_CHECKING:
    from collections.abc import Callable

DIGITS = 100
"""Digits that sums and means of Decimals are computed with; Arrow holds at most 76."""


def is_decimal(column: pd.Series) -> bool:
    """Tell whether a column holds Decimals."""
    return (
        isinstance(column.dtype, pd.ArrowDtype)
        and column.dtype.kind == "O"
        and "decimal" in str(column.dtype)
    )


def exact(column: pd.Series) -> bool:
    """Tell whether sums and means of a column are to be exact.

    Whole numbers, booleans and Decimals.
    """
    return (
        is_decimal(column)
        or pd.api.types.is_integer_dtype(column.dtype)
        or pd.api.types.is_bool_dtype(column.dtype)
    )


def values(column: pd.Series) -> list[Any]:
    """Return the values that are there as Python's own, which know no overflow."""
    items: list[Any] = column.dropna().tolist()
    return items


def as_floats(column: pd.Series) -> pd.Series:
    """Return numbers as float64, nulls as NaN.

    For statistics that are floats whatever they are asked of.
    """
    return pd.Series(column.to_numpy(dtype=np.float64, na_value=np.nan), index=column.index)


def as_booleans(answers: pd.Series) -> pd.Series:
    """Return comparisons as plain booleans; one with a null is not met."""
    nullable: Any = answers.astype("boolean")
    return pd.Series(nullable.fillna(value=False).to_numpy(dtype=bool), index=answers.index)


def total(numbers: list[Any]) -> Any:
    """Return the exact sum of whole numbers or Decimals."""
    with decimal.localcontext(prec=DIGITS):
        return sum(numbers)


def ratio(amount: Any, count: int) -> Any:
    """Return a sum divided by a count.

    A Decimal of a Decimal, a whole number where it is one, else the nearest float.
    """
    if isinstance(amount, decimal.Decimal):
        with decimal.localcontext(prec=DIGITS):
            return amount / count
    return amount // count if amount % count == 0 else amount / count


class Mean(theirs.ColumnMean):
    """The mean, exact for whole numbers and Decimals."""

    @column_aggregate_value(engine=PandasExecutionEngine)
    # Great Expectations hands the class over.
    def _pandas(cls, column: pd.Series, **_: Any) -> Any:  # noqa: N805
        if not exact(column):
            return column.mean()
        numbers = values(column)
        return ratio(total(numbers), len(numbers)) if numbers else np.nan


class Sum(theirs.ColumnSum):
    """The sum, exact for whole numbers and Decimals."""

    @column_aggregate_value(engine=PandasExecutionEngine)
    def _pandas(cls, column: pd.Series, **_: Any) -> Any:  # noqa: N805
        return total(values(column)) if exact(column) else column.sum()


class Median(theirs.ColumnMedian):
    """The median, exact for whole numbers and Decimals."""

    @column_aggregate_value(engine=PandasExecutionEngine)
    def _pandas(cls, column: pd.Series, **_: Any) -> Any:  # noqa: N805
        if not exact(column):
            return column.dropna().median()
        in_order = sorted(values(column))
        if not in_order:
            return np.nan
        return ratio(total([in_order[(len(in_order) - 1) // 2], in_order[len(in_order) // 2]]), 2)


class StandardDeviation(theirs.ColumnStandardDeviation):
    """The standard deviation, in float64."""

    @column_aggregate_value(engine=PandasExecutionEngine)
    def _pandas(cls, column: pd.Series, **_: Any) -> Any:  # noqa: N805
        return (as_floats(column) if exact(column) else column).std()


class Quantiles(theirs.ColumnQuantileValues):
    """Quantiles, never by way of float64.

    Those that are values of the column (the default) are found by sorting.
    """

    @column_aggregate_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805 -- Great Expectations hands the class over
        column: pd.Series,
        quantiles: list[float],
        allow_relative_error: Any,
        **_: Any,
    ) -> Any:
        how: Any = allow_relative_error or "nearest"
        in_order = sorted(values(column)) if exact(column) else []
        if how not in {"nearest", "lower", "higher"} or not in_order:
            floats = as_floats(column) if exact(column) else column
            return unwrap(theirs.ColumnQuantileValues._pandas)(  # noqa: SLF001
                cls, floats, quantiles, allow_relative_error
            )
        places = np.quantile(np.arange(len(in_order), dtype=np.float64), quantiles, method=how)
        return [in_order[int(place)] for place in places]


class MostCommonValue(theirs.ColumnMostCommonValue):
    """The commonest values as the column holds them: times keep their zone."""

    @column_aggregate_value(engine=PandasExecutionEngine)
    def _pandas(cls, column: pd.Series, **_: Any) -> Any:  # noqa: N805
        return column.mode().tolist()


class Histogram(theirs.ColumnHistogram):
    """Counts by bin, of the values that are there."""

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805 -- Great Expectations hands the class over
        execution_engine: Any,
        metric_domain_kwargs: Any,
        metric_value_kwargs: Any,
        **_: Any,
    ) -> Any:
        column = asked_column(execution_engine, metric_domain_kwargs).dropna()
        numbers = as_floats(column) if exact(column) else column
        return np.histogram(numbers, metric_value_kwargs["bins"])[0].tolist()


class BetweenCount(theirs.ColumnValuesBetweenCount):
    """How many values lie between bounds; a null does not."""

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805 -- Great Expectations hands the class over
        execution_engine: Any,
        metric_domain_kwargs: Any,
        metric_value_kwargs: Any,
        **_: Any,
    ) -> int:
        column = asked_column(execution_engine, metric_domain_kwargs).dropna()
        return int(
            within(as_floats(column) if is_decimal(column) else column, **metric_value_kwargs).sum()
        )


def asked_column(engine: Any, domain: Any) -> pd.Series:
    """Return the column that a metric is asked of."""
    frame, _, accessors = engine.get_compute_domain(
        domain_kwargs=domain, domain_type=MetricDomainTypes.COLUMN
    )
    column: pd.Series = frame[accessors["column"]]
    return column


def within(
    column: pd.Series,
    min_value: Any = None,
    max_value: Any = None,
    strict_min: Any = None,
    strict_max: Any = None,
) -> pd.Series:
    """Return which values lie between the bounds."""
    answers = [(gt if strict_min else ge)(column, min_value)] if min_value is not None else []
    answers += [(lt if strict_max else le)(column, max_value)] if max_value is not None else []
    return as_booleans(reduce(and_, answers))


class Between(theirs.ColumnValuesBetween):
    """Values between bounds.

    Whole numbers beside nulls all at once, as Great Expectations does it for those without.
    """

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805 -- Great Expectations hands the class over
        column: pd.Series,
        min_value: Any = None,
        max_value: Any = None,
        **more: Any,
    ) -> pd.Series:
        if isinstance(column.dtype, pd.Int64Dtype | pd.UInt64Dtype) and not (
            min_value is None and max_value is None
        ):
            return within(
                column, min_value, max_value, more.get("strict_min"), more.get("strict_max")
            )
        answers: pd.Series = unwrap(theirs.ColumnValuesBetween._pandas)(  # noqa: SLF001
            theirs.ColumnValuesBetween, column, min_value, max_value, **more
        )
        return answers


def steps(column: pd.Series, compare: Callable[[Any, Any], Any]) -> pd.Series:
    """Return whether each value stands so to the one before it; the first one does.

    Differences would overflow.
    """
    array = column.array
    answers = np.asarray(compare(array[1:], array[:-1]), dtype=bool)
    return pd.Series(
        np.concatenate([np.ones(min(1, len(array)), dtype=bool), answers]), index=column.index
    )


class Increasing(theirs.ColumnValuesIncreasing):
    """Values that rise, or do not fall."""

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: pd.Series, **more: Any) -> pd.Series:  # noqa: N805
        return steps(column, gt if more.get("strictly") else ge)


class Decreasing(theirs.ColumnValuesDecreasing):
    """Values that fall, or do not rise."""

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: pd.Series, **more: Any) -> pd.Series:  # noqa: N805
        return steps(column, lt if more.get("strictly") else le)


class ZScore(theirs.ColumnValuesZScore):
    """Distances from the mean in standard deviations, in float64."""

    @column_function_partial(engine=PandasExecutionEngine)
    def _pandas_function(
        cls,  # noqa: N805
        column: pd.Series,
        _metrics: Any,
        **_: Any,
    ) -> pd.Series:
        deviation = _metrics["column.standard_deviation"]
        if not deviation:
            return pd.Series(np.nan, index=column.index)
        if not exact(column):
            scores: pd.Series = (column - _metrics["column.mean"]) / deviation
            return scores
        return (as_floats(column) - float(_metrics["column.mean"])) / float(deviation)


def alike(one: pd.Series, other: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return two columns that compare exactly: as Python's values where their kinds differ."""
    return (one, other) if one.dtype == other.dtype else (one.astype(object), other.astype(object))


class PairEqual(theirs.ColumnPairValuesEqual):
    """Pairs of equal values; a null equals nothing."""

    @column_pair_condition_partial(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805
        column_A: pd.Series,  # noqa: N803 -- Great Expectations calls it so
        column_B: pd.Series,  # noqa: N803 -- likewise
        **_: Any,
    ) -> pd.Series:
        return as_booleans(eq(*alike(column_A, column_B)))


class PairGreater(theirs.ColumnPairValuesAGreaterThanB):
    """Pairs of which the first is greater; a null is not."""

    @column_pair_condition_partial(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805
        column_A: pd.Series,  # noqa: N803 -- likewise
        column_B: pd.Series,  # noqa: N803 -- likewise
        **more: Any,
    ) -> pd.Series:
        there = column_A.notna() & column_B.notna()
        compare = ge if more.get("or_equal") else gt
        answers = compare(*alike(column_A[there], column_B[there]))
        return as_booleans(answers.reindex(column_A.index, fill_value=False))


class PairInSet(theirs.ColumnPairValuesInSet):
    """Pairs that are in a set; a null is None there."""

    @column_pair_condition_partial(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805
        column_A: pd.Series,  # noqa: N803 -- likewise
        column_B: pd.Series,  # noqa: N803 -- likewise
        **more: Any,
    ) -> pd.Series:
        pairs = more.get("value_pairs_set")
        if pairs is None:
            return pd.Series(data=True, index=column_A.index)
        permitted_pairs = {tuple(pair) for pair in pairs}
        sides = (
            [None if pd.isna(v) else v for v in column.tolist()] for column in (column_A, column_B)
        )
        return pd.Series(
            [pair in permitted_pairs for pair in zip(*sides, strict=True)],
            index=column_A.index,
            dtype=bool,
        )


class RowSumEqual(theirs.MulticolumnSumEqual):
    """Rows whose values add up; one with a null does not."""

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **more: Any) -> pd.Series:  # noqa: N805
        rows = column_list[column_list.notna().all(axis=1)]
        columns = [rows[name] for name in rows.columns]
        sums = reduce(
            add, (column.astype(object) if exact(column) else column for column in columns)
        )
        return as_booleans(
            (sums == more.get("sum_total")).reindex(column_list.index, fill_value=False)
        )


class RowEqual(theirs.MulticolumnValuesEqual):
    """Rows of equal values; two nulls are equal, a null and a value are not."""

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **_: Any) -> pd.Series:  # noqa: N805
        first, *others = (column_list.iloc[:, place] for place in range(column_list.shape[1]))
        same = [
            as_booleans(eq(*alike(first, other))) | (first.isna() & other.isna())
            for other in others
        ]
        return reduce(and_, same, pd.Series(data=True, index=column_list.index))
