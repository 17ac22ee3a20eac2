"""The `sql` source: a query with bound :start and :end, on the database that a setting names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.columns.from_objects import column_of, json_text
from pipelines.columns.storable import check_names
from pipelines.errors import BadData, PerennialError, RequestError, SpecError, Unreachable
from pipelines.settings import SQL_PREFIX, database_url
from pipelines.sources import postgres
from pipelines.sources.parsing import with_times
from pipelines.sources.port import Raw
from pipelines.tables import normalise, problem_of

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

    from pipelines.intervals import Interval
    from pipelines.spec.sources import SqlSource

_WRONG_STATEMENT = {1, 1054}
"""SQLite's SQLITE_ERROR and MySQL's unknown column.

Errors of the query that these drivers call operational.
"""


class Sql:
    """Reads one interval with one query."""

    def __init__(
        self,
        source: SqlSource,
        event_time: str | None,
        environ: dict[str, str] | None = None,
        *,
        seconds: float | None = None,
    ) -> None:
        """Remember the query; the database's URL is looked up when it is read.

        A server that can is told to end the query after `seconds`.
        """
        self._seconds = seconds
        self._source = source
        self._event_time = event_time
        self._environ = environ
        self._setting = SQL_PREFIX + source.database.upper()
        self._subject = f"The database {source.database!r}"

    def read(self, interval: Interval) -> Raw:
        """Return the query's rows.

        :start and :end are bound as times in UTC without a zone, never pasted into the text.

        Raises RequestError where the setting's URL or its driver is wrong, Unreachable where the
        database is away, SpecError where it refuses the query.
        """
        engine = self._engine()
        try:
            with self._connect(engine) as connection:
                names, rows = self._rows(connection, interval)
            table = normalise(_table(names, rows, self._subject), self._subject)
        except BadData as error:
            return Raw(problem=problem_of(error))
        finally:
            engine.dispose()
        return Raw({self._source.main: with_times(table, self._event_time, self._subject)})

    def _engine(self) -> sa.Engine:
        import sqlalchemy as sa

        remedy = (
            f"set {self._setting} to a SQLAlchemy URL, such as"
            " postgresql+psycopg://user:password@host/name."
        )
        url = database_url(self._source.database, self._environ)
        try:
            return sa.create_engine(url, **postgres.engine_options(url))
        except ImportError as error:
            raise RequestError(
                f"The setting {self._setting} asks for a driver that is not installed:"
                f" {error.name}.",
                remedy="install it.",
            ) from error
        except sa.exc.NoSuchModuleError:
            raise RequestError(
                f"The setting {self._setting} names a kind of database that is not known.",
                remedy=remedy,
            ) from None
        except (
            sa.exc.ArgumentError,
            ValueError,
            TypeError,
        ):
            # without the cause, which may show the URL
            raise RequestError(
                f"The setting {self._setting} holds no readable SQLAlchemy URL.", remedy=remedy
            ) from None

    def _connect(self, engine: sa.Engine) -> sa.Connection:
        import sqlalchemy as sa

        remedy = f"check the database and the setting {self._setting}."
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

    def _rows(
        self, connection: sa.Connection, interval: Interval
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Return the names of the columns and the rows, as the driver has them."""
        import sqlalchemy as sa

        values = {
            "start": interval.start.replace(tzinfo=None),
            "end": interval.end.replace(tzinfo=None),
        }
        values = values if self._source.per_interval else {}
        bound = [sa.bindparam(name, type_=sa.DateTime()) for name in values]
        try:
            postgres.prepare(connection, self._seconds)
            answer = connection.execute(sa.text(self._source.query).bindparams(*bound), values)
            names = list(answer.keys())
            self._check_names(names)
            return names, [tuple(row) for row in answer]
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

        message = _message(cause, engine)
        is_disconnected = isinstance(cause, sa.exc.DBAPIError) and cause.connection_invalidated
        if is_disconnected or (
            isinstance(cause, sa.exc.OperationalError) and _code(cause.orig) not in _WRONG_STATEMENT
        ):
            return Unreachable(
                f"{self._subject} cannot be read: {message}.",
                remedy=f"check the database and the setting {self._setting}.",
            )
        return SpecError(
            f"{self._subject} refuses the query: {message}.", remedy="mend `source.query`."
        )


def _message(error: BaseException, engine: sa.Engine) -> str:
    """Return the driver's message; only its type where the message holds the password."""
    cause = getattr(error, "orig", None) or error
    return type(cause).__name__ if _holds_password(cause, engine) else str(cause)


def _holds_password(error: BaseException, engine: sa.Engine) -> bool:
    password = engine.url.password
    return bool(password) and str(password) in str(error)


def _table(names: list[str], rows: list[tuple[Any, ...]], subject: str) -> pa.Table:
    """Return the rows as columns; an object of a JSON column is JSON again.

    The rows are used up.
    """
    import pyarrow as pa

    columns: list[list[Any]] = [[] for _ in names]
    while rows:
        # from the end, so that a row's memory is free once its values stand in their columns
        for column, value in zip(columns, rows.pop(), strict=True):
            column.append(
                json_text(value)
                if isinstance(value, dict) or (isinstance(value, list) and _has_objects(value))
                else value
            )
    for column in columns:
        column.reverse()
    return pa.table(
        [column_of(column, name, subject) for name, column in zip(names, columns, strict=True)],
        names=names,
    )


def _has_objects(values: list[Any]) -> bool:
    return any(isinstance(v, dict) or (isinstance(v, list) and _has_objects(v)) for v in values)


def _code(cause: BaseException | None) -> object:
    """Return the driver's number of the error.

    SQLite's primary code, or the first argument, as MySQL's drivers have it.
    """
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF
    return (
        cause.args[0]
        if cause is not None and cause.args and isinstance(cause.args[0], int)
        else None
    )
