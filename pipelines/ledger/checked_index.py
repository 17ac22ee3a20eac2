"""What this host has checked of a ledger: the hash of each entry, by number, model, kind and key.

A file of SQLite's. It holds no decision, and can be removed at any time: then the next question
checks the whole chain again. Whoever can write here could also write a ledger anew from an entry
on, which no chain shows; `verify` never asks it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from pipelines.ledger.port import Head
from pipelines.private_files import make_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

WAIT_SECONDS = 2.0
"""How long a question waits for another one that writes what it has checked."""
AT_ONCE = 1_000
"""Entries that are written at a time."""
_VERSION = 1
_TABLES = """
CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT UNIQUE NOT NULL);
CREATE TABLE checked (
    seq INTEGER PRIMARY KEY, model INTEGER NOT NULL, kind INTEGER NOT NULL,
    key BLOB NOT NULL, hash BLOB NOT NULL
);
CREATE INDEX by_kind ON checked (model, kind, seq);
CREATE INDEX by_model ON checked (model, seq);
CREATE INDEX by_key ON checked (key);
"""


_PLACES = {
    (True, True): """
        SELECT seq, hash FROM checked WHERE model = (SELECT id FROM names WHERE text = ?)
        AND kind = (SELECT id FROM names WHERE text = ?) ORDER BY seq DESC LIMIT ?""",
    (True, False): """
        SELECT seq, hash FROM checked WHERE model = (SELECT id FROM names WHERE text = ?)
        ORDER BY seq DESC LIMIT ?""",
    (False, True): """
        SELECT seq, hash FROM checked WHERE kind = (SELECT id FROM names WHERE text = ?)
        ORDER BY seq DESC LIMIT ?""",
    (False, False): "SELECT seq, hash FROM checked ORDER BY seq DESC LIMIT ?",
}
"""The question, by whether a model is named and whether a kind is."""


_NEWEST = """
    SELECT seq, hash FROM checked WHERE seq IN (
        SELECT max(seq) FROM checked
        WHERE model IN (SELECT id FROM names WHERE text IN (SELECT value FROM json_each(?)))
        AND kind IN (SELECT id FROM names WHERE text IN (SELECT value FROM json_each(?)))
        GROUP BY model, kind
    ) ORDER BY seq"""
_FOLLOWING = """
    SELECT seq, hash FROM checked
    WHERE model IN (SELECT id FROM names WHERE text IN (SELECT value FROM json_each(?)))
    AND kind IN (SELECT id FROM names WHERE text IN (SELECT value FROM json_each(?)))
    AND seq >= ? ORDER BY seq"""


class Checked(NamedTuple):
    """An entry that is whole and in its place: its columns without the body."""

    seq: int
    model: str
    kind: str
    key: str
    hash: str


class Place(NamedTuple):
    """Where an entry stands, and its hash."""

    seq: int
    hash: str


class CheckedIndex:
    """The file, opened for each use. Every method may raise sqlite3.Error or OSError."""

    def __init__(self, file: Path) -> None:
        """Remember the file; nothing is opened yet."""
        self._file = file

    def head(self) -> Head:
        """Return the newest entry that was checked; (0, GENESIS) of a new file."""
        with self._opened() as database:
            return _head(database)

    @contextmanager
    def adding(self, before: Head) -> Iterator[Callable[[Checked], None]]:
        """Yield what adds an entry; they follow `before` (seq 0: all that was there goes first).

        They are kept when the context ends well. Nothing is added where another one was faster.
        """
        with self._opened() as database:
            database.execute("PRAGMA cache_size=-65536")  # 64 MB: keys come in no order
            database.execute("BEGIN IMMEDIATE")
            if before.seq == 0:
                database.execute("DELETE FROM checked")
            is_next = _head(database) == before
            ids = dict(database.execute("SELECT text, id FROM names").fetchall())
            waiting: list[tuple[int, int, int, bytes, bytes]] = []

            def add(entry: Checked) -> None:
                waiting.append(_row(database, ids, entry))
                if len(waiting) >= AT_ONCE:
                    store()

            def store() -> None:
                if is_next:
                    database.executemany("INSERT INTO checked VALUES (?, ?, ?, ?, ?)", waiting)
                waiting.clear()

            yield add
            store()
            database.execute("COMMIT")

    def forget(self) -> None:
        """Remove the file, which cannot be read."""
        self._file.unlink(missing_ok=True)

    def places(self, model: str | None, kind: str | None, limit: int | None) -> list[Place]:
        """Return the entries of a model and a kind (None: of any), oldest first.

        With `limit`, the newest of them.
        """
        names = [name for name in (model, kind) if name is not None]
        with self._opened() as database:
            query = _PLACES[model is not None, kind is not None]
            rows = database.execute(query, (*names, -1 if limit is None else max(limit, 0)))
            return [Place(seq, own.hex()) for seq, own in rows][::-1]

    def newest(self, models: Sequence[str], kinds: Sequence[str]) -> list[Place]:
        """Return the newest entry of each of these models and kinds, oldest first."""
        return self._listed(models, kinds, _NEWEST)

    def following(self, models: Sequence[str], kinds: Sequence[str], seq: int) -> list[Place]:
        """Return the entries of these models and kinds from a number on, oldest first."""
        return self._listed(models, kinds, _FOLLOWING, seq)

    def _listed(
        self, models: Sequence[str], kinds: Sequence[str], query: str, *more: int
    ) -> list[Place]:
        names = (json.dumps(list(models)), json.dumps(list(kinds)))
        with self._opened() as database:
            rows = database.execute(query, (*names, *more))
            return [Place(seq, own.hex()) for seq, own in rows]

    def find(self, model: str, kind: str, key: str) -> Place | None:
        """Return the entry with this key, or None."""
        with self._opened() as database:
            query = "SELECT seq, hash FROM checked WHERE key = ?"
            row = database.execute(query, (_digest(model, kind, key),)).fetchone()
        return Place(row[0], row[1].hex()) if row else None

    def at(self, seq: int) -> Place | None:
        """Return the entry with this number, or None."""
        with self._opened() as database:
            query = "SELECT seq, hash FROM checked WHERE seq = ?"
            row = database.execute(query, (seq,)).fetchone()
        return Place(row[0], row[1].hex()) if row else None

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        make_folder(self._file.parent)
        self._file.touch(mode=0o600)
        with closing(
            sqlite3.connect(self._file, timeout=WAIT_SECONDS, isolation_level=None)
        ) as database:
            # What is lost with the machine is checked again
            database.execute("PRAGMA synchronous=OFF")
            if database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                _make(database)
            yield database


def _make(database: sqlite3.Connection) -> None:
    database.execute("BEGIN IMMEDIATE")
    if database.execute("PRAGMA user_version").fetchone()[0] == 0:  # else another one was faster
        for statement in _TABLES.split(";"):
            database.execute(statement)
        database.execute(f"PRAGMA user_version={_VERSION}")
    database.execute("COMMIT")


def _head(database: sqlite3.Connection) -> Head:
    row = database.execute("SELECT seq, hash FROM checked ORDER BY seq DESC LIMIT 1").fetchone()
    return Head(seq=row[0], hash=row[1].hex()) if row else Head()


def _row(
    database: sqlite3.Connection, ids: dict[str, int], entry: Checked
) -> tuple[int, int, int, bytes, bytes]:
    for name in (entry.model, entry.kind):
        if name not in ids:
            added = database.execute("INSERT INTO names (text) VALUES (?)", (name,))
            ids[name] = int(added.lastrowid or 0)
    key = _digest(entry.model, entry.kind, entry.key)
    return entry.seq, ids[entry.model], ids[entry.kind], key, bytes.fromhex(entry.hash)


def _digest(model: str, kind: str, key: str) -> bytes:
    """Return what stands for a key: no two keys of a ledger have the same."""
    return hashlib.sha256(f"{model}\0{kind}\0{key}".encode()).digest()[:16]
