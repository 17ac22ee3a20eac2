"""MySQL and MariaDB through PyMySQL: types that a driver does not tell, zones, and a time limit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadData, RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from pipelines.sources.sql_chunks import Change

_TINY, _TIMES, _BIT = 1, {7: "timestamp", 10: "date", 11: "time", 12: "datetime"}, 16
"""Numbers of the protocol's types of columns."""

_UNKNOWN_ZONE = 1298
_LATE = {1969, 3024}
"""MariaDB's max_statement_time and MySQL's max_execution_time are over."""

_AWAY = {1040, 1044, 1045, 1049, 1053, 1129, 1130, 1203, 1205, 1213, 1226, 1317, *_LATE}
"""What the server says where it is full, locked, closed to this user or on its way down."""

_CLIENT = range(2000, 3000)
"""Errors of the connection itself."""


def prepare(connection: sa.Connection, zone: str, seconds: float | None) -> None:
    """Begin a transaction that only reads, in this zone, with queries of so many seconds."""
    import sqlalchemy as sa

    try:
        connection.exec_driver_sql(
            "set time_zone = %s", ("+00:00" if zone == "UTC" else zone,)
        ).close()
    except sa.exc.DBAPIError as error:
        if _code(error.orig) != _UNKNOWN_ZONE:
            raise
        raise RequestError(
            f"The database does not know the time zone {zone!r} of `source.timezone`.",
            remedy=(
                "load its time zone tables (mysql_tzinfo_to_sql), or leave `timezone` out and"
                " return times in UTC."
            ),
        ) from error
    if seconds is not None:
        is_mariadb = bool(getattr(connection.dialect, "is_mariadb", False))
        limit = (
            f"max_statement_time = {max(0.001, seconds):f}"
            if is_mariadb
            else f"max_execution_time = {max(1, int(seconds * 1_000))}"
        )
        connection.exec_driver_sql(f"set session {limit}")
    # before DDL the transaction ends: without the first, a `drop table` would be done in the next
    connection.exec_driver_sql("set session transaction read only")
    connection.exec_driver_sql("start transaction read only")


def changes_of(description: Sequence[tuple[Any, ...]], subject: str) -> dict[int, Change]:
    """Return what makes booleans of tinyint(1) and bit(1), and refuses dates that do not exist."""
    changes: dict[int, Change] = {}
    for place, (name, kind, _, length, *_) in enumerate(description):
        where = f"{subject}: the column {name!r}"
        if kind in {_TINY, _BIT} and length == 1:
            changes[place] = partial(_booleans, where=where)
        elif kind in _TIMES:
            changes[place] = partial(_times, where=where)
    return changes


def _booleans(values: list[Any], where: str) -> list[Any]:
    numbers = [int.from_bytes(v, "big") if isinstance(v, bytes) else v for v in values]
    wrong = next((n for n in numbers if n not in {None, 0, 1}), None)
    if wrong is not None:
        raise BadData(
            f"{where} is a tinyint(1), which stands for true and false, and holds {wrong}.",
            remedy="write `cast(… as signed)` in `source.query` where it is a number.",
        )
    return [None if n is None else n == 1 for n in numbers]


def _times(values: list[Any], where: str) -> list[Any]:
    wrong = next((v for v in values if isinstance(v, str)), None)
    if wrong is not None:
        raise BadData(
            f"{where} holds {wrong!r}, which is no date.",
            remedy="write `nullif(…, '0000-00-00')` or the like in `source.query`.",
        )
    return values


def is_away(cause: BaseException | None) -> bool:
    """Tell of an operational error whether the database is its cause."""
    code = _code(cause)
    return code is None or code in _AWAY or code in _CLIENT


def is_late(cause: BaseException | None) -> bool:
    """Tell whether the query was ended because it took too long."""
    return _code(cause) in _LATE


def _code(cause: BaseException | None) -> int | None:
    """Return the server's number of the error, which its drivers put first."""
    arguments = cause.args if cause is not None else ()
    return arguments[0] if arguments and isinstance(arguments[0], int) else None
