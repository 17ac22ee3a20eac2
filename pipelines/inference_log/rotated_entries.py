"""What rotation leaves behind.

A Parquet object in stored form, and an entry of the store that names it and its segments.

Entries are numbered without a gap and written once, so that they are a log of their own: who adds
the next one has seen all the others. A segment that an entry names counts as gone, even while its
file is still there; that is what makes each row readable exactly once at any moment.

Stored format, version 1. To evolve it: add fields with a default; for anything else raise FORMAT
and let the reader know both.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import pyarrow as pa
from pydantic import Field, ValidationError

from pipelines.errors import Corrupted
from pipelines.inference_log.format import Header, entry_key
from pipelines.refs import Ref, Value, canonical
from pipelines.store.reading import read_each

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.store.port import Store

LogKind = Literal["predictions", "labels"]

FORMAT: Final = 1
_FOLDERS: Final[dict[LogKind, str]] = {"predictions": "rotated", "labels": "rotated-labels"}


class RotatedEntry(Value):
    """One entry: closed segments of one header and day, as one object.

    `since` and `until` are the least and the greatest event time of predictions (microseconds since
    1970, UTC; None for labels, and without rows). `torn` and `damage` say what of the segments
    could not be read; `damaged` are the bytes of such segments as they were.
    """

    format: Literal[1] = FORMAT
    data: Ref
    rows: int
    day: str
    header: dict[str, Any]
    segments: list[str]
    torn: int = 0
    damage: list[str] = Field(default_factory=list)
    damaged: list[Ref] = Field(default_factory=list)
    since: int | None = None
    until: int | None = None

    def read_header(self) -> Header:
        """Return the header that the segments had."""
        return msgspec.convert(self.header, Header)


def segments_of(store: Store, model: str, kind: LogKind) -> list[str]:
    """Return the names of a model's segments that are there, rotated or not."""
    return store.segments(f"inference/{model}/{kind}")


@dataclass(frozen=True)
class KnownEntries:
    """Entries by key, oldest first, and the keys of those that cannot be read.

    `segments` are those that all entries of the log name, also where `entries` are some of them.
    """

    entries: dict[str, RotatedEntry]
    bad_keys: list[str]
    segments: frozenset[str]


def entries_of(store: Store, model: str, kind: LogKind) -> KnownEntries:
    """Return all entries, by reading each."""
    entries: dict[str, RotatedEntry] = {}
    bad_keys = []
    for key, data in read_entries(store, keys_of(store, model, kind)):
        entry = parse_entry(data)
        if entry is None:
            bad_keys.append(key)
        else:
            entries[key] = entry
    segments = frozenset(name for entry in entries.values() for name in entry.segments)
    return KnownEntries(entries, bad_keys, segments)


def read_entries(store: Store, keys: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield each key with its bytes, which are none where it is away or damaged."""

    def read(key: str) -> bytes:
        try:
            return store.read(key) or b""
        except Corrupted:
            return b""

    yield from zip(keys, read_each(store, read, keys), strict=True)


def keys_of(store: Store, model: str, kind: LogKind) -> list[str]:
    """Return the keys of the entries, oldest first.

    A bucket's listing may come late. Whoever believed it would read neither the segments of such an
    entry, which are gone, nor the entry: so each number that is not listed is asked for.
    """
    folder = folder_of(model, kind)
    keys = store.keys(folder)
    listed = set(keys)
    for number in count(1):
        key = entry_key(folder, number)
        if key in listed:
            continue
        if _is_there(store, key):
            keys.append(key)
        elif number > len(keys):
            break
    return sorted(keys)


def _is_there(store: Store, key: str) -> bool:
    try:
        return store.read(key) is not None
    except Corrupted:
        return True


def parse_entry(data: bytes) -> RotatedEntry | None:
    """Return the entry in the bytes, None where they are none."""
    try:
        entry = RotatedEntry.model_validate_json(data)
        entry.read_header()
    except (ValidationError, msgspec.ValidationError):
        return None
    return entry


def say_no_entry(key: str) -> Corrupted:
    """Return the error about an entry that cannot be read, and without which none can be added."""
    return Corrupted(
        f"The entry {key} of the rotated log cannot be read.",
        remedy="restore it from a backup; until then nothing of this model's log is rotated.",
    )


@dataclass(frozen=True)
class Rotated:
    """What was rotated of one kind: how many entries there are, and the segments that they name."""

    entries: int
    segments: frozenset[str]


def rotated_of(store: Store, model: str, kind: LogKind) -> Rotated:
    """Return what was rotated, by reading every entry.

    Raises Corrupted where one cannot be read.
    """
    known = entries_of(store, model, kind)
    if known.bad_keys:
        raise say_no_entry(known.bad_keys[0])
    return Rotated(len(known.entries), known.segments)


def add(store: Store, model: str, kind: LogKind, number: int, entry: RotatedEntry) -> bool:
    """Write the entry as the one of that number (from 1).

    Tell whether this call did: another rotator may have been first.
    """
    return store.publish(entry_key(folder_of(model, kind), number), canonical(entry))


def folder_of(model: str, kind: LogKind) -> str:
    """Return the folder of keys that holds the entries of a kind."""
    return f"inference/{model}/{_FOLDERS[kind]}"


def to_parquet(table: pa.Table) -> bytes:
    """Return a table in stored form as Parquet."""
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def from_parquet(data: bytes) -> pa.Table:
    """Return the table in verified Parquet bytes."""
    import pyarrow.parquet as pq

    # Without Arrow's pools of threads: a process that ended soon after it had used them was seen to
    # die at its end on a busy machine.

    return pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
