"""What this host has read of a model's rotated log: its entries, and the labels in it by row.

A SQLite file made from the store alone. The log is the truth: where the file is missing, damaged,
of another version, or of another past than the log's, it is made anew. So a window's labels are
found however old the log is and however late they were told.

The first look picks its labels from the objects as they pass: in a pod without a volume no other
one comes. From the second one on labels are put in, and none is read again.

The server's own index (`label_index`) is another one: it knows which rows were predicted, it cannot
read Parquet, and no request waits for this one.

Stored format, version 3 (`PRAGMA user_version`). To evolve it: raise FORMAT; every index is then
made anew.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from pipelines.inference_log.decode import MOMENT
from pipelines.inference_log.index_file import IndexFile
from pipelines.inference_log.request_labels import keep_labels_of
from pipelines.inference_log.rotated_entries import (
    KnownEntries,
    Rotated,
    folder_of,
    keys_of,
    parse_entry,
    read_entries,
    say_no_entry,
)
from pipelines.inference_log.rotated_labels import (
    LabelObject,
    add_labels,
    labels_in,
    pick_labels,
    read_objects,
)
from pipelines.refs import Ref

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from pipelines.inference_log.rotated_entries import LogKind
    from pipelines.settings import Settings
    from pipelines.store.port import Store

FORMAT: Final = 3
_TABLES = """
CREATE TABLE entries (
    key TEXT PRIMARY KEY, mark INTEGER NOT NULL, torn INTEGER NOT NULL, damage TEXT NOT NULL,
    since INTEGER, until INTEGER, uri TEXT NOT NULL, sha256 TEXT NOT NULL, rows INTEGER NOT NULL,
    is_in INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE segments (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE looks (number INTEGER NOT NULL);
INSERT INTO looks VALUES (0);
CREATE TABLE labels (
    identity TEXT PRIMARY KEY, label, at INTEGER NOT NULL, entry TEXT NOT NULL
) WITHOUT ROWID;
"""
_WITHIN = """
SELECT key FROM entries WHERE key GLOB ?
AND (since IS NULL OR until IS NULL OR (until >= ? AND since < ?)) ORDER BY key
"""
"""Entries that may hold rows with event times in [first, last)."""
_OBJECTS = """
SELECT key, uri, sha256, rows FROM entries WHERE key GLOB ? AND (NOT is_in OR ?) ORDER BY key
"""
"""Objects of labels that were not put in, or all of them."""
_FAULTS = """
SELECT key, torn, damage FROM entries WHERE key GLOB ? AND (torn OR damage != '[]') ORDER BY key
"""


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
    """How many entries there are, the keys of what is none, and what is wrong with objects, by the
    keys of their entries.
    """

    entries: int = 0
    bad_keys: list[str] = field(default_factory=list)
    damage: dict[str, str] = field(default_factory=dict)


class RotatedIndex:
    """The index of one model's rotated log. Every call opens and closes the file."""

    def __init__(self, settings: Settings, store: Store, model: str) -> None:
        """Use the file `<state>/serving/rotated/<model>.db`, which is made when it is needed."""
        self.path: Path = settings.state / "serving" / "rotated" / f"{model}.db"
        self._store, self._model = store, model
        self._looks: int | None = None
        """How often others had looked for labels with the file before."""
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
        found = {key: parse_entry(data) for key, data in read_entries(self._store, keys)}
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
        labels, faulty = self._look(identities, names)
        if faulty and self._forget_rewritten(faulty):
            labels, _ = self._look(identities, names)
        return labels

    def _look(
        self, identities: pa.Array, names: Callable[[], pa.Array] | None
    ) -> tuple[RotatedLabels, set[str]]:
        """Return the labels, and the keys of entries whose objects could not be read."""
        with self.file.hold() as db:
            found = self._read_on(db, "labels")
            folder = folder_of(self._model, "labels") + "/*"
            is_first = self._is_first_look(db)
            objects = [
                LabelObject(key, Ref(uri=uri, sha256=digest), rows)
                for key, uri, digest, rows in db.execute(_OBJECTS, (folder, is_first))
            ]
            if not is_first:
                self._put_in(db, objects, found)
                table = labels_in(db, identities, names)
            segments = self._segments(db, "labels")
            faults = db.execute(_FAULTS, (folder,)).fetchall()
        if is_first:
            tables = self._tables_of(objects, found)
            table = pick_labels(tables, keep_labels_of(identities, names))
        no_entries = [f"entry {key}: it is no entry of a rotated log" for key in found.bad_keys]
        faults = [fault for fault in faults if fault[0] not in found.damage]
        told = [text for _, _, damage in faults for text in json.loads(damage)]
        labels = RotatedLabels(
            table=table,
            segments=segments,
            torn=sum(torn for _, torn, _ in faults),
            damage=[*no_entries, *told, *found.damage.values()],
        )
        return labels, set(found.damage)

    def _forget_rewritten(self, faulty: set[str]) -> bool:
        """Forget all where one of these entries is another one than was read, and tell whether it
        was so: an erasure on another host wrote it, and its object is another one.
        """
        with self.file.hold() as db:
            rows = db.execute("SELECT key, mark FROM entries")
            marks = {key: mark for key, mark in rows if key in faulty}
            is_rewritten = any(self._mark(key) != mark for key, mark in marks.items())
            if is_rewritten:
                _forget(db)
        return is_rewritten

    def _is_first_look(self, db: sqlite3.Connection) -> bool:
        """Tell whether nobody has looked for labels with this file before this object did."""
        if self._looks is None:
            (self._looks,) = db.execute("SELECT number FROM looks").fetchone()
            db.execute("UPDATE looks SET number = number + 1")
        return self._looks == 0

    def _put_in(self, db: sqlite3.Connection, objects: list[LabelObject], found: _Found) -> None:
        for thing, labels in read_objects(self._store, objects):
            if isinstance(labels, str):
                found.damage[thing.key] = labels
                continue
            add_labels(db, thing.key, labels)
            db.execute("UPDATE entries SET is_in = 1 WHERE key = ?", (thing.key,))

    def _tables_of(self, objects: list[LabelObject], found: _Found) -> Iterator[pa.Table]:
        for thing, labels in read_objects(self._store, objects):
            if isinstance(labels, str):
                found.damage[thing.key] = labels
            else:
                yield labels

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
            _forget(db)
            known = {}
        found = _Found()
        new = [key for key in keys if key not in known]
        for key, data in read_entries(self._store, new):
            self._remember(db, key, data, found)
        found.entries = len(keys) - len(found.bad_keys)
        return found

    def _mark(self, key: str) -> int | None:
        """Return what tells the entry from another one of its number, None where it is away."""
        ((_, data),) = read_entries(self._store, [key])
        return zlib.crc32(data) if data else None

    def _remember(self, db: sqlite3.Connection, key: str, data: bytes, found: _Found) -> None:
        """Remember an entry; what is none is tried every time."""
        entry = parse_entry(data)
        if entry is None:
            found.bad_keys.append(key)
            return
        db.executemany("INSERT OR IGNORE INTO segments VALUES (?)", ((n,) for n in entry.segments))
        damage, mark = json.dumps(entry.damage), zlib.crc32(data)
        row = (key, mark, entry.torn, damage, entry.since, entry.until)
        place = (entry.data.uri, entry.data.sha256, entry.rows)
        db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)", row + place)


def _forget(db: sqlite3.Connection) -> None:
    for table in ("entries", "segments", "labels"):
        db.execute(f"DELETE FROM {table}")  # noqa: S608 -- one of three names
