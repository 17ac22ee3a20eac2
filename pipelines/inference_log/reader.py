"""Read the inference log.

Every answered row and every label, exactly once, from Parquet and from segments alike.

What cannot be read is counted and named, and everything else is read: a damaged byte costs its
line, never the log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import Busy, Corrupted
from pipelines.inference_log.decode import INPUT, MOMENT, decode, together
from pipelines.inference_log.rotated_entries import (
    RotatedEntry,
    entries_of,
    from_parquet,
    segments_of,
)
from pipelines.tasks import has_named_classes, is_wide

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pipelines.inference_log.format import Header
    from pipelines.inference_log.rotated_entries import KnownEntries, LogKind
    from pipelines.store.port import Store

    Keep = Callable[[pa.Table], pa.Table]

LOOKS = 20
"""How often a reader begins again because segments were rotated under its hands."""

OURS = pa.schema(
    {
        "request_id": pa.string(),
        "row": pa.int32(),
        "at": MOMENT,
        "key": pa.string(),
        "event_time": MOMENT,
        "identity": pa.string(),
        "version": pa.string(),
        "release": pa.int32(),
        "seconds": pa.float64(),
        "prediction": pa.float64(),
        "probabilities": pa.list_(pa.float64()),
    }
)
"""The log's columns before the inputs.

`prediction` is a string (the best label) where the model is a multiclass one, and the median where
it answers with quantiles; `probabilities` are then the values at the levels.
"""

LABELS = pa.schema({"identity": pa.string(), "label": pa.float64(), "at": MOMENT})


@dataclass(frozen=True)
class Log:
    """Answered rows in the order of their entries and segments.

    Their columns are `OURS` and one `input.<name>` per input.

    An input that a release did not have is null in its rows; `together` says what becomes of one
    that changed its kind. `classes` are the labels of a multiclass model in the order of
    `probabilities`; classes that a release did not know have the probability 0 there. Of quantiles
    they are the levels; what a release did not answer is NaN. `torn`
    counts last lines that a killed process never finished, `damage` names what was changed.
    """

    rows: pa.Table
    torn: int = 0
    damage: list[str] = field(default_factory=list)
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Labels:
    """One label per identity, the first that was given.

    Its columns are those of `LABELS`; `label` is a string for multiclass.
    """

    table: pa.Table
    torn: int = 0
    damage: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Piece:
    """Rows in stored form, and what is said of all of them."""

    header: Header
    rows: pa.Table


@dataclass
class Pieces:
    """What a part of the log holds, and what of it could not be read."""

    pieces: list[Piece] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    torn: int = 0


def read_log(
    store: Store,
    model: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    keep: Keep | None = None,
    rotated: Callable[[], KnownEntries] | None = None,
) -> Log:
    """Return the answered rows whose event time lies in [since, until), as of now.

    What is being written is among them. `keep` is asked of each part of the log as it is read, so
    that no more than one part is in memory whole: it returns the rows, or fewer of them or of their
    inputs. `rotated` tells the entries that may hold such rows, where somebody remembers them
    (`RotatedIndex.answers`): else every entry is read, of which there are more each day.

    `torn` and `damage` are those of everything that was looked at, whatever the event times. Raises
    Busy where others rotate without an end.
    """
    first, last = (None if m is None else pa.scalar(m, MOMENT) for m in (since, until))

    def within(entry: RotatedEntry) -> bool:
        if entry.since is None or entry.until is None:
            return True
        return (first is None or entry.until >= first.value) and (
            last is None or entry.since < last.value
        )

    every = partial(entries_of, store, model, "predictions")
    parts = _read_pieces(store, model, "predictions", rotated or every, within, keep)
    classes = tuple(dict.fromkeys(c for piece in parts.pieces for c in piece.header.classes))
    tables = [_finish(piece, classes) for piece in parts.pieces]
    rows = together([_between(t, first, last) for t in tables]) if tables else OURS.empty_table()
    return Log(rows=rows, torn=parts.torn, damage=parts.damage, classes=classes)


def read_labels(store: Store, model: str, *, keep: Keep | None = None) -> Labels:
    """Return the first label of each identity, as of now; `keep` as for `read_log`.

    Raises Busy where others rotate without an end.
    """
    every = partial(entries_of, store, model, "labels")
    parts = _read_pieces(store, model, "labels", every, lambda _: True, keep)
    tables = [piece.rows.select(LABELS.names) for piece in parts.pieces]
    return Labels(
        table=first_labels(together(tables)) if tables else LABELS.empty_table(),
        torn=parts.torn,
        damage=parts.damage,
    )


def first_labels(table: pa.Table) -> pa.Table:
    """Return the row of each identity with the least `at`, of equal ones the first.

    They keep the table's order.
    """
    codes = table["identity"].combine_chunks().dictionary_encode().indices.to_numpy()
    at = table["at"].cast(pa.int64()).to_numpy()
    order = np.lexsort((at, codes))  # stable: equal ones stay in their order
    firsts = order[np.flatnonzero(np.diff(codes[order], prepend=-1))]
    return table if len(firsts) == len(codes) else table.take(pa.array(np.sort(firsts)))


def _read_pieces(
    store: Store,
    model: str,
    kind: LogKind,
    rotated: Callable[[], KnownEntries],
    is_wanted: Callable[[RotatedEntry], bool],
    keep: Keep | None,
) -> Pieces:
    """Return what is there of one kind.

    A segment that is gone when it is to be read was rotated meanwhile: begin again.
    """
    for _ in range(LOOKS):
        # before the entries: what is rotated in between is then in both, never in neither
        names = segments_of(store, model, kind)
        known = rotated()
        parts = from_segments(store, sorted(set(names) - known.segments), keep or _keep_all)
        if parts is not None:
            no_entries = [f"entry {key}: it is no entry of a rotated log" for key in known.bad_keys]
            parts.damage[:0] = no_entries
            wanted = {k: e for k, e in known.entries.items() if is_wanted(e)}
            return _with_entries(store, parts, wanted, keep or _keep_all)
    raise say_endless(model)


def say_endless(model: str) -> Busy:
    """Return the error about a log that is rotated under its reader's hands again and again."""
    return Busy(
        f"The inference log of {model} was rotated {LOOKS} times while it was read.",
        remedy="read it again when nobody rotates.",
    )


