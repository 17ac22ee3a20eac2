"""The store in a bucket.

Objects and entries lie in the bucket under the names that they have in a folder. A segment grows in
a file of its host, since the inference log must not wait for a bucket, and is sent when it is
closed.
"""

from __future__ import annotations

import secrets
from functools import cached_property
from typing import TYPE_CHECKING

from pipelines.errors import Corrupted
from pipelines.refs import Ref, sha256, sha256_of_file
from pipelines.store.bucket.cache import ReadCache
from pipelines.store.bucket.client import Client, Fetched
from pipelines.store.bucket.probe import probe_daily
from pipelines.store.local import LocalStore
from pipelines.store.port import (
    KEYS,
    OBJECTS,
    SEGMENTS,
    checked_key,
    object_uri,
    verify_bytes,
)
from pipelines.store.sealing import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pipelines.store.bucket.address import BucketAddress
    from pipelines.store.port import Kind, Segment, StoredItem

HEALS = 5
"""How often a damaged entry is looked at again because another writer was at it, too."""


class BucketStore:
    """A store in a bucket, with a folder of this host for its cache and its segments."""

    is_far = True

    def __init__(self, address: BucketAddress, folder: Path, cache_bytes: int) -> None:
        """Remember where; nothing is asked and nothing made before the first call."""
        self.address = address
        self.folder = folder
        self._cache = ReadCache(folder / "cache", cache_bytes)
        self._local = LocalStore(folder)

    @cached_property
    def client(self) -> Client:
        """The way to the bucket."""
        return Client(self.address)

    def put(self, data: bytes, suffix: str = "") -> Ref:
        """Store the bytes under their hash.

        They are written in any case: that heals a damaged object, and makes its use known to
        `prune` on every host.
        """
        ref = Ref(uri=object_uri(sha256(data), suffix), sha256=sha256(data))
        tag = self.client.put(ref.uri, data)
        self._cache.keep(ref.uri, data, tag)
        return ref

    def put_file(self, path: Path, suffix: str = "") -> Ref:
        """Store a file's bytes; it is sent in parts, and the cache does not keep it."""
        digest = sha256_of_file(path)
        ref = Ref(uri=object_uri(digest, suffix), sha256=digest)
        self.client.put(ref.uri, path)
        self._cache.forget(ref.uri)
        return ref

    def get(self, ref: Ref) -> bytes:
        """Return the verified bytes, from the cache where the bucket still has this content."""
        kept = self._cache.take(checked_key(ref.uri))
        if kept is not None and sha256(kept[0]) != ref.sha256:
            kept = None  # damaged on this disk, or another object was asked for
        found = self.client.get(ref.uri, unless=kept[1] if kept else "")
        if found == "same" and kept is not None:
            return kept[0]
        self._cache.forget(ref.uri)
        if not isinstance(found, Fetched):
            return verify_bytes(ref, None)
        data = verify_bytes(ref, found.data)
        self._cache.keep(ref.uri, data, found.tag)
        return data

    def path(self, ref: Ref) -> Path:
        """Return a file of the cache with the verified bytes; it stays for a day."""
        return self._cache.hand_out(ref.uri, self.get(ref))

    def publish(self, key: str, data: bytes) -> bool:
        """Write the entry by a conditional put: of two writers exactly one succeeds.

        Each call has a mark of its own, by which it knows its own write where the answer to it was
        lost on the way.
        """
        path = f"{KEYS}/{checked_key(key)}"
        probe_daily(self.client, self.folder)
        mark, sealed = secrets.token_hex(16), seal(data)
        for _ in range(HEALS):
            if self.client.create(path, sealed, mark):
                return True
            found = self._fetch(path)
            if found is None:
                continue  # removed meanwhile: try again
            if found.writer == mark:
                return True
            if _is_whole(key, found.data):
                return False
            if self._heal(path, sealed, mark, found):
                return True
        raise Corrupted(
            f"The entry {key} is damaged, and others write to it all the time.",
            remedy="delete it, then run again.",
        )

    def _heal(self, path: str, sealed: bytes, mark: str, damaged: Fetched) -> bool:
        """Replace a damaged entry; tell whether this call did.

        Where the endpoint refuses the right tag too (Ceph 16 does), it is written over and read
        back: of two that heal at the same moment the later one counts.
        """
        if self.client.replace(path, sealed, mark, damaged):
            return True
        found = self._fetch(path)
        if found is None or found.data != damaged.data:
            return found is not None and found.writer == mark
        self.client.put(path, sealed)
        found = self._fetch(path)
        return found is not None and found.data == sealed

    def read(self, key: str) -> bytes | None:
        """Return the verified entry, or None."""
        found = self._fetch(f"{KEYS}/{checked_key(key)}")
        return unseal(key, found.data) if found is not None else None

    def _fetch(self, path: str) -> Fetched | None:
        found = self.client.get(path)
        return found if isinstance(found, Fetched) else None

    def keys(self, prefix: str) -> list[str]:
        """Return the keys directly below the folder, sorted."""
        names = self.client.names(f"{KEYS}/{checked_key(prefix)}")
        return [name.removeprefix(f"{KEYS}/") for name in names]

    def open_segment(self, name: str) -> Segment:
        """Begin a new segment on this host."""
        return self._local.open_segment(name)

    def segments(self, prefix: str) -> list[str]:
        """Return the names of segments directly below the folder, sorted.

        This host's come first: one that is sent in between is then seen twice, never not at all.
        """
        near = self._local.segments(prefix)
        sent = self.client.names(f"{SEGMENTS}/{prefix}")
        return sorted({*near, *(name.removeprefix(f"{SEGMENTS}/") for name in sent)})

    def near_segments(self) -> list[str]:
        """Return the names of the segments that were not sent from this host yet, sorted."""
        return self._local.near_segments()

    def send_segment(self, name: str) -> bool:
        """Bring a closed segment of this host into the bucket.

        It leaves this host when the bucket has it. Until then it is there twice, as one segment.
        """
        if self._local.is_open(name):
            return False
        data = self._local.read_segment(name)
        if data is None:
            return False
        self.client.put(f"{SEGMENTS}/{name}", data)
        return self._local.remove("segments", name)

    def read_segment(self, name: str, offset: int = 0) -> bytes | None:
        """Return what a segment holds from the offset on, or None."""
        data = self._local.read_segment(name, offset)
        if data is not None:
            return data
        found = self._fetch(f"{SEGMENTS}/{name}")
        return found.data[offset:] if found is not None else None

    def is_open(self, name: str) -> bool:
        """Tell whether a living process of this host holds the segment."""
        return self._local.is_open(name)

    def contents(self, kind: Kind, below: str = "") -> Iterable[StoredItem]:
        """Return what is in the bucket, with this host's segments among those that were sent.

        What is unfinished is this host's: the bucket shows nothing that is.
        """
        if kind == "unfinished":
            return self._local.contents(kind, below)
        sent = list(self._in_bucket(kind, below))
        if kind != "segments":
            return sent
        near = list(self._local.contents(kind, below))
        return sorted({item.name: item for item in (*sent, *near)}.values())

    def _in_bucket(self, kind: Kind, below: str) -> Iterator[StoredItem]:
        base = {"entries": f"{KEYS}/", "segments": f"{SEGMENTS}/"}.get(kind, "")
        folder = base + checked_key(below) if below else base.rstrip("/") or OBJECTS
        for item in self.client.all(folder):
            yield item._replace(name=item.name.removeprefix(base))

    def remove(self, kind: Kind, name: str, *, unused_since: float | None = None) -> bool:
        """Remove one thing, unless it was used since by the endpoint's clock."""
        if kind == "unfinished":
            return self._local.remove(kind, name, unused_since=unused_since)
        if kind == "segments" and self._local.read_segment(name) is not None:
            near = self._local.remove(kind, name, unused_since=unused_since)
            if not near:
                return False  # used since
            self.client.remove(f"{SEGMENTS}/{name}")
            return True
        folders = {"objects": "", "entries": f"{KEYS}/", "segments": f"{SEGMENTS}/"}
        path = folders[kind] + checked_key(name)
        item = self.client.find(path)
        if item is None or (unused_since is not None and item.used_at >= unused_since):
            return False
        self.client.remove(path)
        if kind == "objects":
            self._cache.forget(path)
        return True


def _is_whole(key: str, raw: bytes) -> bool:
    try:
        unseal(key, raw)
    except Corrupted:
        return False
    return True
