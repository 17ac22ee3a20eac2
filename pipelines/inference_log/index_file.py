"""A SQLite file that is made from the log alone, so that it may be lost at any moment.

A lock beside the file lets one thread of one process in at a time. Where the file is missing,
damaged or of another version, it is made anew.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from pipelines.errors import Busy
from pipelines.locks import hold_bare
from pipelines.sqlite import fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class IndexFile:
    """The file of an index, which every use opens and closes: so a deleted one is noticed."""

    def __init__(
        self, path: Path, subject: str, version: int, tables: str, patience: float
    ) -> None:
        """Remember the file; it is made when it is first held.

        `subject` names it in errors, `tables` is the SQL that makes it anew, `version` its
        `PRAGMA user_version`, `patience` how many seconds others are waited for.
        """
        self.path = path
        self._subject = subject
        self._version = version
        self._tables = f"BEGIN; {tables} PRAGMA user_version = {version}; COMMIT;"
        self._patience = patience

    @contextlib.contextmanager
    def hold(self) -> Iterator[sqlite3.Connection]:
        """Yield the open index while this thread of this process alone has it.

        What was done in between is one transaction. It is committed even after an error of somebody
        else's: what was read of the log until then need not be read again. Raises Busy.
        """
        lock = hold_bare(
            self.path.with_suffix(".lock"),
            f"The index of the {self._subject} was not free within {self._patience:g} s.",
            seconds=self._patience,
            remedy="try again later.",
        )
        with lock:
            try:
                with contextlib.closing(self._open()) as db:
                    try:
                        yield db
                    finally:
                        db.commit()
            except sqlite3.Error as error:
                if fault(error) == "damaged":
                    self._discard()  # where the opening did not see it: the next call makes it anew
                raise Busy(
                    f"The index {self.path} cannot be used now: {error}.",
                    remedy="try again; it is made anew where it must be.",
                ) from error

    def _open(self) -> sqlite3.Connection:
        """Return the index as it is, or a new one where there is none that is fit."""
        db = _connect(self.path)
        if _version_of(db) == self._version:
            return db
        db.close()
        self._discard()
        db = _connect(self.path)
        db.executescript(self._tables)
        return db

    def _discard(self) -> None:
        for path in (self.path, self.path.with_name(self.path.name + "-journal")):
            path.unlink(missing_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    return sqlite3.connect(path, isolation_level="IMMEDIATE")


def _version_of(db: sqlite3.Connection) -> int | None:
    """Return the version of an open file, 0 of an empty one, None of a file that is no database."""
    try:
        db.execute("PRAGMA journal_mode = TRUNCATE")
        # what a power cut takes from the index is read again from the log
        db.execute("PRAGMA synchronous = NORMAL")
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        if fault(error) != "damaged":
            raise
        return None
    return version
