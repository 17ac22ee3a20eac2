"""The store in memory, for tests."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.refs import Ref, sha256
from pipelines.store.port import StoredItem, checked_key, object_uri, verify_bytes
from pipelines.store.segments import MemorySegment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, MutableMapping

    from pipelines.store.port import Kind, Segment


class MemoryStore:
    """A store in memory, for tests: the same promises, plus a scratch folder for `path`."""

    is_far = False

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Start empty; the clock gives seconds since 1970."""
        self._clock = clock
        self._used_at: dict[tuple[Kind, str], float] = {}
        self.objects: dict[str, bytes] = {}
        self.entries: dict[str, bytes] = {}
        self.logs: dict[str, MemorySegment] = {}
        self._lock = threading.Lock()
        self._scratch: Path | None = None

    def put(self, data: bytes, suffix: str = "") -> Ref:
        """Store the bytes under their hash."""
        ref = Ref(uri=object_uri(sha256(data), suffix), sha256=sha256(data))
        self.objects[ref.uri] = data
        self._used_at["objects", ref.uri] = self._clock()
        return ref

    def put_file(self, path: Path, suffix: str = "") -> Ref:
        """Store a file's bytes."""
        return self.put(path.read_bytes(), suffix)

    def get(self, ref: Ref) -> bytes:
        """Return the verified bytes."""
        return verify_bytes(ref, self.objects.get(ref.uri))

    def path(self, ref: Ref) -> Path:
        """Return a scratch file with the verified bytes."""
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="perennial-memory-store-"))
            weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
        target = self._scratch / ref.uri.replace("/", "-")
        target.write_bytes(self.get(ref))
        return target

    def publish(self, key: str, data: bytes) -> bool:
        """Write the entry unless it is there."""
        with self._lock:
            first = checked_key(key) not in self.entries
            if first:
                self.entries[key] = data
                self._used_at["entries", key] = self._clock()
        return first

    def read(self, key: str) -> bytes | None:
        """Return the entry, or None."""
        return self.entries.get(checked_key(key))

    def keys(self, prefix: str) -> list[str]:
        """Return the keys directly below the folder, sorted."""
        return _below(self.entries, prefix)

    def open_segment(self, name: str) -> Segment:
        """Begin a new segment."""
        with self._lock:
            if checked_key(name) in self.logs:
                raise ValueError(f"There is a segment {name} already.")
            self.logs[name] = MemorySegment(name, lambda: self._use_segment(name))
            self._use_segment(name)
        return self.logs[name]

    def segments(self, prefix: str) -> list[str]:
        """Return the names of the segments directly below the folder, sorted."""
        return _below(self.logs, prefix)

    def near_segments(self) -> list[str]:
        """Return all segments: this is the host that they are on."""
        return [item.name for item in self.contents("segments")]

    def send_segment(self, _name: str) -> bool:
        """Do nothing: a segment is where others read it from the beginning."""
        return False

    def read_segment(self, name: str, offset: int = 0) -> bytes | None:
        """Return what a segment holds from the offset on, or None."""
        log = self.logs.get(checked_key(name))
        return None if log is None else bytes(log.data[offset:])

    def is_open(self, name: str) -> bool:
        """Tell whether the segment was not closed yet."""
        log = self.logs.get(checked_key(name))
        return log is not None and log.open

    def contents(self, kind: Kind, below: str = "") -> list[StoredItem]:
        """Return what there is of a kind; nothing is ever unfinished here."""
        sizes = {
            "objects": {name: len(data) for name, data in self.objects.items()},
            "entries": {name: len(data) for name, data in self.entries.items()},
            "segments": {name: segment.size for name, segment in self.logs.items()},
            "unfinished": {},
        }[kind]
        start = f"{checked_key(below)}/" if below else ""
        return [
            StoredItem(name, size, self._used_at[kind, name])
            for name, size in sorted(sizes.items())
            if name.startswith(start)
        ]

    def remove(self, kind: Kind, name: str, *, unused_since: float | None = None) -> bool:
        """Remove one thing unless it was used since."""
        if kind == "unfinished":
            return False
        with self._lock:
            used_at = self._used_at.get((kind, checked_key(name)))
            if used_at is None or (unused_since is not None and used_at >= unused_since):
                return False
            things: dict[str, MutableMapping[str, Any]] = {
                "objects": self.objects,
                "entries": self.entries,
                "segments": self.logs,
            }
            del things[kind][name], self._used_at[kind, name]
        return True

    def _use_segment(self, name: str) -> None:
        self._used_at["segments", name] = self._clock()


def _below(names: Iterable[str], prefix: str) -> list[str]:
    start = checked_key(prefix) + "/"
    return sorted(n for n in list(names) if n.startswith(start) and "/" not in n[len(start) :])
