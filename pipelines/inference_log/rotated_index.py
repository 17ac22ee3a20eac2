"""What this host has read of a model's rotated log: its entries, and the labels in it by row.

A SQLite file made from the store alone. The log is the truth: where the file is missing, damaged,
of another version, or of another past than the log's, it is made anew. So a window's labels are
found however old the log is and however late they were told, and nothing is read twice.

The server's own index (`label_index`) is another one: it knows which rows were predicted, it cannot
read Parquet, and no request waits for this one.

Stored format, version 2 (`PRAGMA user_version`). To evolve it: raise FORMAT; every index is then
made anew.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from pipelines.errors import Corrupted
from pipelines.inference_log.decode import MOMENT, together
from pipelines.inference_log.index_file import IndexFile
from pipelines.inference_log.reader import (
    LABELS,
    first_labels,
)
from pipelines.inference_log.rotated_entries import (
    KnownEntries,
    Rotated,
    folder_of,
    from_parquet,
    keys_of,
    parse_entry,
    say_no_entry,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from pipelines.inference_log.rotated_entries import LogKind
    from pipelines.settings import Settings
    from pipelines.store.port import Store

FORMAT: Final = 2
AT_ONCE: Final = 20_000
"""Rows whose labels are asked for in one question."""

_TABLES = """
CREATE TABLE entries (
    key TEXT PRIMARY KEY, mark INTEGER NOT NULL, torn INTEGER NOT NULL, damage TEXT NOT NULL,
    since INTEGER, until INTEGER
) WITHOUT ROWID;
CREATE TABLE segments (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE labels (
    identity TEXT PRIMARY KEY, label, at INTEGER NOT NULL, entry TEXT NOT NULL
) WITHOUT ROWID;
"""
_ADD_LABEL = """
INSERT INTO labels VALUES (?, ?, ?, ?)
ON CONFLICT (identity) DO UPDATE
SET label = excluded.label, at = excluded.at, entry = excluded.entry
WHERE (excluded.at, excluded.entry) < (labels.at, labels.entry)
"""
"""The first label counts, by its moment and then by its place in the log, in whichever order they
are read."""
_WITHIN = """
SELECT key FROM entries WHERE key GLOB ?
AND (since IS NULL OR until IS NULL OR (until >= ? AND since < ?)) ORDER BY key
"""
"""Entries that may hold rows with event times in [first, last)."""
_LABELS = """
SELECT identity, label, at FROM labels
WHERE identity IN (SELECT value FROM json_each(?))
"""

_ANY_BY_REQUEST = "SELECT 1 FROM labels WHERE identity >= 'r:' AND identity < 'r;' LIMIT 1"


@dataclass(frozen=True)
class RotatedLabels:
    """The labels of the rows that were asked for, with the columns of `reader.LABELS`.

    `segments` are those whose labels are among the rotated ones. `torn` and `damage` say what of
    all rotated labels cannot be read.
    """

    table: pa.Table
    segments: frozenset[str]
    torn: int
    damage: list[str]


@dataclass
class _Found:
    """How many entries there are, the keys of what is none, and the damage of objects."""

    entries: int = 0
    bad_keys: list[str] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)


class RotatedIndex:
    """The index of one model's rotated log. Every call opens and closes the file."""

    def __init__(self, settings: Settings, store: Store, model: str) -> None:
        """Use the file `<state>/serving/rotated/<model>.db`, which is made when it is needed."""
        self.path: Path = settings.state / "serving" / "rotated" / f"{model}.db"
        self._store, self._model = store, model
        patience = settings.lock_timeout_seconds
        self.file = IndexFile(self.path, "rotated log", FORMAT, _TABLES, patience)

    def read_rotated(self, kind: LogKind) -> Rotated:
        """Return what was rotated by now.

        Raises Corrupted where an entry cannot be read, Busy where others have the index too long.
        """
        with self.file.hold() as db:
            found = self._read_on(db, kind)
            if found.bad_keys:
                raise say_no_entry(found.bad_keys[0])
            return Rotated(found.entries, self._segments(db, kind))

    def answers(self, since: datetime, until: datetime) -> KnownEntries:
        """Return the entries of answers with event times in [since, until).

        Raises Busy where others have the index too long.
        """
        first, last = (pa.scalar(moment, MOMENT).value for moment in (since, until))
        with self.file.hold() as db:
            bad_keys = self._read_on(db, "predictions").bad_keys
            folder = folder_of(self._model, "predictions") + "/*"
            keys = [key for (key,) in db.execute(_WITHIN, (folder, first, last))]
            segments = self._segments(db, "predictions")
        found = {key: parse_entry(self._bytes(key) or b"") for key in keys}
        return KnownEntries(
            entries={key: entry for key, entry in found.items() if entry is not None},
            bad_keys=[*bad_keys, *(key for key, entry in found.items() if entry is None)],
            segments=segments,
        )

    def labels(
        self, identities: pa.Array, names: Callable[[], pa.Array] | None = None
    ) -> RotatedLabels:
        """Return the first rotated label of each of these rows that has one, whenever it was told.

        `names` tells how they are called by request besides; it is asked only where labels were
        told by request. Raises Busy where others have the index too long.
        """
        with self.file.hold() as db:
            found = self._read_on(db, "labels")
            faults = db.execute(
                "SELECT torn, damage FROM entries WHERE key GLOB ? AND (torn OR damage != '[]')"
                " ORDER BY key",
                (folder_of(self._model, "labels") + "/*",),
            ).fetchall()
            asked = identities.to_pylist()
            if names is not None and db.execute(_ANY_BY_REQUEST).fetchone():
                asked += names().to_pylist()
            rows = [
                row
                for start in range(0, len(asked), AT_ONCE)
                for row in db.execute(_LABELS, (json.dumps(asked[start : start + AT_ONCE]),))
            ]
            segments = self._segments(db, "labels")
        no_entries = [f"entry {key}: it is no entry of a rotated log" for key in found.bad_keys]
        told = [text for _, damage in faults for text in json.loads(damage)]
        return RotatedLabels(
            table=_table_of(rows),
            segments=segments,
            torn=sum(torn for torn, _ in faults),
            damage=[*no_entries, *told, *found.damage],
        )

    def _segments(self, db: sqlite3.Connection, kind: LogKind) -> frozenset[str]:
        folder = f"inference/{self._model}/{kind}/*"
        rows = db.execute("SELECT name FROM segments WHERE name GLOB ?", (folder,))
        return frozenset(name for (name,) in rows)

    def _read_on(self, db: sqlite3.Connection, kind: LogKind) -> _Found:
        """Read the entries that are new.

        A log that was restored or rewritten lacks what is known, or its newest known entry is
        another one: then all is read again.
        """
        folder = folder_of(self._model, kind)
        keys = keys_of(self._store, self._model, kind)
        rows = db.execute("SELECT key, mark FROM entries WHERE key GLOB ?", (folder + "/*",))
        known: dict[str, int] = dict(rows.fetchall())
        newest = max(known, default="")
        if known and (not known.keys() <= set(keys) or known[newest] != self._mark(newest)):
            for table in ("entries", "segments", "labels"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 -- one of three names
            known = {}
        found = _Found()
        for key in keys:
            if key not in known:
                self._read(db, kind, key, found)
        found.entries = len(keys) - len(found.bad_keys)
        return found

    def _mark(self, key: str) -> int | None:
        data = self._bytes(key)
        return None if data is None else zlib.crc32(data)

    def _bytes(self, key: str) -> bytes | None:
        try:
            return self._store.read(key)
        except Corrupted:
            return None

    def _read(self, db: sqlite3.Connection, kind: LogKind, key: str, found: _Found) -> None:
        """Read an entry, and the labels that it names; what cannot be read is tried every time."""
        data = self._bytes(key) or b""
        entry = parse_entry(data)
        if entry is None:
            found.bad_keys.append(key)
            return
        db.executemany("INSERT OR IGNORE INTO segments VALUES (?)", ((n,) for n in entry.segments))
        try:
            if kind == "labels":
                self._add_labels(db, key, from_parquet(self._store.get(entry.data)))
        except Corrupted as error:
            found.damage.append(f"entry {key}, {entry.rows} rows: {error.message}")
            return
        damage = json.dumps(entry.damage)
        row = (key, zlib.crc32(data), entry.torn, damage, entry.since, entry.until)
        db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", row)

    def _add_labels(self, db: sqlite3.Connection, key: str, rows: pa.Table) -> None:
        firsts = first_labels(rows.select(LABELS.names))
        columns = [firsts["identity"], firsts["label"], firsts["at"].cast(pa.int64())]
        values = zip(*(column.to_pylist() for column in columns), strict=True)
        db.executemany(_ADD_LABEL, ((*row, key) for row in values))


def _table_of(rows: Sequence[tuple[str, Any, int]]) -> pa.Table:
    """Return labels as a table: numbers, names of classes, or both as text, as the log's reader
    does. SQLite holds NaN as null.
    """
    names = [row for row in rows if isinstance(row[1], str)]
    numbers = [row for row in rows if not isinstance(row[1], str)]
    tables = [
        pa.table(
            {
                "identity": pa.array([r[0] for r in part], pa.string()),
                "label": [float("nan") if r[1] is None else r[1] for r in part],
                "at": pa.array([r[2] for r in part], pa.int64()).cast(MOMENT),
            }
        )
        for part in (numbers, names)
        if part
    ]
    return together(tables) if tables else LABELS.empty_table()
