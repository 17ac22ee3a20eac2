"""How the index of labels learns what is new in the inference log.

It reads segments from where it stopped, and rotated entries only where it must.
"""

from __future__ import annotations

import contextlib
from importlib.util import find_spec
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec

from pipelines.errors import Corrupted
from pipelines.inference_log.format import LabelRecord, entry_key, header_in, payload
from pipelines.refs import Ref

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator

    from pipelines.store.port import Store

GROWING, READ, ROTATED, UNREAD = 0, 1, 2, 3
"""The states of a source: it may still grow; it was read to its end; it was rotated, so that it is
(or soon will be) away and an entry has its rows; it is an entry with rows that were not read."""


class _AnswerKeys(msgspec.Struct, array_like=True, gc=False):
    """Of `record.AnswerRecord`, what the index needs; the values stay undecoded."""

    request_id: str
    at: msgspec.Raw
    seconds: msgspec.Raw
    rows: list[msgspec.Raw]
    predictions: msgspec.Raw
    keys: list[str | None] | None = None


class _EntryRef(msgspec.Struct):
    """A `Ref` as it stands in an entry."""

    uri: str
    sha256: str


class _Entry(msgspec.Struct):
    """Of `rotated.RotatedEntry`, what the index needs (that module loads pyarrow)."""

    data: _EntryRef
    segments: list[str]


_ADD_ROW = """
INSERT INTO requests (model, request_id, row, key) VALUES (?, ?, ?, ?)
ON CONFLICT (model, request_id, row) DO UPDATE SET several = 1 WHERE key IS NOT excluded.key
"""
"""A request id that came again with another key stands for several events.

The same row again is the same event.
"""

_decode_entry = msgspec.json.Decoder(_Entry).decode
_decode_answer = msgspec.json.Decoder(_AnswerKeys).decode
_decode_label = msgspec.json.Decoder(LabelRecord).decode


