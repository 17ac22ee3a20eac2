"""DuckDB: read by its own library, which streams exact types and needs no driver in between."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.columns.storable import DIGITS
from pipelines.errors import BadData, RequestError, SpecError, Unreachable
from pipelines.sources.sql_chunks import MOST_ROWS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    import sqlalchemy as sa

_MEMORY = {None, "", ":memory:"}


def is_duckdb(url: str) -> bool:
    """Tell whether a setting's URL names a DuckDB database."""
    return url.startswith(("duckdb:", "duckdb+"))


def read(
    url: sa.URL,
    query: str,
    values: Mapping[str, dt.datetime],
    *,
    zone: str,
    seconds: float | None,
    subject: str,
) -> pa.Table:
    """Return the rows of a query on the database file that the URL names.

    Raises Unreachable where the file is not there or another process writes to it, or where the
    query takes longer than `seconds`; SpecError where the query is wrong or does more than read.
    """
    import duckdb

    statement, arguments = _positional(query, values)
    with _connection(url, subject) as connection, _time_limit(connection, seconds):
        try:
            _refuse_more_than_reading(connection, statement, subject)
            connection.execute("set TimeZone = ?", [zone])
            relation = connection.sql(statement, params=arguments or None)
            _refuse_types(relation, subject)
            return _check_digits(relation.to_arrow_reader(MOST_ROWS).read_all(), subject)
        except duckdb.InterruptException as error:
            raise late(subject, seconds) from error
        except duckdb.OutOfMemoryException as error:
            raise MemoryError from error
        except (duckdb.IOException, duckdb.HTTPException) as error:
            raise Unreachable(
                f"{subject} cannot be read: {_first_line(error)}.",
                remedy="check what `source.query` reads from.",
            ) from error
        except duckdb.Error as error:
            raise SpecError(
                f"{subject} refuses the query: {_first_line(error)}.", remedy="mend `source.query`."
            ) from error


def late(subject: str, seconds: float | None) -> Unreachable:
    """Return the error of a query that took too long."""
    limit = "its limit" if seconds is None else f"{seconds:g} s"
    return Unreachable(
        f"{subject} cannot be read: the query took longer than {limit} and was ended.",
        remedy=(
            "make it cheaper (an index on the event time?), or allow more (`source.timeout` in"
            " model.yaml, PERENNIAL_SOURCE_TIMEOUT_SECONDS)."
        ),
    )


def _positional(query: str, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Return the query with `?` for each parameter, and what stands for them."""
    import sqlalchemy as sa
    from sqlalchemy.engine.default import DefaultDialect

    compiled: Any = sa.text(query).compile(dialect=DefaultDialect(paramstyle="qmark"))
    return str(compiled), [values[name] for name in compiled.positiontup or []]


@contextmanager
def _connection(url: sa.URL, subject: str) -> Iterator[Any]:
    import duckdb

    is_file = url.database not in _MEMORY
    if is_file and not Path(str(url.database)).is_file():
        raise no_file(url, subject)
    try:
        connection = duckdb.connect(
            url.database or ":memory:", read_only=is_file, config=dict(url.query)
        )
    except duckdb.IOException as error:
        raise Unreachable(
            f"{subject} cannot be reached: {_first_line(error)}.",
            remedy="another process may have it open for writing; close it there.",
        ) from error
    except (duckdb.Error, TypeError, ValueError):  # without the cause, which may show an option
        raise RequestError(
            f"{subject}: DuckDB does not take the options of its URL.",
            remedy="remove what follows the `?`.",
        ) from None
    try:
        yield connection
    finally:
        connection.close()


def no_file(url: sa.URL, subject: str) -> Unreachable:
    """Return the error of a database file that is not there; to open it would make an empty one."""
    return Unreachable(
        f"{subject} cannot be reached: there is no file {url.database}.",
        remedy="check the path in its setting; four slashes begin one from the root.",
    )


@contextmanager
def _time_limit(connection: Any, seconds: float | None) -> Iterator[None]:
    """Interrupt what the connection does after so many seconds."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _refuse_more_than_reading(connection: Any, statement: str, subject: str) -> None:
    """Raise SpecError for what is no SELECT: a file opened for reading still lets COPY write."""
    import duckdb

    kinds = [s.type for s in connection.extract_statements(statement)]
    if kinds != [duckdb.StatementType.SELECT]:
        words = " and ".join(str(k.name).upper() for k in kinds) or "nothing"
        raise SpecError(
            f"{subject} refuses the query: it is {words}, and only one SELECT is run.",
            remedy="mend `source.query`.",
        )


def _refuse_types(relation: Any, subject: str) -> None:
    """Raise for types that Arrow would carry without a part of their meaning."""
    for name, kind in zip(relation.columns, relation.types, strict=True):
        if str(kind) in {"TIME WITH TIME ZONE", "BIT"}:
            raise BadData(
                f"{subject}: the column {name!r} has the type {kind}, which is not kept here.",
                remedy="cast it in `source.query`, perhaps to VARCHAR.",
            )


def _check_digits(table: pa.Table, subject: str) -> pa.Table:
    """Return the table. Raises BadData where a whole number of 128 bits has too many digits."""
    import pyarrow as pa

    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_decimal(column.type):
            try:
                column.validate(full=True)
            except pa.ArrowInvalid as error:
                raise BadData(
                    f"{subject}: the column {name!r} has numbers of more than {DIGITS} digits.",
                    remedy="cast it to VARCHAR in `source.query`.",
                ) from error
    return table


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0].removesuffix(".") if str(error) else type(error).__name__
