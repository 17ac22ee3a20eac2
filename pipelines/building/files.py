"""`build` from Parquet files to a Parquet file, without ever holding all rows.

DuckDB reads the raw files, keeps to its memory, and spills what does not fit. The rows come out
sorted and are written group by group: with the same bytes as `to_parquet` would give them.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.building.question import BuildAnswer, BuildQuestion
from pipelines.building.quoting import quote_name, quote_text
from pipelines.building.row_groups import groups, write_groups
from pipelines.building.row_order import why_order_matters
from pipelines.building.rows import derive, engine_errors
from pipelines.columns.storable import check_names
from pipelines.tables import GROUP_ROWS, normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from pipelines.building.question import RawTable


def build_file(build: Any, question: BuildQuestion, subject: str) -> BuildAnswer:
    """Run `build` and write the rows that are asked for; return what there is to say of them.

    Nothing is written, and the answer says why, where the rows can only be built in memory. Raises
    SpecError as `run_build` does.
    """
    import ibis

    connection = ibis.duckdb.connect(
        ":memory:",
        threads=1,  # for what the code computes at once, while it makes its expression
        memory_limit=f"{question.memory}B",
        temp_directory=question.folder,
    )
    try:
        with engine_errors(subject):
            # DuckDB 2.0 believes a Parquet file's least and greatest value, which NaN is not among,
            # and reckons that `isnan` is false everywhere, whatever the file holds.
            connection.con.execute("SET disabled_optimizers = 'statistics_propagation'")
            for name, table in question.tables.items():
                connection.con.execute(_view(name, table, question))
            built = build({name: connection.table(name) for name in question.tables})
            return _write(connection, built, question, subject)
    finally:
        connection.disconnect()


def _write(connection: Any, built: Any, question: BuildQuestion, subject: str) -> BuildAnswer:
    unfit = _why_unfit(built, question)
    if unfit:
        return BuildAnswer(unfit=unfit)
    names = list(built.schema().names)
    check_names(names, f"{subject}: what build returned")
    derived = question.derived[0] if question.derived else None
    wanted = [c for c in question.columns if c != derived]
    if not set(wanted) <= set(names):
        return BuildAnswer(names=[*names, *([derived] if derived else [])])
    why = why_order_matters(built)
    if why and not question.any_order and question.spark is None:
        return BuildAnswer(unfit=why)
    # The derived column may be made of any column that was built.
    selected = built.select(*(names if derived else wanted))
    answer = BuildAnswer(names=[*names, *([derived] if derived else [])])
    if question.spark is not None:
        # Loaded here alone: each step reads this module, and few of them ask Spark.
        from pipelines.building.spark_alike import why_may_differ
        from pipelines.building.spark_rows import build_on_spark

        sql, versions = build_on_spark(selected, question, subject)
        connection.con.execute("SET TimeZone = 'UTC'")  # as Spark's session has it
        answer = answer.model_copy(update={"spark": versions, "may_differ": why_may_differ(built)})
        threads = question.threads
    else:
        # Makes known the tables and functions that the code made; `compile` alone does not.
        connection._run_pre_execute_hooks(selected)  # noqa: SLF001 -- Ibis has no other way
        sql, threads = connection.compile(selected), 1 if why else question.threads
        answer = answer.model_copy(update={"one_thread": why})
    connection.con.execute(f"SET threads = {threads}")
    query = _query(sql, selected, question)
    rows = connection.con.sql(query).to_arrow_reader(GROUP_ROWS)
    tables = (
        _as_kept(selected, batches, question, subject) for batches in groups(rows, GROUP_ROWS)
    )
    answer = _write_groups(tables, question, answer)
    if question.spark is not None:
        from pipelines.building.spark_rows import PARTS

        shutil.rmtree(Path(question.folder) / PARTS, ignore_errors=True)  # as many bytes once more
    return answer


def _why_unfit(built: Any, question: BuildQuestion) -> str:
    """Return why the rows cannot be sorted and written by the engine; "" where they can."""
    import ibis.expr.types as ir

    if not isinstance(built, ir.Table):
        return "build returned no Ibis table"
    schema = built.schema()
    if any(word in str(kind) for kind in schema.types for word in ("interval", "unknown")):
        return "build returned intervals, or columns of no type"
    for column in question.order:
        kind = schema.get(column)
        if kind is None:
            continue  # which is said by whoever compares the names
        fine = kind.is_timestamp() and (kind.scale or 0) > 6  # noqa: PLR2004 -- microseconds
        if kind.is_floating() or kind.is_nested() or fine:
            return f"rows are sorted by {column}, which is {kind}"
    time = schema.get(question.event_time) if question.event_time else None
    if time is not None and not (time.is_timestamp() or time.is_date()):
        return f"{question.event_time} is {time}"
    return ""


def _view(name: str, table: RawTable, question: BuildQuestion) -> str:
    """Return the SQL that makes a raw table known: its files, as one."""
    files = ", ".join(quote_text(file) for file in table.files)
    columns = ", ".join(
        f"CASE WHEN isnan({quote_name(c)}) THEN NULL ELSE {quote_name(c)} END AS {quote_name(c)}"
        if c in table.floats
        else quote_name(c)
        for c in table.columns
    )
    source = f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
    where = _within(table.time, question.since, question.end, "TIMESTAMPTZ") if table.time else ""
    # Names and paths are quoted; nothing of them is SQL.
    return f"CREATE VIEW {quote_name(name)} AS SELECT {columns} FROM {source}{where}"  # noqa: S608


def _query(sql: str, selected: Any, question: BuildQuestion) -> str:
    """Return the SQL of the interval's rows in their order, of the SQL of all rows."""
    where = ""
    if question.event_time:
        kind = selected.schema()[question.event_time]
        literal = "TIMESTAMPTZ" if kind.is_timestamp() and kind.timezone else "TIMESTAMP"
        where = _within(question.event_time, question.start, question.end, literal)
    order = ", ".join(f"{quote_name(c)} ASC NULLS LAST" for c in question.order)
    sorting = f" ORDER BY {order}" if order else ""
    return f"SELECT * FROM ({sql}) AS built{where}{sorting}"  # noqa: S608


