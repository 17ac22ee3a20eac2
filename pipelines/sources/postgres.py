"""PostgreSQL: values that its drivers would change in silence, and a time limit for queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

_WITHOUT_LENGTH = ("mon", "year", "infinity")


def engine_options(url: str) -> dict[str, Any]:
    """Return what an engine needs so that JSON stays the text that the database holds.

    Parsed, its decimals would be floats.
    """
    return {"json_deserializer": _as_text} if url.startswith("postgresql") else {}


def prepare(connection: sa.Connection, seconds: float | None) -> None:
    """Have the server end a query after so many seconds.

    The server does not see that its reader was killed.

    psycopg2 reads a month as 30 days and infinity as the last day of the year 9999; here both are
    refused.
    """
    if connection.dialect.name != "postgresql":
        return
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
