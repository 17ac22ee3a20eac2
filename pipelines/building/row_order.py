"""Whether the rows of a built table depend on the order in which the engine meets rows.

Where they do not, the result is the same with any number of threads, any plan and any spilling;
where they may, only one thread meets the rows in the order that they are stored in. Sums of floats
depend on it in their last bits, "the row before" where two rows have one time, and so on.

What is known to be safe is listed; whatever else Ibis can say counts as unsafe.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

_JOINS = {"inner", "left", "right", "outer", "semi", "anti", "cross"}
"""Those that give every pair that fits; the others choose one of several."""


def why_order_matters(table: Any) -> str:
    """Return in words what in an Ibis table may depend on the order of rows; "" where nothing."""
    import ibis.expr.operations as ops

    for node in table.op().find(ops.Node):
        why = _why(node)
        if why:
            return why
    return ""


def _why(node: Any) -> str:
    """Return in words why the order of rows may matter to one node; "" where it does not."""
    import ibis.expr.operations as ops

    name = type(node).__name__
    if isinstance(node, ops.Impure) or "UDF" in name:
        return f"{name}, which may give another value each time"
    if isinstance(node, ops.Relation):
        return _why_relation(node, name)
    if isinstance(node, ops.Reduction):
        return _why_reduction(node, name)
    if isinstance(node, ops.WindowFunction):
        return _why_window(node)
    if isinstance(node, ops.Analytic) and not isinstance(node, _ranks()):
        return f"{name} over rows that may share one place in their order"
    return ""


def _why_relation(node: Any, name: str) -> str:
    import ibis.expr.operations as ops

    if not isinstance(node, _relations()):
        return f"{name}, which takes some of the rows"
    if isinstance(node, ops.JoinChain):
        odd = {link.how for link in node.rest} - _JOINS
        return f"a join of the kind {min(odd)}" if odd else ""
    distinct = isinstance(node, ops.Distinct) or getattr(node, "distinct", False)
    groups = node.groups.values() if isinstance(node, ops.Aggregate) else ()
    kinds = [
        *(node.schema.types if distinct else ()),
        *(value.dtype for value in groups),
    ]
    if any(kind.is_floating() or kind.is_nested() for kind in kinds):
        return "groups of floats, of which 0.0 and -0.0 are one"
    return ""


def _why_reduction(node: Any, name: str) -> str:
    import ibis.expr.operations as ops

    if isinstance(node, _counts()):
        return ""
    kind = node.args[0].dtype
    whole = kind.is_integer() or kind.is_boolean()
    if isinstance(node, ops.Sum):
        exact = whole or kind.is_decimal()
    elif isinstance(node, ops.Mean):
        exact = whole
    elif isinstance(node, ops.Min | ops.Max):
        exact = not (kind.is_floating() or kind.is_nested())
    else:
        exact = False
    return "" if exact else f"{name} of {kind} ({node.name})"


def _why_window(node: Any) -> str:
    import ibis.expr.operations as ops

    by_rows = node.how == "rows" and not (node.start is None and node.end is None)
    if isinstance(node.func, ops.Reduction) and by_rows:
        return f"a window that counts rows ({node.name}); one of `range=` would not"
    return ""


@lru_cache(maxsize=1)
def _relations() -> Any:
    """Return the relations that keep, join or group all rows."""
    import ibis.expr.operations as ops

    return (
        ops.Aggregate,
        ops.DatabaseTable,
        ops.Distinct,
        ops.DropColumns,
        ops.DropNull,
        ops.DummyTable,
        ops.FillNull,
        ops.Filter,
        ops.InMemoryTable,
        ops.JoinChain,
        ops.JoinReference,
        ops.Project,
        ops.SelfReference,
        ops.Set,
        ops.Sort,
        ops.TableUnnest,
        ops.UnboundTable,
    )


@lru_cache(maxsize=1)
def _counts() -> tuple[type, ...]:
    """Return the reductions that are exact whatever their values are."""
    import ibis.expr.operations as ops

    return (
        ops.All,
        ops.Any,
        ops.BitAnd,
        ops.BitOr,
        ops.BitXor,
        ops.Count,
        ops.CountDistinct,
        ops.CountDistinctStar,
        ops.CountStar,
    )


@lru_cache(maxsize=1)
def _ranks() -> tuple[type, ...]:
    """Return the analytic functions that give rows of one place one value."""
    import ibis.expr.operations as ops

    return (ops.CumeDist, ops.DenseRank, ops.MinRank, ops.PercentRank)