def _within(column: str, start: Any, end: Any, literal: str) -> str:
    zone = "+00" if literal == "TIMESTAMPTZ" else ""
    low, high = (f"{literal} '{t:%Y-%m-%d %H:%M:%S.%f}{zone}'" for t in (start, end))
    return f" WHERE {quote_name(column)} >= {low} AND {quote_name(column)} < {high}"


def _as_kept(
    selected: Any, batches: list[pa.RecordBatch], question: BuildQuestion, subject: str
) -> pa.Table:
    """Return a group of rows in the types that are kept, with the column that is derived."""
    import duckdb
    import pyarrow as pa
    from ibis.backends.duckdb.converter import DuckDBPyArrowData

    # The types that Ibis promises, as `to_pyarrow` gives them: DuckDB's own sums are wider.
    table = selected.__pyarrow_result__(
        pa.Table.from_batches(batches), data_mapper=DuckDBPyArrowData
    )
    table = normalise(table, f"{subject}: what build returned")
    if question.derived:
        with duckdb.connect(config={"threads": 1}) as connection:
            table = derive(connection, table, *question.derived)
    return table.select(question.columns).combine_chunks()


def _write_groups(
    tables: Iterator[pa.Table], question: BuildQuestion, answer: BuildAnswer
) -> BuildAnswer:
    """Write the groups of rows, and tell how many there were and which input was infinite."""
    infinite = [""]

    def looked_at(table: pa.Table) -> pa.Table:
        infinite[0] = infinite[0] or infinite_input(table, question.inputs)
        return table

    rows = write_groups(Path(question.target), map(looked_at, tables))
    return answer.model_copy(update={"rows": rows, "infinite": infinite[0]})


def infinite_input(table: pa.Table, inputs: list[str]) -> str:
    """Return the first of the inputs that has an infinite value; "" where none has."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in inputs:
        if name not in table.column_names:
            continue
        column = table.column(name)
        if pa.types.is_floating(column.type) and pc.any(pc.is_inf(column)).as_py():
            return name
    return ""
