"""What Spark builds of a model's `build`: its expression as SQL, and the files that come of it.

`build` is called where it always is, and its expression is written as SQL for Spark, which a driver
elsewhere is asked for. Spark leaves the rows as Parquet files in no order; they are sorted, typed
and written as DuckDB's own are. See docs/decisions/0104-spark-is-asked-in-sql.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.building.quoting import quote_name, quote_text
from pipelines.building.spark_compiler import Unsayable, write_sql
from pipelines.errors import SpecError
from pipelines.spark.session import session_at

if TYPE_CHECKING:
    from pipelines.building.question import BuildQuestion, RawTable
    from pipelines.spark.place import SparkVersions

PARTS = "spark-parts"
_REMEDY = (
    "say it in another way in build, or leave this model to DuckDB:"
    " `resources: {engines: {features: duckdb, drift: duckdb}}`."
)


@dataclass
class SparkSql:
    """An expression for Spark: its SQL, and the tables that the code made itself, by name."""

    sql: str
    made: dict[str, Any] = field(default_factory=dict)


def compile_for_spark(built: Any, subject: str) -> SparkSql:
    """Return the expression for Spark. Raises SpecError naming what Spark cannot."""
    import ibis.expr.operations as ops
    import sqlglot.errors

    node = built.op().replace(_without_place)
    made = {op.name: op for op in node.find(ops.InMemoryTable)}
    try:
        return SparkSql(write_sql(node.to_expr()), made)
    except Unsayable as error:
        name = error.operation.__name__
        raise SpecError(
            f"{subject}: {name} is not for Spark: {error.why}.",
            remedy=_REMEDY,
            at=("resources", "engines"),
        ) from error
    except (sqlglot.errors.SqlglotError, AttributeError, AssertionError) as error:
        raise SpecError(
            f"{subject}: Ibis cannot write it for Spark: {type(error).__name__}: {error}.",
            remedy=_REMEDY,
            at=("resources", "engines"),
        ) from error


def _without_place(node: Any, kwargs: Any = None) -> Any:
    """Return a table of DuckDB's as one of its name alone; Spark has no catalog `memory`."""
    import ibis.expr.operations as ops

    if isinstance(node, (ops.DatabaseTable, ops.UnboundTable)):
        return ops.UnboundTable(name=node.name, schema=node.schema)
    return node.__recreate__(kwargs) if kwargs else node


def build_on_spark(built: Any, question: BuildQuestion, subject: str) -> tuple[str, SparkVersions]:
    """Have Spark build the rows; return the SQL by which DuckDB reads them, and Spark's versions.

    Raises SpecError naming what Spark cannot say, and what the session raises.
    """
    assert question.spark is not None  # noqa: S101 -- who asks has looked
    spark = compile_for_spark(built, subject)
    session = session_at(question.spark)
    target = Path(question.folder) / PARTS / Path(question.target).stem
    files = {f"perennial_raw_{i}": t.files for i, t in enumerate(question.tables.values())}
    views = [
        _view(name, f"perennial_raw_{i}", table, question)
        for i, (name, table) in enumerate(question.tables.items())
    ]
    for i, (name, op) in enumerate(spark.made.items()):
        files[f"perennial_made_{i}"] = [_write(op, Path(question.folder) / f"made-{i}.parquet")]
        view = f"CREATE TEMPORARY VIEW {_quote(name)}"
        views.append(f"{view} AS SELECT * FROM perennial_made_{i}")  # noqa: S608 -- quoted
    answer = session.ask(
        {
            "what": "run",
            "files": files,
            "views": views,
            "names": [*question.tables, *spark.made],
            "sql": _within_interval(spark.sql, built, question),
            "target": str(target),
        }
    )
    return read_parts(built, answer["files"]), session.versions


def read_parts(built: Any, files: list[str]) -> str:
    """Return the SQL that reads Spark's files in DuckDB, in the types that Ibis promises."""
    from ibis.backends.sql.datatypes import DuckDBType

    columns = ", ".join(
        f"CAST({quote_name(n)} AS {DuckDBType.to_string(kind)}) AS {quote_name(n)}"
        for n, kind in built.schema().items()
    )
    parts = ", ".join(quote_text(file) for file in files)
    # Names and paths are quoted; nothing of them is SQL.
    return f"SELECT {columns} FROM read_parquet([{parts}], hive_partitioning = false)"  # noqa: S608


def _write(op: Any, path: Path) -> str:
    """Write a table that the code made to a file."""
    import pyarrow.parquet as pq

    pq.write_table(op.data.to_pyarrow(op.schema), path)
    return str(path)


def _view(name: str, raw: str, table: RawTable, question: BuildQuestion) -> str:
    """Return the SQL that makes a raw table known, as `files._view` does for DuckDB."""
    columns = ", ".join(
        f"CASE WHEN isnan({_quote(c)}) THEN NULL ELSE {_quote(c)} END AS {_quote(c)}"
        if c in table.floats
        else _quote(c)
        for c in table.columns
    )
    where = _between(table.time, question.since, question.end) if table.time else ""
    select = f"SELECT {columns} FROM {raw}{where}"  # noqa: S608 -- names are quoted
    return f"CREATE TEMPORARY VIEW {_quote(name)} AS {select}"


def _within_interval(sql: str, built: Any, question: BuildQuestion) -> str:
    if not question.event_time or question.event_time not in built.schema():
        return sql
    where = _between(question.event_time, question.start, question.end)
    return f"SELECT * FROM ({sql}) AS built{where}"  # noqa: S608


def _between(column: str, start: Any, end: Any) -> str:
    low, high = (f"TIMESTAMP '{t:%Y-%m-%d %H:%M:%S.%f}+00:00'" for t in (start, end))
    return f" WHERE {_quote(column)} >= {low} AND {_quote(column)} < {high}"


def _quote(name: str) -> str:
    """Return a column's or a table's name as Spark's SQL writes it."""
    return "`" + name.replace("`", "``") + "`"
