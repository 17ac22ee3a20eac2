"""What of an expression may come out otherwise on Spark than on DuckDB, from its operations.

What was tried on both engines, with odd values too, is listed; whatever else Ibis can say may
differ. tests/spark/test_same_values.py tries the list.
"""

from __future__ import annotations

from typing import Any

from pipelines.building.row_order import why_order_matters

ALIKE = frozenset(
    [
        "Abs",
        "Add",
        "Aggregate",
        "Alias",
        "All",
        "And",
        "Any",
        "ArgMax",
        "ArrayIndex",
        "Between",
        "Cast",
        "Ceil",
        "Clip",
        "Coalesce",
        "Count",
        "CountDistinct",
        "CountStar",
        "DatabaseTable",
        "Date",
        "DayOfWeekIndex",
        "DayOfWeekName",
        "DenseRank",
        "Distinct",
        "Divide",
        "DropColumns",
        "EndsWith",
        "Equals",
        "ExtractDay",
        "ExtractDayOfYear",
        "ExtractEpochSeconds",
        "ExtractHour",
        "ExtractMinute",
        "ExtractMonth",
        "ExtractQuarter",
        "ExtractSecond",
        "ExtractWeekOfYear",
        "ExtractYear",
        "Field",
        "Filter",
        "First",
        "Floor",
        "FloorDivide",
        "Greater",
        "GreaterEqual",
        "Greatest",
        "IfElse",
        "InMemoryTable",
        "InValues",
        "IsInf",
        "IsNan",
        "IsNull",
        "JoinChain",
        "JoinLink",
        "JoinReference",
        "LPad",
        "Lag",
        "Lead",
        "Least",
        "Less",
        "LessEqual",
        "Literal",
        "Lowercase",
        "Max",
        "Mean",
        "Median",
        "Min",
        "MinRank",
        "Modulus",
        "Multiply",
        "Negate",
        "Not",
        "NotEquals",
        "NotNull",
        "NullIf",
        "Or",
        "Power",
        "Project",
        "RegexExtract",
        "RegexSearch",
        "Repeat",
        "Reverse",
        "Round",
        "RowNumber",
        "SearchedCase",
        "Sign",
        "SortKey",
        "Sqrt",
        "StandardDev",
        "StartsWith",
        "StrRight",
        "Strftime",
        "StringConcat",
        "StringContains",
        "StringFind",
        "StringLength",
        "StringReplace",
        "StringSQLLike",
        "StringSplit",
        "Strip",
        "Substring",
        "Subtract",
        "Sum",
        "TimestampAdd",
        "TimestampFromUNIX",
        "TimestampTruncate",
        "TryCast",
        "UnboundTable",
        "Union",
        "Uppercase",
        "WindowBoundary",
        "WindowFunction",
    ]
)
"""The operations that give the same values."""

DIGITS = frozenset(
    [
        "Exp",
        "Ln",
        "Log",
        "Log2",
        "Log10",
        "Sin",
        "Cos",
        "Tan",
        "Asin",
        "Acos",
        "Atan",
        "Atan2",
        "Cot",
    ]
)
"""The operations whose last digit is each engine's own."""


def why_may_differ(table: Any) -> str:
    """Return in words what may come out otherwise on Spark; "" where nothing is known to."""
    import ibis.expr.operations as ops

    why = why_order_matters(table)
    if why:
        return f"the order of rows matters to {why}"
    names = {type(node).__name__ for node in table.op().find(ops.Node)}
    digits = sorted(names & DIGITS)
    if digits:
        return f"the last digit of {digits[0]} is each engine's own"
    untried = sorted(names - ALIKE)
    return f"{untried[0]} was not tried on both engines" if untried else ""
