"""Whether Spark could run a model's `build`: found without Spark, from what its expression is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.building.made_at import line_that_made
from pipelines.building.rows import engine_errors, give_types
from pipelines.building.spark_alike import why_may_differ
from pipelines.building.spark_compiler import Unsayable
from pipelines.building.spark_rows import compile_for_spark
from pipelines.errors import SpecError
from pipelines.tables import normalise

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa


def judge_for_spark(build: Any, tables: Mapping[str, pa.Table], subject: str, file: str) -> str:
    """Return in words what may come out otherwise than on DuckDB; "" where nothing can.

    Raises SpecError naming the operation that Spark has not, and the line that makes it.
    """
    import ibis

    connection = ibis.duckdb.connect(":memory:", threads=1)
    try:
        with engine_errors(subject):
            for name, table in tables.items():
                given = give_types(normalise(table, f"The table {name!r}"))
                connection.con.register(name, given)
            bound = {name: connection.table(name) for name in tables}
            built = build(bound)
            try:
                compile_for_spark(built, subject)
            except SpecError as error:
                if not isinstance(error.__cause__, Unsayable):
                    raise
                line = line_that_made(error.__cause__.operation.__name__, build, bound, file)
                where = f" See line {line} of features.py." if line else ""
                raise SpecError(error.message + where, remedy=error.remedy, at=error.at) from None
            return why_may_differ(built)
    finally:
        connection.disconnect()
