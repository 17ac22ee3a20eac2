"""What a ledger's database, its driver and the file system raise, in Perennial's errors."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from pipelines.errors import Busy, Corrupted, PerennialError, StorageFull, Unreachable
from pipelines.sqlite import fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.sqlite import Fault

WAIT_SECONDS = 30
"""How long a writer waits for another one."""

RESTORE = "restore the ledger from a backup."

_EXHAUSTED = re.compile(r"too many (clients|connections)|connection slots are reserved")
"""What PostgreSQL says where it has no connection left; its driver knows no code before there is
one."""

_BUSY = ("55P03", "40P01")
_FULL = ("53100",)
_DAMAGED = ("P0001", "XX001", "XX002", "42P01", "42703")
"""What PostgreSQL calls these (P0001 is raised by the ledger's own triggers, 42P01 and 42703 are
missing tables and columns)."""


@contextlib.contextmanager
def database_border(name: str) -> Iterator[None]:
    """Raise a named error for whatever the database `name` and the file system raise."""
    try:
        yield
    except DBAPIError as error:
        raise _name_error(error, name) from error
    except (SQLAlchemyError, sqlite3.Error, UnicodeError) as error:
        # Not what a database in use or away raises: two heads, a text that is none, a file that
        # cannot be opened as one.

        if fault(error) in {"busy", "full", "away"}:
            raise Unreachable(f"{name} cannot be opened: {error}.", remedy="run again.") from error
        raise Corrupted(f"{name} is damaged: {error}.", remedy=RESTORE) from error
    except OSError as error:
        raise Unreachable(
            f"{name} cannot be opened: {error}.",
            remedy="check the folder's permissions and space.",
        ) from error


def _name_error(error: DBAPIError, name: str) -> PerennialError:
    if _EXHAUSTED.search(str(error.orig)):
        return Busy(
            f"All connections of {name} are in use: {error.orig}.",
            remedy=(
                "run again when others have ended; raise the database's max_connections, or let"
                " fewer tasks run at once."
            ),
        )
    kind = fault(error) or _classify(str(getattr(error.orig, "pgcode", None) or ""))
    if kind == "busy":
        return Busy(
            f"Another writer held {name} for more than {WAIT_SECONDS} s.",
            remedy="run again.",
        )
    if kind == "full":
        return StorageFull(
            f"No space is left for {name}.",
            remedy="free space there, then run again; nothing was recorded.",
        )
    if kind == "damaged" or isinstance(error, IntegrityError):
        return Corrupted(f"{name} is damaged: {error.orig}.", remedy=RESTORE)
    return Unreachable(
        f"{name} does not answer: {error.orig}.",
        remedy="check that the database runs, then run again.",
    )


def _classify(code: str) -> Fault:
    """Return what a SQLSTATE of PostgreSQL means."""
    codes_by_fault: dict[Fault, tuple[str, ...]] = {
        "busy": _BUSY,
        "full": _FULL,
        "damaged": _DAMAGED,
    }
    return next((kind for kind, codes in codes_by_fault.items() if code in codes), "away")
