"""A file of SQLite from which something was deleted, without what its free pages still hold."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from pipelines.ops.traces.content import database_holds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipelines.ops.traces.sought import Sought

SECONDS = 30
"""How long to wait for others who use the file."""


def compact(file: Path, sought: Sequence[Sought]) -> None:
    """Let nothing be left of what was deleted, in the file or in its journal.

    Raises sqlite3.Error where others hold it too long; what is left is found by the search.
    """
    with contextlib.closing(sqlite3.connect(file, timeout=SECONDS)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if database_holds(file, sought):
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
