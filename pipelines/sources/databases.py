"""What a reader must know of each kind of database, beside SQLAlchemy: which rules a session has.

Each session is told that it only reads, what zone times without one are in, and when to give up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pipelines.sources import mysql, postgres, sqlite_database

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from pipelines.sources.sql_chunks import Change


class Database(Protocol):
    """What differs between databases."""

    def prepare(self, connection: sa.Connection, zone: str, seconds: float | None) -> None:
        """Begin a session that only reads, in this time zone, with queries of so many seconds.

        Raises RequestError where the database does not know the zone.
        """

    def changes_of(self, description: Sequence[tuple[Any, ...]], subject: str) -> dict[int, Change]:
        """Return what makes of a column's values what the database means by them, by place."""

    def is_away(self, cause: BaseException | None) -> bool:
        """Tell of an operational error whether the database, and not the query, is its cause."""

    def is_late(self, cause: BaseException | None) -> bool:
        """Tell whether the query was ended because it took too long."""


class Other:
    """A database that is known to SQLAlchemy alone: nothing is committed, and that is all."""

    def prepare(self, connection: sa.Connection, zone: str, seconds: float | None) -> None:
        """Do nothing."""

    def changes_of(
        self,
        description: Sequence[tuple[Any, ...]],  # noqa: ARG002 -- the protocol's
        subject: str,  # noqa: ARG002
    ) -> dict[int, Change]:
        """Return none."""
        return {}

    def is_away(self, cause: BaseException | None) -> bool:  # noqa: ARG002
        """Say yes: an operational error is what it says."""
        return True

    def is_late(self, cause: BaseException | None) -> bool:  # noqa: ARG002
        """Say no: nothing ends its queries."""
        return False


_DATABASES: dict[str, Database] = {
    "postgresql": postgres,
    "mysql": mysql,
    "mariadb": mysql,
    "sqlite": sqlite_database,
}


def database_of(dialect: str) -> Database:
    """Return what is known of SQLAlchemy's dialect of this name."""
    return _DATABASES.get(dialect, Other())
