"""Which expectations Great Expectations judges on Spark as it does in memory.

Those that were tried on both, with null, NaN and odd texts, are listed, with the kinds of columns
and the arguments that they were tried with; all else stays here, and why is said in words.
tests/spark/test_expectations.py tries the list. See docs/decisions/0111-spark-judges-batches.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipelines.validation.columns import plain_type
from pipelines.validation.types import family

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.validation.suites import Expectation

NUMBERS = frozenset({"whole", "float", "decimal"})
MOMENTS = frozenset({"time", "date"})
KEYS = frozenset({"whole", "text", "time", "date"})
READ = NUMBERS | MOMENTS | {"text", "bool"}
"""The kinds of columns whose values Spark reads as Arrow does."""
BOUNDS = ("min_value", "max_value", "strict_min", "strict_max")
_DIGITS = 38
"""Of a Decimal of Spark's."""
_INT64 = range(-(2**63), 2**63)
_ONE = (
    r"[A-Za-z0-9 _,;:=<>@#%&!'\"~`/.-]"  # stands for itself, but for the dot
    r"|\\[-.+*?()\[\]{}^|/\\]"
    r"|\[\^?(?:[A-Za-z0-9 _,;:=<>@#%!'\"~`/.+*?()]|[A-Za-z0-9]-[A-Za-z0-9]|\\[-.\]\\/])+-?\]"
)
_OFTEN = r"(?:(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\??)?"
_SIMPLE = re.compile(rf"(?:(?:{_ONE}){_OFTEN}|\((?!\?)|\(\?:|\){_OFTEN}|[|^])*")
"""Regular expressions that mean the same to Java, to Python and to Arrow, but for their end."""


@dataclass(frozen=True)
class Tried:
    """With which kinds of columns and which arguments, beside the columns' names, it was tried."""

    kinds: frozenset[str]
    arguments: tuple[str, ...] = ()
    last_digit: bool = False
    """Whether floats may come out otherwise in their last digit."""


_LENGTHS = frozenset({"text"})
ALIKE = {
    "expect_table_row_count_to_be_between": Tried(READ, BOUNDS),
    "expect_table_row_count_to_equal": Tried(READ, ("value",)),
    "expect_column_values_to_not_be_null": Tried(READ, ("mostly",)),
    "expect_column_values_to_be_null": Tried(READ, ("mostly",)),
    "expect_column_values_to_be_between": Tried(NUMBERS | MOMENTS, (*BOUNDS, "mostly")),
    "expect_column_values_to_be_in_set": Tried(READ, ("value_set", "mostly")),
    "expect_column_values_to_not_be_in_set": Tried(READ, ("value_set", "mostly")),
    "expect_column_value_lengths_to_be_between": Tried(_LENGTHS, (*BOUNDS, "mostly")),
    "expect_column_value_lengths_to_equal": Tried(_LENGTHS, ("value", "mostly")),
    "expect_column_values_to_match_regex": Tried(_LENGTHS, ("regex", "mostly")),
    "expect_column_values_to_not_match_regex": Tried(_LENGTHS, ("regex", "mostly")),
    "expect_column_values_to_be_unique": Tried(KEYS, ("mostly",)),
    "expect_compound_columns_to_be_unique": Tried(KEYS, ("column_list", "mostly")),
    "expect_column_min_to_be_between": Tried(NUMBERS | MOMENTS, BOUNDS),
    "expect_column_max_to_be_between": Tried(NUMBERS | MOMENTS, BOUNDS),
    "expect_column_sum_to_be_between": Tried(NUMBERS, BOUNDS, last_digit=True),
    "expect_column_mean_to_be_between": Tried(NUMBERS, BOUNDS, last_digit=True),
    "expect_column_stdev_to_be_between": Tried(
        frozenset({"whole", "float"}), BOUNDS, last_digit=True
    ),
    "expect_column_unique_value_count_to_be_between": Tried(KEYS, BOUNDS),
    "expect_column_proportion_of_unique_values_to_be_between": Tried(KEYS, BOUNDS),
    "expect_column_proportion_of_non_null_values_to_be_between": Tried(READ, BOUNDS),
    "expect_column_distinct_values_to_be_in_set": Tried(KEYS, ("value_set",)),
    "expect_column_distinct_values_to_contain_set": Tried(KEYS, ("value_set",)),
    "expect_column_distinct_values_to_equal_set": Tried(KEYS, ("value_set",)),
    "expect_column_most_common_value_to_be_in_set": Tried(KEYS, ("value_set", "ties_okay")),
}
"""By type, how it was tried."""

