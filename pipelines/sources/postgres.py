"""PostgreSQL: values that its drivers would change in silence, zones, and a time limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import sqlalchemy as sa

    from pipelines.sources.sql_chunks import Change

_CANCELLED, _WRONG_PARAMETER = "57014", "22023"
_WITHOUT_LENGTH = ("mon", "year", "infinity")


def engine_options(url: str) -> dict[str, Any]:
    """Return what an engine needs so that JSON stays the text that the database holds.

    Parsed, its decimals would be floats.
    """
    return {"json_deserializer": _as_text} if url.startswith("postgresql") else {}


def prepare(connection: sa.Connection, zone: str, seconds: float | None) -> None:
    """Begin a transaction that only reads, in this zone, with queries of so many seconds.

    The server does not see that its reader was killed; so it ends a query by itself.

    psycopg2 reads a month as 30 days and infinity as the last day of the year 9999; here both are
    refused.
    """
    connection.exec_driver_sql("set transaction read only")
    # should the query end this transaction, the next one only reads too
    connection.exec_driver_sql("set session characteristics as transaction read only")
    _set_zone(connection, zone)
    if seconds is not None:
        connection.exec_driver_sql(f"set statement_timeout = {max(1, int(seconds * 1_000))}")
    if connection.dialect.driver == "psycopg2":
        from psycopg2 import extensions

        for kind in (
            extensions.PYINTERVAL,
            extensions.PYDATE,
            extensions.PYDATETIME,
            extensions.PYDATETIMETZ,
        ):
            exact = extensions.new_type(kind.values, kind.name, refuse_changes(kind))
            extensions.register_type(exact, connection.connection.dbapi_connection)


def _set_zone(connection: sa.Connection, zone: str) -> None:
    """Have the server compare times without a zone with those that have one as this zone's."""
    import sqlalchemy as sa

    try:
        connection.execute(sa.text("select set_config('TimeZone', :zone, false)"), {"zone": zone})
    except sa.exc.DBAPIError as error:
        if _code(error.orig) != _WRONG_PARAMETER:
            raise
        raise RequestError(
            f"The database does not know the time zone {zone!r} of `source.timezone`.",
            remedy="leave `timezone` out and return times in UTC.",
        ) from error


def changes_of(
    description: Sequence[tuple[Any, ...]],  # noqa: ARG001 -- the same for each database
    subject: str,  # noqa: ARG001
) -> dict[int, Change]:
    """Return none: PostgreSQL's drivers tell each type."""
    return {}


def is_away(cause: BaseException | None) -> bool:  # noqa: ARG001 -- likewise
    """Say yes: what PostgreSQL's drivers call operational is no fault of the query."""
    return True


def is_late(cause: BaseException | None) -> bool:
    """Tell whether the query was ended because it took too long, or by a person."""
    return _code(cause) == _CANCELLED


def _code(cause: BaseException | None) -> str | None:
    return getattr(cause, "pgcode", None) or getattr(cause, "sqlstate", None)


def refuse_changes(read: Callable[[str | None, Any], Any]) -> Callable[[str | None, Any], Any]:
    """Return a reader of psycopg2 that raises ValueError for what psycopg2 would change.

    These are intervals of months and infinite times.
    """

    def exact(text: str | None, cursor: Any) -> Any:
        if text is not None and any(word in text for word in _WITHOUT_LENGTH):
            msg = f"{text!r} has no length in days, or no end"
            raise ValueError(msg)
        return read(text, cursor)

    return exact


def _as_text(data: str | bytes) -> str:
    return data if isinstance(data, str) else data.decode()
