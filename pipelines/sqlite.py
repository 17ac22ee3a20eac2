"""What SQLite's errors mean, and whether a database's file is sound.

Damage is told from a database that is merely in use or away.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Fault = Literal["busy", "full", "away", "damaged"]

_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")
_FULL = ("SQLITE_FULL",)
_TORN = ("SQLITE_IOERR_SHORT_READ", "SQLITE_IOERR_CORRUPTFS", "SQLITE_IOERR_DATA")
_AWAY = (
    "SQLITE_CANTOPEN",
    "SQLITE_PERM",
    "SQLITE_READONLY",
    "SQLITE_IOERR",
    "SQLITE_NOMEM",
    "SQLITE_AUTH",
    "SQLITE_INTERRUPT",
    "SQLITE_PROTOCOL",
    "SQLITE_NOLFS",
)
_MAGIC = b"SQLite format 3\x00"


def fault(error: BaseException) -> Fault | None:
    """Return what the SQLite error within this one (itself, what SQLAlchemy wraps, a cause) means.

    None where there is none.

    Whatever is neither in use, nor full, nor away is damage: a torn page, a file of something else,
    a table that is missing, a text that is none.
    """
    cause = next((e for e in _within(error) if isinstance(e, sqlite3.Error)), None)
    if cause is None:
        return None
    name = getattr(cause, "sqlite_errorname", None) or ""
    if name.startswith(_BUSY):
        return "busy"
    if name.startswith(_FULL):
        return "full"
    return "away" if name.startswith(_AWAY) and name not in _TORN else "damaged"


def _within(error: BaseException) -> Iterator[BaseException]:
    queue: list[BaseException | None] = [error]
    ids: set[int] = set()
    while queue:
        one = queue.pop(0)
        if one is None or id(one) in ids:
            continue
        ids.add(id(one))
        yield one
        original = getattr(one, "orig", None)
        queue += [
            original if isinstance(original, BaseException) else None,
            one.__cause__,
            one.__context__,
        ]


def damage(file: Path) -> str:
    """Return in words what is wrong with a database's file, every page of which is looked at.

    Nothing where it is sound.

    Raises sqlite3.Error where it cannot be looked at now (see `fault`), OSError where it cannot be
    read.
    """
    with file.open("rb") as stream:
        start = stream.read(len(_MAGIC))
    if not start:
        return "the file is empty"
    if start != _MAGIC:
        return "the file is no SQLite database"
    try:
        with closing(
            sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=10)
        ) as database:
            (answer,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        if fault(error) == "damaged":
            return str(error)
        raise
    return "" if answer == "ok" else str(answer).split("\n", 1)[0]
