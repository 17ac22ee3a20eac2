"""The Store port: immutable, content-addressed bytes, and keys that the first writer wins.

Three kinds of things live in a store. *Objects* are named by their SHA-256 and verified whenever they are read. *Keys* are
small named entries (a step's published result, a batch's version, a release) that are written once: of two writers, the
second is told that it lost. Of these, nothing is ever changed in place; a reader sees all of a write or none
of it. *Segments* are logs that grow at their end while one process writes them, and are removed once they were rotated into
objects.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipelines.entries import sealed, unsealed
from pipelines.errors import Corrupted
from pipelines.private import make_folder
from pipelines.refs import Ref, sha256
from pipelines.segments import LocalSegment, MemorySegment, is_locked, read_from, translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OBJECTS = "objects"
KEYS = "keys"
SEGMENTS = "segments"


class Store(Protocol):
    """Where batches, bundles, reports and published results live."""

    def put(self, data: bytes, suffix: str = "") -> Ref:
        """Store the bytes under their hash (with `suffix` as the file's ending) and return the reference."""
        ...

    def get(self, ref: Ref) -> bytes:
        """Return the bytes. Raises Corrupted, naming the object, where they are missing or not what their hash says."""
        ...

    def path(self, ref: Ref) -> Path:
        """Return a local, verified file with the bytes, for libraries that want a path; it must not be written to."""
        ...

    def publish(self, key: str, data: bytes) -> bool:
        """Write the entry unless it is there; tell whether this call wrote it. One that is there but damaged is replaced."""
        ...

    def read(self, key: str) -> bytes | None:
        """Return the entry, or None. Raises Corrupted where it is not what was written."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """Return the keys directly below the folder `prefix`, sorted."""
        ...

    def open_segment(self, name: str) -> Segment:
        """Begin a new append-only segment; ValueError where one of this name is there already."""
        ...

    def segments(self, prefix: str) -> list[str]:
        """Return the names of the segments directly below the folder `prefix`, sorted; open ones are among them."""
        ...

    def read_segment(self, name: str, offset: int = 0) -> bytes | None:
        """Return what a segment holds from the offset on, up to now; None where it is not there."""
        ...

    def is_open(self, name: str) -> bool:
        """Tell whether somebody still holds the segment open for writing (a process that died does not)."""
        ...

    def drop_segment(self, name: str) -> None:
        """Remove a segment that was rotated; nothing where it is gone already."""
        ...


class Segment(Protocol):
    """A file that grows at its end, written by one process; others read it meanwhile."""

    name: str
    size: int
    """Bytes that were appended."""

    def append(self, data: bytes) -> None:
        """Add the bytes: when this returns they survive the death of the process.

        Raises StorageFull where there is no room; then nothing of them is kept.
        """
        ...

    def sync(self) -> None:
        """Flush to the disk: what was appended before survives a power cut. Once it has failed, it fails always."""
        ...

    def cut(self, size: int) -> None:
        """Take back what was appended after the first `size` bytes."""
        ...

    def close(self) -> None:
        """Flush and let go; nothing can be appended any more."""
        ...


def object_uri(digest: str, suffix: str) -> str:
    """Return where an object lives in a store: objects/ab/abcdef….parquet."""
    return f"{OBJECTS}/{digest[:2]}/{digest}{suffix}"


def checked_key(key: str) -> str:
    """Return the key; ValueError where it could leave the store."""
    parts = key.split("/")
    if any(not p or p.startswith(".") for p in parts) or "\x00" in key or "\\" in key:
        msg = f"{key!r} is no key"
        raise ValueError(msg)
    return key


def verified(ref: Ref, data: bytes | None) -> bytes:
    """Return the bytes if they are what the reference says; else raise Corrupted naming the object."""
    remedy = "restore the object from a backup, or delete it and run the step that made it again."
    if data is None:
        raise Corrupted(f"The store has no object {ref.uri}.", remedy=remedy)
    if sha256(data) != ref.sha256:
        raise Corrupted(f"The object {ref.uri} was changed: its hash is {sha256(data)}, not {ref.sha256}.", remedy=remedy)
    return data


class LocalStore:
    """A store in a local folder. Writes are atomic (a temporary file, flushed, then linked) and safe among processes."""

    def __init__(self, root: Path) -> None:
        """Use the folder `root`; it is made at the first write."""
        self.root = root

    def put(self, data: bytes, suffix: str = "") -> Ref:
        """Store the bytes under their hash; a damaged object of that name is healed."""
        ref = Ref(uri=object_uri(sha256(data), suffix), sha256=sha256(data))
        target = self.root / ref.uri
        if target.exists() and target.stat().st_size == len(data) and sha256(target.read_bytes()) == ref.sha256:
            with contextlib.suppress(PermissionError):  # another user's file, in a store that several share
                os.utime(target)  # somebody needs it from now on: `prune` takes nothing that is young
            return ref
        with self._written(target, data) as temporary:
            temporary.replace(target)
        return ref

    def get(self, ref: Ref) -> bytes:
        """Return the verified bytes."""
        target = self.root / ref.uri
        return verified(ref, target.read_bytes() if target.is_file() else None)

    def path(self, ref: Ref) -> Path:
        """Return the verified object's own file."""
        self.get(ref)
        return self.root / ref.uri

    def publish(self, key: str, data: bytes) -> bool:
        """Write the entry by linking a finished file: of two writers exactly one succeeds."""
        target = self.root / KEYS / checked_key(key)
        if target.exists():
            return self._healed(key, target, data)
        with self._written(target, sealed(data)) as temporary:
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
        return True

    def read(self, key: str) -> bytes | None:
        """Return the verified entry, or None."""
        target = self.root / KEYS / checked_key(key)
        return unsealed(key, target.read_bytes()) if target.is_file() else None

    def _healed(self, key: str, target: Path, data: bytes) -> bool:
        """Replace an entry that is damaged; tell whether this call did. One that is whole stays."""
        handle = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)  # of two that heal it the second looks again
            try:
                unsealed(key, target.read_bytes())
            except Corrupted:
                with self._written(target, sealed(data)) as temporary:
                    temporary.replace(target)
                return True
            return False
        finally:
            os.close(handle)

    def keys(self, prefix: str) -> list[str]:
        """Return the keys directly below the folder, sorted; half-written files are not among them."""
        return _files(self.root / KEYS, prefix)

    def open_segment(self, name: str) -> Segment:
        """Begin a new segment: a file that is locked as long as it is open."""
        return LocalSegment(self.root, name, self.root / SEGMENTS / checked_key(name))

    def segments(self, prefix: str) -> list[str]:
        """Return the names of the segments directly below the folder, sorted."""
        return _files(self.root / SEGMENTS, prefix)

    def read_segment(self, name: str, offset: int = 0) -> bytes | None:
        """Return what a segment holds from the offset on, or None."""
        return read_from(self.root / SEGMENTS / checked_key(name), offset)

    def is_open(self, name: str) -> bool:
        """Tell whether a living process holds the segment."""
        return is_locked(self.root / SEGMENTS / checked_key(name))

    def drop_segment(self, name: str) -> None:
        """Remove a segment."""
        (self.root / SEGMENTS / checked_key(name)).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _written(self, target: Path, data: bytes) -> Iterator[Path]:
        """Yield a finished temporary file beside `target`; it is gone afterwards. Raises StorageFull, naming the folder."""
        try:
            make_folder(target.parent)
            handle, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=target.parent)
        except OSError as error:
            raise translated(error, self.root) from error
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        except OSError as error:
            raise translated(error, self.root) from error
        finally:
            temporary.unlink(missing_ok=True)


