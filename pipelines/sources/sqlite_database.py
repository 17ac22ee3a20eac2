"""SQLite: one file, whose values have types and whose columns have none."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from pipelines.sources.sql_chunks import Change

_STEPS = 10_000
"""Steps of SQLite's machine between two looks at the clock: some milliseconds."""


def prepare(connection: sa.Connection, zone: str, seconds: float | None) -> None:  # noqa: ARG001
    """Have SQLite refuse to write, and end a query after so many seconds."""
    connection.exec_driver_sql("pragma query_only = on")
    if seconds is not None:
        end = time.monotonic() + seconds
        driver: Any = connection.connection.dbapi_connection
        driver.set_progress_handler(lambda: time.monotonic() > end, _STEPS)


def changes_of(
    description: Sequence[tuple[Any, ...]],  # noqa: ARG001 -- the same for each database
    subject: str,  # noqa: ARG001
) -> dict[int, Change]:
    """Return none: SQLite's values are what they are."""
    return {}


def is_away(cause: BaseException | None) -> bool:
    """Tell of an operational error whether the database is its cause: locked, or not readable."""
    return _code(cause) not in {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY}


def is_late(cause: BaseException | None) -> bool:
    """Tell whether the query was ended because it took too long."""
    return _code(cause) == sqlite3.SQLITE_INTERRUPT


def _code(cause: BaseException | None) -> int | None:
    code = getattr(cause, "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF
