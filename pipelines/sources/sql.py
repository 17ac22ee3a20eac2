"""The `sql` source: a query with bound :start and :end, on the database that a setting names.

Rows are read in chunks and kept as Arrow columns, so that millions of them are never all Python
objects. Each database runs the query in a session that only reads.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pipelines.columns.contract import localise
from pipelines.columns.storable import check_names
from pipelines.errors import BadData, PerennialError, RequestError, SpecError, Unreachable
from pipelines.settings import SQL_PREFIX, database_url
from pipelines.sources import duckdb_query, postgres
from pipelines.sources.databases import database_of
from pipelines.sources.event_times import with_times
from pipelines.sources.port import Raw
from pipelines.sources.sql_chunks import rows_of_chunk, table_of
from pipelines.tables import normalise, problem_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    import pyarrow as pa
    import sqlalchemy as sa

    from pipelines.intervals import Interval
    from pipelines.sources.databases import Database
    from pipelines.spec.schema import Column
    from pipelines.spec.sources import SqlSource


class Sql:
    """Reads one interval with one query."""

    def __init__(
        self,
        source: SqlSource,
        event_time: str | None,
        environ: dict[str, str] | None = None,
        *,
        seconds: float | None = None,
        schema: Mapping[str, Column] | None = None,
    ) -> None:
        """Remember the query; the database's URL is looked up when it is read.

        A query is ended after `seconds`. `schema`: the columns of the model's schema.yaml, which
        may name zones of their own.
        """
        self._schema = schema or {}
        self._seconds = seconds
        self._source = source
        self._event_time = event_time
        self._zone = source.timezone
        self._environ = environ
        self._setting = SQL_PREFIX + source.database.upper()
        self._subject = f"The database {source.database!r}"

    def read(self, interval: Interval) -> Raw:
        """Return the query's rows.

        :start and :end are bound as times without a zone in the source's `timezone` (UTC), never
        pasted into the text. What the query changes is refused or rolled back.

        Raises RequestError where the setting's URL or its driver is wrong, Unreachable where the
        database is away or the query takes too long, SpecError where the database refuses it.
        """
        url = self._url()
        values = self._values(interval)
        try:
            table = (
                duckdb_query.read(
                    url,
                    self._source.query,
                    values,
                    zone=self._zone,
                    seconds=self._seconds,
                    subject=self._subject,
                )
                if duckdb_query.is_duckdb(url.drivername + ":")
                else self._read_by_driver(url, values)
            )
            self._check_names(table.column_names)
            table = normalise(localise(table, self._schema, self._zone), self._subject)
        except BadData as error:
            return Raw(problem=problem_of(error))
        table = with_times(table, self._event_time, self._subject, self._zone)
        return Raw({self._source.main: table})

    def _values(self, interval: Interval) -> dict[str, dt.datetime]:
        """Return what the query's parameters stand for."""
        zone = ZoneInfo(self._zone)
        ends = {"start": interval.start, "end": interval.end}
        return {
            name: moment.astimezone(zone).replace(tzinfo=None)
            for name, moment in ends.items()
            if name in self._source.parameters
        }

    def _read_by_driver(self, url: sa.URL, values: dict[str, dt.datetime]) -> pa.Table:
        engine = self._engine(url)
        try:
            with self._connect(engine) as connection:
                return self._rows(connection, values)
        finally:
            engine.dispose()

    def _url(self) -> sa.URL:
        import sqlalchemy as sa

        try:
            return sa.make_url(database_url(self._source.database, self._environ))
        except (sa.exc.ArgumentError, ValueError, TypeError):
            # without the cause, which may show the URL
            raise RequestError(
                f"The setting {self._setting} holds no readable SQLAlchemy URL.",
                remedy=self._url_remedy(),
            ) from None

    def _url_remedy(self) -> str:
        return (
            f"set {self._setting} to a SQLAlchemy URL, such as"
            " postgresql+psycopg2://user:password@host/name."
        )

    def _engine(self, url: sa.URL) -> sa.Engine:
        import sqlalchemy as sa

        try:
            return sa.create_engine(url, **postgres.engine_options(url.drivername))
        except ImportError as error:
            raise RequestError(
                f"The setting {self._setting} asks for a driver that is not installed:"
                f" {error.name}.",
                remedy=(
                    "install it; postgresql+psycopg2, mysql+pymysql, sqlite and duckdb are there."
                ),
            ) from error
        except sa.exc.NoSuchModuleError:
            raise RequestError(
                f"The setting {self._setting} names a kind of database that is not known.",
                remedy=self._url_remedy(),
            ) from None
        except (sa.exc.ArgumentError, ValueError, TypeError):
            raise RequestError(
                f"The setting {self._setting} holds no readable SQLAlchemy URL.",
                remedy=self._url_remedy(),
            ) from None

    def _connect(self, engine: sa.Engine) -> sa.Connection:
        import sqlalchemy as sa

        remedy = f"check the database and the setting {self._setting}."
        if _is_missing_file(engine.url):
            raise duckdb_query.no_file(engine.url, self._subject)
        try:
            return engine.connect()
        except sa.exc.SQLAlchemyError as error:
            raise Unreachable(
                f"{self._subject} cannot be reached: {_message(error, engine)}.", remedy=remedy
            ) from error
        except (TypeError, ValueError):  # without the cause, which may show the option
            raise RequestError(
                f"The setting {self._setting} has an option that the driver refuses.", remedy=remedy
            ) from None

    def _rows(self, connection: sa.Connection, values: dict[str, dt.datetime]) -> pa.Table:
        """Return the rows as the driver has them, a chunk of them at a time."""
        import sqlalchemy as sa

        bound = [sa.bindparam(name, type_=sa.DateTime()) for name in values]
        database = database_of(connection.dialect.name)
        try:
            database.prepare(connection, self._zone, self._seconds)
            answer = connection.execution_options(stream_results=True).execute(
                sa.text(self._source.query).bindparams(*bound), values
            )
            with closing(answer):
                return self._table(answer, database)
        except sa.exc.ResourceClosedError as error:
            raise SpecError(
                f"{self._subject} refuses the query: it returns no rows.",
                remedy="mend `source.query`.",
            ) from error
        except sa.exc.SQLAlchemyError as error:
            raise self._refusal(error, connection.engine) from error
        except PerennialError:
            raise
        # Drivers raise what they like where they cannot make a value of the answer.
        except Exception as error:  # noqa: BLE001
            why = (
                type(error).__name__
                if _holds_password(error, connection.engine)
                else f"{type(error).__name__}: {error}"
            )
            raise BadData(
                f"{self._subject} returned what cannot be read: {why[:300]}.",
                remedy="cast the column in `source.query`.",
            ) from None

    def _table(self, answer: sa.CursorResult[Any], database: Database) -> pa.Table:
        names = list(answer.keys())
        self._check_names(names)
        description = list(answer.cursor.description) if answer.cursor else []
        return table_of(
            names,
            answer.yield_per(rows_of_chunk(len(names))).partitions(),
            self._subject,
            database.changes_of(description, self._subject),
        )

    def _check_names(self, names: list[str]) -> None:
        try:
            check_names(names, "The query")
        except BadData as error:
            message = error.message.replace("The query has", "The query returns")
            raise SpecError(
                f"{self._subject}: {message}",
                remedy="give each column of `source.query` a name of its own (`as`).",
            ) from error

    def _refusal(self, cause: sa.exc.SQLAlchemyError, engine: sa.Engine) -> PerennialError:
        """Return what a failed query means: SQLAlchemy wraps the driver's error."""
        import sqlalchemy as sa

        message, database = _message(cause, engine), database_of(engine.dialect.name)
        driver_error = cause.orig if isinstance(cause, sa.exc.DBAPIError) else None
        if database.is_late(driver_error):
            return duckdb_query.late(self._subject, self._seconds)
        is_disconnected = isinstance(cause, sa.exc.DBAPIError) and cause.connection_invalidated
        if is_disconnected or (
            isinstance(cause, sa.exc.OperationalError) and database.is_away(driver_error)
        ):
            return Unreachable(
                f"{self._subject} cannot be read: {message}.",
                remedy=f"check the database and the setting {self._setting}.",
            )
        return SpecError(
            f"{self._subject} refuses the query: {message}.", remedy="mend `source.query`."
        )


def _is_missing_file(url: sa.URL) -> bool:
    """Tell whether SQLite would make the database file that it should read."""
    is_file = url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}
    return is_file and "uri" not in url.query and not Path(str(url.database)).is_file()


def _message(error: BaseException, engine: sa.Engine) -> str:
    """Return the driver's message; only its type where the message holds the password."""
    cause = getattr(error, "orig", None) or error
    return type(cause).__name__ if _holds_password(cause, engine) else str(cause)


def _holds_password(error: BaseException, engine: sa.Engine) -> bool:
    password = engine.url.password
    return bool(password) and str(password) in str(error)