class IndexUpdate:
    """Brings the index up to date with one model's log. What is read twice changes nothing."""

    def __init__(self, db: sqlite3.Connection, store: Store, model: str) -> None:
        """Read into the open index; whoever has opened it commits."""
        self._db = db
        self._store = store
        self._model = model
        self._present: set[str] = set()
        self._known: dict[str, tuple[int, int]] | None = None

    def run(self) -> bool:
        """Read on from where reading ended.

        Where the log has lost something that the index knows (it was restored, or deleted), read it
        again from its beginning. Return whether all rows of the log are known now: a server without
        pyarrow cannot read what was rotated before it had an index.
        """
        knows_all = self._read_on()
        lost_names = {
            name for name, (_, state) in self._sources().items() if state != ROTATED
        } - self._present
        if lost_names:
            for table in ("requests", "keys", "labels"):
                # `table` is one of three names.
                delete = f"DELETE FROM {table} WHERE model = ?"  # noqa: S608
                self._db.execute(delete, (self._model,))
            self._db.execute(
                "DELETE FROM sources WHERE name GLOB ?", (f"inference/{self._model}/*",)
            )
            self._known = None
            knows_all = self._read_on()
        return knows_all

    def run_near(self) -> None:
        """Read on in the segments of this host alone, so that no other machine is asked.

        What other hosts logged, and what was lost, only `run` finds.
        """
        for kind, add in self._kinds():
            folder = f"inference/{self._model}/{kind}/"
            near = [name for name in self._store.near_segments() if name.startswith(folder)]
            self._read_segments(near, add)

    def run_sent(self) -> bool:
        """Read what other hosts have sent to a far store and nobody has rotated.

        Return whether all rows of the log are known now. Rotated ones are not read: they may be of
        years, and a host that has begun after them never needs to know them.
        """
        if self._has_unread():
            return False
        for kind, add in self._kinds():
            self._read_segments(self._store.segments(f"inference/{self._model}/{kind}"), add)
        # They have no gap, so the next one is asked for: a list of all grows as the log grows old,
        # and a bucket's may come late.
        folder = f"inference/{self._model}/rotated"
        known = {name for name, _ in self._entries()}
        new = (name for n in count(1) if (name := entry_key(folder, n)) not in known)
        while True:
            name = next(new)
            try:
                data = self._store.read(name)
            except Corrupted:
                return False  # the log's reader names it
            if data is None:
                return True
            entry = _parse(data)
            if entry is None:
                return False
            if self._lacks(entry):
                self._remember_entry(name, entry, UNREAD)
                return False
            self._remember_entry(name, entry, READ)

    def _has_unread(self) -> bool:
        """Tell whether rows were rotated that were not read; labels of such a kind are no rows."""
        return any(state == UNREAD for _, state in self._entries())

    def _entries(self) -> list[tuple[str, int]]:
        """Return the rotated entries of rows that are known, and their states."""
        folder = f"inference/{self._model}/rotated"
        if self._known is not None:
            items = self._known.items()
            return [(n, state) for n, (_, state) in items if n.startswith(f"{folder}/")]
        query = "SELECT name, state FROM sources WHERE name > ? AND name < ?"
        # as "0" follows "/": by the table's order, of all sources only these are read
        return self._db.execute(query, (f"{folder}/", f"{folder}0")).fetchall()

    def _lacks(self, entry: _Entry) -> bool:
        """Tell whether an entry names a segment that was not read to its end."""
        return any(self._source(name)[1] == GROWING for name in entry.segments)

    def _source(self, name: str) -> tuple[int, int]:
        """Return how far a source was read, and its state: without `_sources` that of one alone."""
        if self._known is not None:
            return self._known.get(name, (0, GROWING))
        query = "SELECT read, state FROM sources WHERE name = ?"
        found: tuple[int, int] | None = self._db.execute(query, (name,)).fetchone()
        return found or (0, GROWING)

    def _remember_entry(self, name: str, entry: _Entry, state: int) -> None:
        """Remember an entry whose rows are known, or UNREAD; its segments are or will be away."""
        for segment in entry.segments:
            self._remember(segment, 0, ROTATED)
        self._remember(name, 0, state)

    def _kinds(self) -> tuple[tuple[str, Callable[[list[bytes]], None]], ...]:
        return ("predictions", self._add_predictions), ("labels", self._add_labels)

    def _read_on(self) -> bool:
        """Read segments first, then what was rotated. Return whether all of it could be read.

        A segment that went away in between is in an entry by then.
        """
        self._present = set()
        self._sources()
        for kind, add in self._kinds():
            names = self._store.segments(f"inference/{self._model}/{kind}")
            self._present.update(names)
            self._read_segments(names, add)
        self._read_rotated("rotated", ("request_id", "row", "key"), self._insert_rows)
        self._read_rotated("rotated-labels", ("identity", "label"), self._insert_labels)
        return not self._has_unread()

    def _sources(self) -> dict[str, tuple[int, int]]:
        """Return how far each source was read, and its state: where all are needed, which is of a
        near store. There are more from day to day, so they are read once.
        """
        if self._known is None:
            entries = self._db.execute(
                "SELECT name, read, state FROM sources WHERE name GLOB ?",
                (f"inference/{self._model}/*",),
            )
            self._known = {name: (end, state) for name, end, state in entries}
        return self._known

    def _read_segments(self, names: list[str], add: Callable[[list[bytes]], None]) -> None:
        for name in names:
            start, state = self._source(name)
            if state != GROWING:
                continue
            # asked before reading: what is closed by then grows no more
            is_growing = self._store.is_open(name)
            data = self._store.read_segment(name, start)
            if data is None or (is_growing and not data):
                continue
            whole = data.rfind(b"\n") + 1
            lines = data[:whole].split(b"\n")[:-1]
            readable = start > 0 or not lines or header_in(lines)[0] is not None
            if not readable and is_growing and len(lines) == 1:
                continue  # the header's second copy is on its way
            if readable:
                # a header is no record: it is passed over like whatever else cannot be read
                add(lines)
            self._remember(name, start + whole, GROWING if is_growing and readable else READ)

    def _remember(self, name: str, end: int, state: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO sources VALUES (?, ?, ?)", (name, end, state))
        if self._known is not None:
            self._known[name] = (end, state)

    def _add_predictions(self, lines: list[bytes]) -> None:
        self._insert_rows(
            (record.request_id, row, key)
            for record in _records(lines, _decode_answer)
            for row, key in enumerate(
                record.keys if record.keys is not None else [None] * len(record.rows)
            )
        )

    def _add_labels(self, lines: list[bytes]) -> None:
        self._insert_labels(
            (record.identity, record.label) for record in _records(lines, _decode_label)
        )

    def _insert_rows(self, rows: Iterable[tuple[str, int, str | None]]) -> None:
        keys = []

        def each() -> Iterator[tuple[str, str, int, str | None]]:
            for request_id, row, key in rows:
                if key is not None:
                    keys.append((self._model, key))
                yield self._model, request_id, row, key

        self._db.executemany(_ADD_ROW, each())
        self._db.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?)", keys)

    def _insert_labels(self, labels: Iterable[tuple[str, float | str]]) -> None:
        self._db.executemany(
            "INSERT OR IGNORE INTO labels VALUES (?, ?, ?)",
            ((self._model, *label) for label in labels),
        )

    def _read_rotated(
        self, folder: str, columns: tuple[str, ...], insert: Callable[[Iterable[Any]], None]
    ) -> None:
        """Read the rotated entries that name a segment which was not read to its end.

        There are none unless the index was lost, or is another host's: a rotation lets it catch up
        before. Without pyarrow none is read; whoever has it reads them later.
        """
        sources, can_read = self._sources(), reads_parquet()
        for name in self._store.keys(f"inference/{self._model}/{folder}"):
            self._present.add(name)
            if name in sources and (sources[name][1] != UNREAD or not can_read):
                continue
            entry = _entry(self._store, name)
            if entry is None:  # the log's reader names it
                continue
            # Of one that is UNREAD a segment may have been read in part
            if name in sources or self._lacks(entry):
                if not can_read:
                    self._remember_entry(name, entry, UNREAD)
                    continue
                for rows in _parquet(self._store, entry.data, columns):
                    insert(rows)
            self._remember_entry(name, entry, READ)


def _records(lines: list[bytes], decode: Callable[[bytes], Any]) -> Iterator[Any]:
    """Yield what can be read of the lines; the log's reader counts and names the rest."""
    for text in lines:
        body = payload(text)
        if body is not None:
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                yield decode(body)


def _entry(store: Store, key: str) -> _Entry | None:
    """Return what an entry of the rotated log names, or None where it is none or was changed."""
    try:
        return _parse(store.read(key) or b"")
    except Corrupted:
        return None


def _parse(data: bytes) -> _Entry | None:
    try:
        return _decode_entry(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def reads_parquet() -> bool:
    """Tell whether this server's image has pyarrow: that for compiled bundles has not."""
    return find_spec("pyarrow") is not None


def _parquet(
    store: Store, data: _EntryRef, columns: tuple[str, ...]
) -> Iterator[Iterable[tuple[Any, ...]]]:
    """Yield the columns of a rotated object by row group. pyarrow is loaded here alone."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(store.path(Ref(uri=data.uri, sha256=data.sha256)))
    for batch in file.iter_batches(columns=list(columns)):
        yield zip(*(batch.column(c).to_pylist() for c in columns), strict=True)