def from_segments(store: Store, names: list[str], keep: Keep) -> Pieces | None:
    """Return what the segments hold; None where one of them is gone."""
    parts = Pieces()
    for name in names:
        # asked before reading: a torn line of a segment that was closed by then stays torn
        is_growing = store.is_open(name)
        data = store.read_segment(name)
        if data is None:
            return None
        segment = decode(name, data, is_growing=is_growing)
        parts.torn += segment.torn
        parts.damage.extend(segment.damage)
        if segment.header is not None:
            parts.pieces.append(Piece(segment.header, keep(segment.rows)))
    return parts


def _with_entries(
    store: Store, newer: Pieces, entries: dict[str, RotatedEntry], keep: Keep
) -> Pieces:
    """Return what was found in segments, with the entries' rows before it."""
    older = Pieces()
    for key, entry in entries.items():
        older.torn += entry.torn
        older.damage.extend(entry.damage)
        try:
            rows = keep(from_parquet(store.get(entry.data)))
            older.pieces.append(Piece(entry.read_header(), rows))
        except Corrupted as error:
            older.damage.append(f"entry {key}, {entry.rows} rows: {error.message}")
    return Pieces(
        pieces=older.pieces + newer.pieces,
        damage=older.damage + newer.damage,
        torn=older.torn + newer.torn,
    )


def _keep_all(rows: pa.Table) -> pa.Table:
    return rows


def _between(table: pa.Table, first: pa.Scalar | None, last: pa.Scalar | None) -> pa.Table:
    if first is not None:
        table = table.filter(pc.greater_equal(table["event_time"], first))
    return table if last is None else table.filter(pc.less(table["event_time"], last))


def _finish(piece: Piece, classes: tuple[str, ...]) -> pa.Table:
    """Return rows in stored form with what follows from them and what the header says."""
    rows, header = piece.rows, piece.header
    columns = {name: rows[name] for name in rows.column_names}
    columns["identity"] = _identities(rows)
    columns["version"] = pa.repeat(header.version, rows.num_rows)
    columns["release"] = pa.repeat(pa.scalar(header.release, pa.int32()), rows.num_rows)
    if is_wide(header.task) and header.classes != classes:
        unknown = 0.0 if has_named_classes(header.task) else np.nan
        columns["probabilities"] = _realign(rows["probabilities"], header.classes, classes, unknown)
    return pa.table(
        {
            name: columns[name]
            for name in [*OURS.names, *(n for n in columns if n.startswith(INPUT))]
        }
    )


def _identities(rows: pa.Table) -> pa.ChunkedArray:
    """Return `record.identity` of each row."""
    by_key = pc.binary_join_element_wise("k:", rows["key"], "")
    return pc.coalesce(by_key, request_names(rows))


def request_names(rows: pa.Table) -> pa.ChunkedArray:
    """Return how each row is called by its request and its place there, whether it has a key or
    not: `format.identity` without a key.
    """
    return pc.binary_join_element_wise(
        "r:", rows["request_id"], "#", rows["row"].cast(pa.string()), ""
    )


def _realign(
    probabilities: pa.ChunkedArray,
    names: tuple[str, ...],
    classes: tuple[str, ...],
    unknown: float,
) -> pa.Array:
    """Return the probabilities, or values, in the order of `classes`; of the others `unknown`."""
    wide = np.full((len(probabilities), len(classes)), unknown)
    values = pc.list_flatten(probabilities).to_numpy().reshape(len(probabilities), len(names))
    wide[:, [classes.index(c) for c in names]] = values
    return pa.array(list(wide), pa.list_(pa.float64()))