_OTHERWISE = {
    "expect_column_median_to_be_between": "it would bring the whole column to Spark's driver",
    "expect_column_quantile_values_to_be_between": (
        "it would bring the whole column to Spark's driver"
    ),
    "expect_column_values_to_be_increasing": "Spark's rows have no order of their own",
    "expect_column_values_to_be_decreasing": "Spark's rows have no order of their own",
    "expect_column_values_to_be_dateutil_parseable": "it needs Python on the workers",
    "expect_column_values_to_be_json_parseable": "it needs Python on the workers",
    "expect_column_values_to_match_json_schema": "it needs Python on the workers",
    "expect_column_values_to_match_strftime_format": "it needs Python on the workers",
    "expect_column_pair_values_to_be_equal": "to Spark two nulls are neither equal nor unequal",
    "expect_column_pair_values_a_to_be_greater_than_b": "to Spark a null is not less than a value",
    "expect_column_pair_values_to_be_in_set": "to Spark a null is in no set",
    "expect_multicolumn_sum_to_equal": "to Spark a sum with a null is neither right nor wrong",
}
"""What Great Expectations' Spark engine does in another way, where that is known."""


def why_not_on_spark(expectation: Expectation, schema: pa.Schema, ready: Any = None) -> str:
    """Return in words why an expectation is not judged on Spark; "" where it is.

    `ready` is Great Expectations' own object, whose literals are values of the columns.
    """
    kind = expectation["type"]
    tried = ALIKE.get(kind)
    if tried is None:
        return _OTHERWISE.get(kind, "it was not tried on Spark")
    kwargs = {k: v for k, v in expectation["kwargs"].items() if v is not None}
    more = sorted(kwargs.keys() - {"column", *tried.arguments})
    if more:
        return f"it was not tried on Spark with `{more[0]}`"
    for name in columns_of(expectation):
        if name not in schema.names:
            return "there is no such column"
        found = kind_of(schema.field(name).type)
        if found not in tried.kinds:
            return f"{name} is {schema.field(name).type}, with which it was not tried on Spark"
    if "regex" in kwargs and not _is_simple(kwargs["regex"]):
        return "Spark reads such a regular expression in a way of its own"
    return "" if ready is None else _why_unfit(ready, tried.arguments)


def last_digit_is_free(expectation: Expectation, schema: pa.Schema) -> bool:
    """Tell whether what is observed may differ from that in memory in its last digit."""
    tried = ALIKE.get(expectation["type"])
    if tried is None or not tried.last_digit:
        return False
    kinds = {kind_of(schema.field(name).type) for name in columns_of(expectation)}
    return "float" in kinds or expectation["type"] == "expect_column_stdev_to_be_between"


def columns_of(expectation: Expectation) -> list[str]:
    """Return the columns that an expectation names."""
    kwargs = expectation["kwargs"]
    column, others = kwargs.get("column"), kwargs.get("column_list")
    return [*([column] if column else []), *(others if isinstance(others, list) else [])]


def kind_of(field: pa.DataType) -> str:
    """Return of which kind a column's values are to Spark; "" where it reads them otherwise."""
    import pyarrow as pa

    plain = plain_type(field)
    if pa.types.is_uint64(plain) or pa.types.is_decimal256(plain):
        return ""
    if pa.types.is_timestamp(plain) and plain.unit != "us":
        return ""
    if pa.types.is_large_string(plain) or pa.types.is_string(plain):
        return "text"
    kind = family(plain)
    return kind if kind in READ else ""


def spark_regex(pattern: str) -> str:
    """Return a simple regular expression as Spark means what Arrow does: `$` is the very end."""
    return f"(?d){pattern[:-1]}\\z" if pattern.endswith("$") else f"(?d){pattern}"


def _is_simple(pattern: Any) -> bool:
    if not isinstance(pattern, str):
        return False
    return bool(_SIMPLE.fullmatch(pattern.removesuffix("$")))


def _why_unfit(ready: Any, arguments: tuple[str, ...]) -> str:
    """Return in words why a literal means another thing to Spark; "" where none does."""
    values = getattr(ready, "value_set", None) if "value_set" in arguments else None
    bounds = [getattr(ready, n, None) for n in ("min_value", "max_value") if n in arguments]
    for value in [*(values or []), *(b for b in bounds if b is not None)]:
        if value is None:
            return "to Spark null is in no set"
        if isinstance(value, Decimal) and len(value.as_tuple().digits) > _DIGITS:
            return f"a Decimal of Spark's has {_DIGITS} digits"
        if isinstance(value, int) and value not in _INT64:
            return "a whole number of Spark's has 64 bits"
    return ""
