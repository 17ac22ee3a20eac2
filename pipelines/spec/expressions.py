"""The one place of a spec that computes: the expression of a derived target.

An expression is read by sqlglot as DuckDB's SQL and judged by its tree. Only what stands in the
lists below may be in it: columns, literals, operators, CASE, casts and a few pure functions. So it
can ask no other table, read no file, and gives the same answer every time. What is run is the text
made from the judged tree, never the text that was written.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlglot import exp

LONGEST = 1_000
"""Characters of an expression."""

FUNCTIONS = (
    *("abs", "ceil", "coalesce", "date_diff", "extract", "floor", "greatest", "if", "least"),
    *("length", "lower", "nullif", "round", "trim", "upper"),
)
"""The functions that an expression may call."""

CAST_TYPES = (
    *("BOOLEAN", "INT", "BIGINT", "DOUBLE", "DECIMAL", "VARCHAR", "DATE", "TIMESTAMP"),
    "TIMESTAMPTZ",
)

_MAY_STAND = "use columns, numbers, texts, operators, CASE, CAST and " + ", ".join(FUNCTIONS)


class NotAllowed(ValueError):
    """An expression that no target may have; says why, and what to write instead."""


@dataclass(frozen=True)
class Expression:
    """A judged expression: as SQL, and the columns that it reads."""

    sql: str
    columns: tuple[str, ...]


def judge_expression(text: str) -> Expression:
    """Return the expression in a text. Raises NotAllowed in words."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        trees = sqlglot.parse(text, read="duckdb")
    except (SqlglotError, RecursionError) as error:
        msg = f"is no expression of SQL{_where(error)}; write one such as `arr_delay > 15`"
        raise NotAllowed(msg) from error
    if len(trees) != 1 or trees[0] is None:
        msg = "must be one expression of SQL; write one such as `arr_delay > 15`"
        raise NotAllowed(msg)
    tree, columns = trees[0], dict[str, None]()
    for node in tree.walk():
        _refuse_foreign(node)
        if isinstance(node, exp.Column):
            columns[node.name] = None
    if not columns:
        msg = "names no column, so it is the same in every row; write one such as `arr_delay > 15`"
        raise NotAllowed(msg)
    return Expression(tree.sql(dialect="duckdb"), tuple(columns))


def _where(error: Exception) -> str:
    """Return where the text stops to be SQL, as far as the parser tells."""
    places: list[dict[str, Any]] = getattr(error, "errors", [])
    place = places[0] if places else {}
    near = str(place.get("highlight") or "").strip()
    column = f" at column {place['col']}" if place.get("col") else ""
    return f"{column} (near {near[:40]!r})" if near else column


def _refuse_foreign(node: exp.Expr) -> None:
    """Raise NotAllowed where a part of the tree is none of those that may stand there."""
    from sqlglot import exp

    shown = node.sql(dialect="duckdb")[:60]
    if isinstance(node, exp.Column):
        if node.table or not isinstance(node.this, exp.Identifier):
            msg = f"`{shown}` names a table; write the column alone"
            raise NotAllowed(msg)
    elif isinstance(node, exp.DataType):
        if node.expressions and node.this.name != "DECIMAL":
            msg = f"`{shown}` is no type to cast to; use {', '.join(CAST_TYPES)}"
            raise NotAllowed(msg)
        if node.this.name not in CAST_TYPES:
            msg = f"`{shown}` is no type to cast to; use {', '.join(CAST_TYPES)}"
            raise NotAllowed(msg)
    elif type(node) not in _node_kinds():
        msg = f"`{shown}` may not stand there; {_MAY_STAND}"
        raise NotAllowed(msg)
    elif isinstance(node, exp.In) and set(_argument_names(node)) - {"this", "expressions"}:
        msg = f"`{shown}` asks another table; write the values in brackets, `a IN (1, 2)`"
        raise NotAllowed(msg)


def _argument_names(node: exp.Expr) -> list[str]:
    return [name for name, value in node.args.items() if value]


@cache
def _node_kinds() -> frozenset[type]:
    """Return the kinds of nodes that may stand in an expression, columns and types apart."""
    from sqlglot import exp

    kinds: list[type] = [
        *(exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Var, exp.Interval),
        *(exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between, exp.Like, exp.Case, exp.If),
        *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ),
        *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.DPipe),
        *(exp.Abs, exp.Ceil, exp.Coalesce, exp.DateDiff, exp.Extract, exp.Floor, exp.Greatest),
        *(exp.Least, exp.Length, exp.Lower, exp.Nullif, exp.Round, exp.Trim, exp.Upper),
        *(exp.Cast, exp.TryCast, exp.DataTypeParam),
    ]
    return frozenset(kinds)
