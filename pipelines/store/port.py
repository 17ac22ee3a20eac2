"""The Store port: immutable, content-addressed bytes, and keys that the first writer wins.

Three kinds of things live in a store. *Objects* are named by their SHA-256 and verified whenever
they are read. *Entries* are small and have a key (a step's published result, a batch's version, a
release); they are written once: of two writers, the second is told that it lost. Of these, nothing
is ever changed in place; a reader sees all of a write or none of it. *Segments* are logs that grow
at their end while one process writes them, and are removed once they were rotated into objects.

How another store is added: docs/decisions/0037-the-store-is-a-port.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from pipelines.errors import Corrupted
from pipelines.refs import Ref, sha256

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

OBJECTS = "objects"
KEYS = "keys"
SEGMENTS = "segments"

Kind = Literal["objects", "entries", "segments", "unfinished"]
"""What a store holds. `unfinished` is what writers that died had begun: nobody reads it."""


class StoredItem(NamedTuple):
    """One thing that a store holds."""

    name: str
    """An object's URI, an entry's key, a segment's name."""
    size: int
    """Bytes."""
    used_at: float
    """When it was last written, in seconds since 1970 (UTC).

    An object that is put again is used again.
    """


class Store(Protocol):
    """Where batches, bundles, reports and published results live."""

    @property
    def is_far(self) -> bool:
        """Tell whether to read an entry is to ask another machine.

        Then a segment is on the host that writes it, and elsewhere only once it was sent.
        """
        ...

    def put(self, data: bytes, suffix: str = "") -> Ref:
        """Store the bytes under their hash (with `suffix` as the file's ending) and return the
        reference.
        """
        ...

    def put_file(self, path: Path, suffix: str = "") -> Ref:
        """Store a file's bytes as `put` does, part by part; the file stays as it is."""
        ...

    def get(self, ref: Ref) -> bytes:
        """Return the bytes.

        Raises Corrupted, naming the object, where they are missing or not what their hash says.
        """
        ...

    def path(self, ref: Ref) -> Path:
        """Return a local, verified file with the bytes, for libraries that want a path.

        It must not be written to.
        """
        ...

    def publish(self, key: str, data: bytes) -> bool:
        """Write the entry unless it is there; tell whether this call wrote it.

        One that is there but damaged is replaced.
        """
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
        """Return the names of the segments directly below the folder `prefix`, sorted.

        Open ones are among them.
        """
        ...

    def near_segments(self) -> list[str]:
        """Return the names of all segments that are on this host, sorted: nobody else is asked."""
        ...

    def send_segment(self, name: str) -> bool:
        """Bring a closed segment to where other hosts read it; tell whether this call did.

        False where it is open or gone, and always where the store is not far.
        """
        ...

    def read_segment(self, name: str, offset: int = 0) -> bytes | None:
        """Return what a segment holds from the offset on, up to now; None where it is not there."""
        ...

    def is_open(self, name: str) -> bool:
        """Tell whether somebody still holds the segment open for writing (a process that died does
        not). Of a far store, other hosts' open segments are not even listed.
        """
        ...

    def contents(self, kind: Kind, below: str = "") -> Iterable[StoredItem]:
        """Return all that the store holds of a kind, at any depth, sorted by name.

        `below` names a folder of entries or segments; of one that is not there nothing is returned.
        """
        ...

    def remove(self, kind: Kind, name: str, *, unused_since: float | None = None) -> bool:
        """Remove one thing; tell whether this call did. False where it is gone already.

        With `unused_since` (seconds since 1970) it stays where it was used at that moment or later.
        Raises Unreachable where the store refuses.
        """
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
        """Flush to the disk: what was appended before survives a power cut.

        Once it has failed, it fails always.
        """
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


def verify_bytes(ref: Ref, data: bytes | None) -> bytes:
    """Return the bytes if they are what the reference says.

    Else raise Corrupted naming the object.
    """
    remedy = "restore the object from a backup, or delete it and run the step that made it again."
    if data is None:
        raise Corrupted(f"The store has no object {ref.uri}.", remedy=remedy)
    if sha256(data) != ref.sha256:
        raise Corrupted(
            f"The object {ref.uri} was changed: its hash is {sha256(data)}, not {ref.sha256}.",
            remedy=remedy,
        )
    return data
