"""The engine that runs `build` on tables in memory."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadData, GiveUp, SpecError, TryAgain
from pipelines.tables import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa


def run_build(
    build: Any,
    tables: Mapping[str, pa.Table],
    subject: str,
    derived: tuple[str, str] | None = None,
) -> pa.Table:
    """Run a model's `build` on DuckDB through Ibis and return what it built as an Arrow table.

    `derived` is the name of a further column and the judged SQL that computes it of the built ones.

    One thread, so that sums of floats do not depend on the machine. Raises SpecError naming the
    file when `build` fails, and BadData naming the column where a table cannot be given to it.
    """
    import ibis

    # Kept once more: what a client has, or what was stored before a rule was there, must look the
    # same to `build`.

    inputs = {
        name: give_types(normalise(table, f"The table {name!r}")) for name, table in tables.items()
    }
    connection = ibis.duckdb.connect(":memory:", threads=1)
    try:
        with engine_errors(subject):
            # Registered in DuckDB itself: Ibis 12's create_table sends DuckDB 2.0 a statement that
            # it cannot parse.
            for name, table in inputs.items():
                connection.con.register(name, table)
            result = build({name: connection.table(name) for name in tables})
            built = normalise(
                _rows_of_expression(connection, result), f"{subject}: what build returned"
            )
            return built if derived is None else derive(connection.con, built, *derived)
    finally:
        connection.disconnect()


@contextlib.contextmanager
def engine_errors(subject: str) -> Iterator[None]:
    """Turn whatever `build` and its engine raise into a SpecError with a remedy."""
    import duckdb

    try:
        yield
    except (SpecError, TryAgain):
        raise
    except BadData as error:
        raise SpecError(
            error.message, remedy="cast the column in build, or name its columns apart."
        ) from error
    except GiveUp:
        raise
    except duckdb.OutOfMemoryException as error:
        raise SpecError(
            f"{subject}: build needs more memory, or more disk to spill into, than there is:"
            f" {str(error).splitlines()[0]}.",
            remedy=(
                "raise `resources.memory` in model.yaml or PERENNIAL_MEMORY, or let PERENNIAL_SPILL"
                " be a folder with more room."
            ),
        ) from error
    except Exception as error:
        raise SpecError(
            f"{subject}: build failed: {type(error).__name__}: {error}.",
            remedy="run `perennial check` after mending it.",
        ) from error


def derive(connection: Any, built: pa.Table, name: str, sql: str) -> pa.Table:
    """Return the built table with the column that the SQL computes of its rows, one by one.

    NaN is null by now, so that it is no large number. Raises SpecError where a column is not there,
    or a value cannot be computed.
    """
    import duckdb

    found = ", ".join(built.column_names)
    if name.lower() in {c.lower() for c in built.column_names}:
        raise SpecError(
            f"target: build returns a column {name!r} already, which the expression would make.",
            remedy="give the derived target another `column`.",
            at=("target", "column"),
        )
    # What is computed is judged at load; that it cannot reach a file is held here once more.
    connection.execute("SET enable_external_access = false")
    connection.register("perennial_built", give_types(built))
    # The text is made from the judged tree; it holds columns, literals and operators alone.
    query = f"SELECT ({sql}) AS derived FROM perennial_built"  # noqa: S608
    try:
        column = connection.sql(query).to_arrow_table()
    except duckdb.Error as error:
        raise SpecError(
            f"target.expression: {_why(error)}.",
            remedy=(
                f"build returns {found}; CAST changes a type, and TRY_CAST gives null, an unknown"
                " label, where a value does not fit."
            ),
            at=("target", "expression"),
        ) from error
    derived = normalise(column, "The derived target").column(0)
    return built.append_column(name, derived)


def _why(error: Exception) -> str:
    """Return why the engine could not compute an expression."""
    line = str(error).splitlines()[0].partition("Error: ")[2].split(" - ")[0].rstrip("!. ")
    absent = re.match(r'Referenced column "(.*)" not found', line)
    return f"build returns no column {absent[1]!r}" if absent else line


def give_types(table: pa.Table) -> pa.Table:
    """Return the table with columns that have no values in any batch as float64.

    Ibis can do nothing with DuckDB's NULL.
    """
    import pyarrow as pa

    return table.cast(
        pa.schema(
            [
                pa.field(f.name, pa.float64()) if pa.types.is_null(f.type) else f
                for f in table.schema
            ]
        )
    )


def _rows_of_expression(connection: Any, built: Any) -> pa.Table:
    """Return an Ibis expression's rows.

    Past Ibis where its conversion fails: for intervals, and lists without any value.
    """
    import ibis

    if not any(
        word in str(kind) for kind in built.schema().types for word in ("interval", "unknown")
    ):
        return connection.to_pyarrow(built)
    return connection.con.sql(ibis.to_sql(built, dialect="duckdb")).to_arrow_table()
