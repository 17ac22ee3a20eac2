"""The labels of rotated entries: picked from their objects, or put into an index and asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from pipelines.errors import Corrupted
from pipelines.inference_log.decode import MOMENT, together
from pipelines.inference_log.reader import LABELS, first_labels
from pipelines.inference_log.rotated_entries import from_parquet
from pipelines.store.reading import read_each

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence

    from pipelines.inference_log.reader import Keep
    from pipelines.refs import Ref
    from pipelines.store.port import Store

OBJECTS_AT_ONCE: Final = 8
"""Objects of a bucket whose bytes are in memory together."""
ROWS_AT_ONCE: Final = 200_000
"""Labels that are filtered together: each filter looks at all rows of the window once."""
AT_ONCE: Final = 20_000
"""Rows whose labels are asked for in one question."""

_ADD_LABEL = """
INSERT INTO labels VALUES (?, ?, ?, ?)
ON CONFLICT (identity) DO UPDATE
SET label = excluded.label, at = excluded.at, entry = excluded.entry
WHERE (excluded.at, excluded.entry) < (labels.at, labels.entry)
"""
"""The first label counts, by its moment and then by its place in the log, in whichever order they
are read."""
_LABELS = """
SELECT identity, label, at FROM labels
WHERE identity IN (SELECT value FROM json_each(?))
"""
_LABEL = "SELECT identity, label, at FROM labels WHERE identity = ?"
_ANY_BY_REQUEST = "SELECT 1 FROM labels WHERE identity >= 'r:' AND identity < 'r;' LIMIT 1"


@dataclass(frozen=True)
class LabelObject:
    """The object of labels that an entry names, and how many it says there are."""

    key: str
    data: Ref
    rows: int


def read_objects(
    store: Store, objects: Sequence[LabelObject]
) -> Iterator[tuple[LabelObject, pa.Table | str]]:
    """Yield the labels of each object, with the columns of `reader.LABELS`, or what is wrong with
    it, in the words of the log's reader.
    """

    def read(thing: LabelObject) -> bytes | Corrupted:
        try:
            return store.get(thing.data)
        except Corrupted as error:
            return error

    found = read_each(store, read, objects, at_once=OBJECTS_AT_ONCE)
    for thing, data in zip(objects, found, strict=True):
        if isinstance(data, Corrupted):
            yield thing, f"entry {thing.key}, {thing.rows} rows: {data.message}"
        else:
            yield thing, from_parquet(data).select(LABELS.names)


def pick_labels(tables: Iterator[pa.Table], keep: Keep) -> pa.Table:
    """Return the first label of each row of which `keep` leaves labels, in their order: no more
    than what it leaves and some of the others are in memory.
    """
    kept: list[pa.Table] = []
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        # labels may be numbers here and texts there: each is filtered as it is
        if count >= ROWS_AT_ONCE or (waiting and waiting[0].schema != table.schema):
            kept.append(keep(pa.concat_tables(waiting)).combine_chunks())
            waiting, count = [], 0
        waiting.append(table)
        count += table.num_rows
    if waiting:
        kept.append(keep(pa.concat_tables(waiting)).combine_chunks())
    return _first_of([part for part in kept if part.num_rows])


def _first_of(parts: Sequence[pa.Table]) -> pa.Table:
    """Return the first label of each row; what does not count does not make texts of numbers."""
    if not parts:
        return LABELS.empty_table()
    told = pa.concat_tables([part.select(["identity", "at"]) for part in parts])
    numbers = pa.array(range(told.num_rows), pa.int64())
    firsts = first_labels(told.append_column("number", numbers))["number"].to_numpy()
    counted, before = [], 0
    for part in parts:
        within = firsts[(firsts >= before) & (firsts < before + part.num_rows)] - before
        counted.append(part.take(pa.array(within)))
        before += part.num_rows
    return together([part for part in counted if part.num_rows])


def add_labels(db: sqlite3.Connection, key: str, rows: pa.Table) -> None:
    """Put an object's labels into an index; of one identity the first counts."""
    firsts = first_labels(rows)
    columns = [firsts["identity"], firsts["label"], firsts["at"].cast(pa.int64())]
    values = zip(*(column.to_pylist() for column in columns), strict=True)
    db.executemany(_ADD_LABEL, ((*row, key) for row in values))


def labels_in(
    db: sqlite3.Connection, identities: pa.Array, names: Callable[[], pa.Array] | None
) -> pa.Table:
    """Return the labels of the rows that were put in."""
    asked = identities.to_pylist()
    if names is not None and db.execute(_ANY_BY_REQUEST).fetchone():
        asked += names().to_pylist()
    # for SQLite's JSON a text ends at its first NUL
    odd = {name for name in asked if "\0" in name}
    asked = [name for name in asked if name not in odd] if odd else asked
    rows = [
        row
        for start in range(0, len(asked), AT_ONCE)
        for row in db.execute(_LABELS, (json.dumps(asked[start : start + AT_ONCE]),))
    ]
    rows += [row for name in sorted(odd) for row in db.execute(_LABEL, (name,))]
    return _table_of(rows)


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
