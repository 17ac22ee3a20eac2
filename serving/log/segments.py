"""The segments of the inference log that this process holds open.

One per model and release, and one per model for labels.

A new one begins with each UTC day, at a size, and where the old one broke; where the store is far,
also when the old one is old: only what is closed can be sent.
"""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipelines.errors import StorageFull, Unreachable
from pipelines.inference_log.format import header_lines
from serving.event_log import log

if TYPE_CHECKING:
    from pipelines.inference_log.format import Header
    from pipelines.settings import Settings
    from pipelines.store.port import Segment, Store
    from serving.prometheus import Metrics

DAY = 86_400_000_000
"""Microseconds."""

IDLE_SECONDS = 10.0
"""After so long without a line, the segment of a release that another one has followed is closed.
"""

Slot = tuple[str, str, int]
"""Kind, model and release: what has one open segment."""


@dataclass(eq=False)
class _OpenSegment:
    """A segment that grows.

    `day` counts UTC days since 1970, `synced_bytes` is how much of it is known to be on the disk.
    """

    segment: Segment
    day: int
    synced_bytes: int = 0
    has_failed: bool = False
    """A flush failed, which was counted."""
    active: float = field(default_factory=time.monotonic)
    began: float = field(default_factory=time.monotonic)


class Segments:
    """Appends from any thread; `flush` belongs to one."""

    def __init__(self, store: Store, settings: Settings, metrics: Metrics) -> None:
        """Remember the outside; a segment begins with its first line."""
        self._store = store
        self._metrics = metrics
        self._limit = settings.log_segment_bytes
        self._oldest = settings.log_send_seconds / 2 if store.is_far else math.inf
        """Seconds after which a segment is closed; the other half is for sending it."""
        self._lock = threading.Lock()
        """Held while a segment is appended to or replaced; a flush holds it for a moment only."""
        self._open: dict[Slot, _OpenSegment] = {}
        self._old_segments: list[_OpenSegment] = []

    def append(self, header: Header, data: bytes, now: int) -> None:
        """Write lines into the header's segment at `now` (microseconds since 1970, UTC).

        Raises StorageFull where there is no room, OSError where a new segment cannot be written
        either.
        """
        with self._lock:
            self._append(_slot(header), header, data, now)

    def append_flushed(self, header: Header, data: bytes, now: int) -> None:
        """Write lines and flush them.

        Raises as `append`, and where they cannot be flushed; then they are taken back.

        Nobody else may append to this segment meanwhile, nor rely on what it holds.
        """
        slot = _slot(header)
        with self._lock:
            entry = self._append(slot, header, data, now)
        try:
            entry.segment.sync()
        except (OSError, StorageFull):
            if not entry.has_failed:
                self._metrics.count_log_failure(header.model, "sync")
            entry.has_failed = True
            try:
                entry.segment.cut(entry.segment.size - len(data))
            finally:
                self._retire(slot, entry)
            raise

    def _append(self, slot: Slot, header: Header, data: bytes, now: int) -> _OpenSegment:
        """Append to the slot's segment, or to a new one where it must be, and return it."""
        entry = self._open.get(slot)
        if entry is None or entry.segment.size >= self._limit or self._is_over(entry, now // DAY):
            entry = self._begin(slot, header, now)
        try:
            entry.segment.append(data)
        except StorageFull:
            self._metrics.count_log_failure(header.model, "write")
            raise
        except (OSError, ValueError):
            # This file is broken, or it closed itself when it could not be repaired. Another one
            # may do.
            self._metrics.count_log_failure(header.model, "write")
            entry = self._begin(slot, header, now)
            entry.segment.append(data)
        return entry

    def renew(self, header: Header, now: int) -> None:
        """Begin a new segment, to see whether that is possible.

        Raises StorageFull or OSError where it is not.
        """
        with self._lock:
            self._begin(_slot(header), header, now)

    def _begin(self, slot: Slot, header: Header, now: int) -> _OpenSegment:
        """Return the slot's new segment with its header in it; the old one is left to `flush`."""
        kind, model, _ = slot
        date = datetime.fromtimestamp(now / 1_000_000, UTC).date().isoformat()
        name = (
            f"inference/{model}/{kind}/{date}-{now // 1_000}-{os.getpid()}-{secrets.token_hex(4)}"
        )
        try:
            segment = self._open_new(name, header)
        except (OSError, StorageFull):
            self._metrics.count_log_failure(model, "write")
            raise
        before = self._open.get(slot)
        if before is not None:
            self._old_segments.append(before)
        entry = self._open[slot] = _OpenSegment(segment, now // DAY)
        return entry

    def _open_new(self, name: str, header: Header) -> Segment:
        segment = self._store.open_segment(name)
        try:
            segment.append(header_lines(header))
        except (OSError, StorageFull):
            with contextlib.suppress(OSError, StorageFull):
                segment.close()
            with contextlib.suppress(Unreachable):
                self._store.remove("segments", name)
            raise
        return segment

    def flush(self) -> None:
        """Bring everything that was written so far to the disk, and close what is finished."""
        with self._lock:
            current, self._old_segments, old_segments = dict(self._open), [], self._old_segments
        today = time.time_ns() // 1_000 // DAY
        for slot, entry in current.items():
            if entry.segment.size != entry.synced_bytes:
                self._sync(slot, entry)
            elif self._is_over(entry, today) or (
                self._is_followed(slot, current) and time.monotonic() - entry.active > IDLE_SECONDS
            ):
                self._retire(slot, entry)
        for entry in old_segments:
            self._close(entry)

    def _is_over(self, entry: _OpenSegment, today: int) -> bool:
        return entry.day != today or time.monotonic() - entry.began > self._oldest

    def _is_followed(self, slot: Slot, current: dict[Slot, _OpenSegment]) -> bool:
        return any(other[:2] == slot[:2] and other[2] > slot[2] for other in current)

    def _sync(self, slot: Slot, entry: _OpenSegment) -> None:
        size, begin = entry.segment.size, time.perf_counter()
        try:
            entry.segment.sync()
        except (OSError, StorageFull) as error:
            entry.has_failed = True
            self._metrics.count_log_failure(slot[1], "sync")
            log.exception(
                "A segment of the inference log could not be flushed.",
                extra={"model": slot[1], "reason": type(error).__name__},
            )
            self._retire(slot, entry)
            return
        self._metrics.observe_flush(time.perf_counter() - begin)
        entry.synced_bytes, entry.active = size, time.monotonic()

    def _retire(self, slot: Slot, entry: _OpenSegment) -> None:
        with self._lock:
            if self._open.get(slot) is entry:
                del self._open[slot]
                self._old_segments.append(entry)

    def _close(self, entry: _OpenSegment) -> None:
        try:
            entry.segment.close()
        except (OSError, StorageFull) as error:
            if entry.has_failed:
                return
            self._metrics.count_log_failure(entry.segment.name.split("/")[1], "sync")
            log.exception(
                "A segment of the inference log could not be flushed when it was closed.",
                extra={"reason": type(error).__name__},
            )

    def close(self) -> None:
        """Flush and close everything."""
        with self._lock:
            self._old_segments += self._open.values()
            self._open.clear()
        self.flush()


def _slot(header: Header) -> Slot:
    return header.kind, header.model, header.release
