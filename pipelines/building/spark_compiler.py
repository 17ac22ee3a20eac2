"""Ibis' compiler for Spark's SQL, with DuckDB's meaning where the two differ.

What Ibis writes for Spark is what Spark's users expect of Spark. A model's features must not depend
on who computed them, so what is different is said otherwise here, and what cannot be said is
refused. tests/spark/test_same_values.py holds every line against both engines.
"""

from __future__ import annotations

import re
from typing import Any

import ibis.expr.operations as ops
import sqlglot as sg
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.base import NULL
from ibis.backends.sql.compilers.pyspark import PySparkCompiler
from ibis.common.exceptions import IbisError, OperationNotDefinedError
from ibis.config import Config, options


class Unsayable(Exception):
    """An operation that Spark has not, or that means something else there."""

    def __init__(self, operation: type, why: str) -> None:
        """Keep the operation's class and why it cannot be said."""
        super().__init__(why)
        self.operation = operation
        self.why = why


OTHERWISE: dict[str, str] = {
    "Hash": "each engine has a hash of its own",
    "RowID": "each engine numbers rows in its own way",
    "SQLStringView": "it is SQL for DuckDB",
    "SQLQueryResult": "it is SQL for DuckDB",
    "TimestampDelta": "DuckDB counts the borders between, Spark what is whole",
    "DateDelta": "DuckDB counts the borders between, Spark what is whole",
    "TimeDelta": "DuckDB counts the borders between, Spark what is whole",
    "ApproxCountDistinct": "each engine estimates in its own way",
    "ApproxMedian": "each engine estimates in its own way",
    "ApproxQuantile": "each engine estimates in its own way",
    "ApproxMultiQuantile": "each engine estimates in its own way",
}
"""What both engines have and answer differently, by the operation's name."""


class _Options(Config):  # type: ignore[misc]
    """What Ibis asks for while it compiles; it declares it only where PySpark is installed."""

    treat_nan_as_null: bool = False


class FeatureCompiler(PySparkCompiler):  # type: ignore[misc]
    """The compiler. Raises Unsayable."""

    __slots__ = ()

    def visit_node(self, op: ops.Node, **kwargs: Any) -> Any:
        """Return an operation in SQL."""
        name = type(op).__name__
        if isinstance(op, (ops.ScalarUDF, ops.AggUDF)) or "VectorizedUDF" in name:
            raise Unsayable(type(op), "the workers run no Python, and functions of an engine's own")
        if isinstance(op, ops.Impure):
            raise Unsayable(type(op), "it gives another value each time")
        if name in OTHERWISE:
            raise Unsayable(type(op), OTHERWISE[name])
        try:
            return super().visit_node(op, **kwargs)
        except OperationNotDefinedError as error:
            raise Unsayable(type(op), "Spark has nothing like it") from error
        except (IbisError, NotImplementedError, TypeError, ValueError) as error:
            raise Unsayable(type(op), str(error)) from error

    def visit_Divide(self, _: Any, *, left: Any, right: Any) -> Any:  # noqa: N802 -- Ibis' names
        """By zero: infinite, or NaN, as floats have it. Spark stops."""
        double = sg.cast(left, sge.DataType.Type.DOUBLE)
        return self.if_(
            sge.EQ(this=right, expression=sge.convert(0)),
            sge.Mul(this=double, expression=self.POS_INF),
            self.binop(sge.Div, left, right),
        )

    def visit_IsNull(self, _: Any, *, arg: Any) -> Any:  # noqa: N802
        """NaN is a value."""
        return arg.is_(NULL)

    def visit_NotNull(self, _: Any, *, arg: Any) -> Any:  # noqa: N802
        """NaN is a value."""
        return arg.is_(sg.not_(NULL))

    def visit_IsNan(self, _: Any, *, arg: Any) -> Any:  # noqa: N802
        """Null of null."""
        return self.if_(arg.is_(NULL), NULL, self.f.isnan(arg))

    def visit_IsInf(self, op: Any, *, arg: Any) -> Any:  # noqa: N802
        """Ibis 12 compares two trees of SQL instead of writing a comparison."""
        del op
        double = sge.DataType.Type.DOUBLE
        return sge.In(this=sg.cast(arg, double), expressions=[self.POS_INF, self.NEG_INF])

    def visit_TimestampFromUNIX(self, op: Any, *, arg: Any, unit: Any) -> Any:  # noqa: N802
        """Exactly, where Ibis goes through a text of whole seconds."""
        names = {"s": "timestamp_seconds", "ms": "timestamp_millis", "us": "timestamp_micros"}
        name = names.get(unit.short)
        if name is None:
            raise Unsayable(type(op), f"Spark's times have no {unit.plural}")
        return self.f.anon[name](arg)

    def visit_ArrayIndex(self, _: Any, *, arg: Any, index: Any) -> Any:  # noqa: N802
        """Null beyond the ends, where Spark stops; from the end where it is negative."""
        zero = sge.convert(0)
        place = self.if_(sge.GTE(this=index, expression=zero), index + 1, index)
        return self.f.anon.try_element_at(arg, place)

    def visit_StringSplit(self, _: Any, *, arg: Any, delimiter: Any) -> Any:  # noqa: N802
        """At a text, not at a pattern."""
        if isinstance(delimiter, sge.Literal):
            return self.f.anon.split(arg, sge.convert(re.escape(delimiter.this)))
        quoted = self.f.concat(sge.convert("\\Q"), delimiter, sge.convert("\\E"))
        return self.f.anon.split(arg, quoted)


def write_sql(table: Any) -> str:
    """Return a table that is bound to nothing as Spark's SQL. Raises Unsayable."""
    if options.pyspark is None:
        options.pyspark = _Options()
    compiler = FeatureCompiler()
    return str(compiler.to_sqlglot(table).sql(dialect=compiler.dialect, pretty=True))
