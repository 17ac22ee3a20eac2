"""Rotate closed segments of the inference log into Parquet, while others write, read and rotate.

Adding the entry is the one moment that counts: before it the segments are read, after it the entry.
Entries are numbered without a gap, and a rotator plans with all entries before its own in view; so
of two at work at once, one adds its entry and the other begins again. A crash leaves at most an
object that nobody names, or segments that an entry names already: the next rotation drops those.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.inference_log.decode import DecodedSegment, decode, together
from pipelines.inference_log.rotated_entries import (
    Rotated,
    RotatedEntry,
    add,
    rotated_of,
    segments_of,
    to_parquet,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.inference_log.format import Header
    from pipelines.inference_log.rotated_entries import LogKind
    from pipelines.store.port import Store

OBJECT_BYTES = 268_435_456
"""Bytes of segments after which an object takes no more.

What a rotator and a reader hold in memory stays bounded.
"""

DAY = len("YYYY-MM-DD")
"""A segment's own name begins with the day on which it was opened."""


@dataclass
class Rotation:
    """What one rotation did.

    Entries added, rows (and labels) in them, segments that are no longer read.
    """

    entries: int = 0
    rows: int = 0
    segments: int = 0


def rotate(
    store: Store,
    model: str,
    *,
    catch_up: Callable[[str], None],
    read_rotated: Callable[[LogKind], Rotated] | None = None,
    object_bytes: int = OBJECT_BYTES,
) -> Rotation:
    """Rotate all closed segments of a model.

    `catch_up` is called with the model before an entry is added: whoever remembers something of
    segments reads them now. `read_rotated` tells what was rotated by now, where somebody remembers
    it (`RotatedIndex.read_rotated`): else every entry is read, of which there are more each day.

    A segment that somebody holds open is left alone, and so is one whose header cannot be read:
    nothing is known of its rows, and the reader goes on naming it. Raises Corrupted where an entry
    cannot be read, StorageFull where there is no room.
    """
    rotation = Rotation()
    for kind in ("predictions", "labels"):
        read = partial(read_rotated or partial(rotated_of, store, model), kind)
        work = _Rotator(store, model, kind, catch_up, read, object_bytes)
        while (entry := work.next_entry()) is not None:
            rotation.entries += 1
            rotation.rows += entry.rows
            rotation.segments += len(entry.segments)
    return rotation


class _Rotator:
    """Rotates one kind of segments of one model."""

    def __init__(
        self,
        store: Store,
        model: str,
        kind: LogKind,
        catch_up: Callable[[str], None],
        read_rotated: Callable[[], Rotated],
        object_bytes: int,
    ) -> None:
        self._store = store
        self._model = model
        self._kind = kind
        self._catch_up = catch_up
        self._read_rotated = read_rotated
        self._object_bytes = object_bytes
        self._headers: dict[str, Header | None] = {}

    def next_entry(self) -> RotatedEntry | None:
        """Add one entry and return it; None when there is nothing to rotate.

        Where another rotator was first, it plans again.
        """
        while True:
            # before the entries: see the reader
            names = segments_of(self._store, self._model, self._kind)
            names = [name for name in names if not self._store.is_open(name)]
            if not names:
                return None
            before = self._read_rotated()
            self._drop([n for n in names if n in before.segments])
            group = self._first_group([n for n in names if n not in before.segments])
            if group is None:
                return None
            self._catch_up(self._model)
            entry = self._entry(*group)
            number = before.entries + 1
            if entry is not None and add(self._store, self._model, self._kind, number, entry):
                self._drop(entry.segments)
                return entry

    def _drop(self, names: list[str]) -> None:
        for name in names:
            self._store.remove("segments", name)

    def _first_group(self, segments: list[str]) -> tuple[Header, str, list[str]] | None:
        """Return the first header and day that there are closed segments of, and their names."""
        groups: dict[tuple[Header, str], list[str]] = {}
        for name in segments:
            header = self._header(name)
            if header is not None:
                groups.setdefault((header, name.rsplit("/", 1)[-1][:DAY]), []).append(name)
        return next(((header, day, names) for (header, day), names in groups.items()), None)

    def _header(self, name: str) -> Header | None:
        """Return a closed segment's header, None where it has none that can be read."""
        if name not in self._headers:
            *lines, _ = (self._store.read_segment(name) or b"").split(b"\n", 2)
            self._headers[name] = decode(name, b"".join(line + b"\n" for line in lines)).header
        return self._headers[name]

    def _entry(self, header: Header, day: str, names: list[str]) -> RotatedEntry | None:
        """Return the entry of as many of the segments as one object takes, stored already.

        None where one was rotated meanwhile.
        """
        segments: dict[str, DecodedSegment] = {}
        damaged_bytes = []
        size = 0
        for name in names:
            data = self._store.read_segment(name)
            if data is None:
                return None
            segments[name] = decode(name, data)
            if segments[name].damage:
                damaged_bytes.append(self._store.put(data, ".segment"))
            size += len(data)
            if size >= self._object_bytes:
                break
        rows = together([d.rows for d in segments.values()])
        times = (
            pc.min_max(rows["event_time"].cast(pa.int64())).as_py()
            if self._kind == "predictions"
            else {"min": None, "max": None}
        )
        return RotatedEntry(
            data=self._store.put(to_parquet(rows), ".parquet"),
            rows=rows.num_rows,
            day=day,
            header=msgspec.to_builtins(header),
            segments=list(segments),
            torn=sum(d.torn for d in segments.values()),
            damage=[message for d in segments.values() for message in d.damage],
            damaged=damaged_bytes,
            since=times["min"],
            until=times["max"],
        )