def _files(root: Path, prefix: str) -> list[str]:
    """Return the names of the finished files directly below a folder, sorted, each with the folder before it."""
    folder = root / checked_key(prefix)
    if not folder.is_dir():
        return []
    return sorted(f"{prefix}/{p.name}" for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))


class MemoryStore:
    """A store in memory, for tests: the same promises, plus a scratch folder for `path`."""

    def __init__(self) -> None:
        """Start empty."""
        self.objects: dict[str, bytes] = {}
        self.entries: dict[str, bytes] = {}
        self.logs: dict[str, MemorySegment] = {}
        self._lock = threading.Lock()
        self._scratch: Path | None = None

    def put(self, data: bytes, suffix: str = "") -> Ref:
        """Store the bytes under their hash."""
        ref = Ref(uri=object_uri(sha256(data), suffix), sha256=sha256(data))
        self.objects[ref.uri] = data
        return ref

    def get(self, ref: Ref) -> bytes:
        """Return the verified bytes."""
        return verified(ref, self.objects.get(ref.uri))

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
            self.entries.setdefault(key, data)
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
            self.logs[name] = MemorySegment(name)
        return self.logs[name]

    def segments(self, prefix: str) -> list[str]:
        """Return the names of the segments directly below the folder, sorted."""
        return _below(self.logs, prefix)

    def read_segment(self, name: str, offset: int = 0) -> bytes | None:
        """Return what a segment holds from the offset on, or None."""
        found = self.logs.get(checked_key(name))
        return None if found is None else bytes(found.data[offset:])

    def is_open(self, name: str) -> bool:
        """Tell whether the segment was not closed yet."""
        found = self.logs.get(checked_key(name))
        return found is not None and found.open

    def drop_segment(self, name: str) -> None:
        """Remove a segment."""
        self.logs.pop(checked_key(name), None)


def _below(names: Iterable[str], prefix: str) -> list[str]:
    start = checked_key(prefix) + "/"
    return sorted(n for n in list(names) if n.startswith(start) and "/" not in n[len(start) :])
