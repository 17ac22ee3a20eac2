"""The store in a local folder."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from pipelines.errors import Corrupted, Unreachable
from pipelines.private_files import make_folder
from pipelines.refs import Ref, sha256, sha256_of_file
from pipelines.store.port import (
    KEYS,
    OBJECTS,
    SEGMENTS,
    Segment,
    StoredItem,
    checked_key,
    object_uri,
    verify_bytes,
)
from pipelines.store.sealing import seal, unseal
from pipelines.store.segments import LocalSegment, is_locked, name_full_disk, read_from

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.store.port import Kind, Store

_COPIED_BYTES: Final = 2**20
"""Bytes of a file that are copied at once."""


class LocalStore:
    """A store in a local folder.

    Writes are atomic (a temporary file, flushed, then linked) and safe among processes.
    """

    is_far = False

    def __init__(self, root: Path) -> None:
        """Use the folder `root`; it is made at the first write."""
        self.root = root

    def put(self, data: bytes, suffix: str = "") -> Ref:
        """Store the bytes under their hash; a damaged object of that name is healed."""
        ref = Ref(uri=object_uri(sha256(data), suffix), sha256=sha256(data))
        target = self.root / ref.uri
        if (
            target.exists()
            and target.stat().st_size == len(data)
            and sha256(target.read_bytes()) == ref.sha256
        ):
            with contextlib.suppress(
                PermissionError
            ):  # another user's file, in a store that several share
                os.utime(
                    target
                )  # somebody needs it from now on: `prune` takes nothing that is young
            return ref
        with self._write_temporary(target, data) as temporary:
            temporary.replace(target)
        return ref

    def put_file(self, path: Path, suffix: str = "") -> Ref:
        """Store a file's bytes; what is hashed is what is written."""
        with self._begin_temporary(self.root / OBJECTS) as (file, temporary):
            digest = hashlib.sha256()
            with path.open("rb") as source:
                while chunk := source.read(_COPIED_BYTES):
                    digest.update(chunk)
                    file.write(chunk)
            _flush(file)
            ref = Ref(uri=object_uri(digest.hexdigest(), suffix), sha256=digest.hexdigest())
            target = self.root / ref.uri
            make_folder(target.parent)
            temporary.replace(target)
        return ref

    def get(self, ref: Ref) -> bytes:
        """Return the verified bytes."""
        target = self.root / ref.uri
        return verify_bytes(ref, _bytes_of(target))

    def path(self, ref: Ref) -> Path:
        """Return the verified object's own file, which is read part by part."""
        target = self.root / ref.uri
        if not target.is_file() or sha256_of_file(target) != ref.sha256:
            self.get(ref)  # which says what is wrong with it
        return target

    def publish(self, key: str, data: bytes) -> bool:
        """Write the entry by linking a finished file: of two writers exactly one succeeds."""
        target = self.root / KEYS / checked_key(key)
        if target.exists():
            return self._heal(key, target, data)
        with self._write_temporary(target, seal(data)) as temporary:
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
        return True

    def read(self, key: str) -> bytes | None:
        """Return the verified entry, or None."""
        raw = _bytes_of(self.root / KEYS / checked_key(key))
        return unseal(key, raw) if raw is not None else None

    def _heal(self, key: str, target: Path, data: bytes) -> bool:
        """Replace an entry that is damaged; tell whether this call did. One that is whole stays."""
        handle = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)  # of two that heal it the second looks again
            try:
                unseal(key, target.read_bytes())
            except Corrupted:
                with self._write_temporary(target, seal(data)) as temporary:
                    temporary.replace(target)
                return True
            return False
        finally:
            os.close(handle)

    def keys(self, prefix: str) -> list[str]:
        """Return the keys directly below the folder, sorted.

        Half-written files are not among them.
        """
        return _files(self.root / KEYS, prefix)

    def open_segment(self, name: str) -> Segment:
        """Begin a new segment: a file that is locked as long as it is open."""
        return LocalSegment(self.root, name, self.root / SEGMENTS / checked_key(name))

    def segments(self, prefix: str) -> list[str]:
        """Return the names of the segments directly below the folder, sorted."""
        return _files(self.root / SEGMENTS, prefix)

    def near_segments(self) -> list[str]:
        """Return all segments: this is the host that they are on."""
        return [item.name for item in self.contents("segments")]

    def send_segment(self, _name: str) -> bool:
        """Do nothing: a segment is where others read it from the beginning."""
        return False

    def read_segment(self, name: str, offset: int = 0) -> bytes | None:
        """Return what a segment holds from the offset on, or None."""
        return read_from(self.root / SEGMENTS / checked_key(name), offset)

    def is_open(self, name: str) -> bool:
        """Tell whether a living process holds the segment."""
        return is_locked(self.root / SEGMENTS / checked_key(name))

    def contents(self, kind: Kind, below: str = "") -> Iterator[StoredItem]:
        """Yield the finished files of a kind, or the temporary files that writers left."""
        base = self._base(kind)
        top = base / checked_key(below) if below else base
        if kind == "objects":
            top = base / OBJECTS
        belongs = _is_temporary if kind == "unfinished" else _is_finished
        for path in sorted(path for path in top.rglob("*") if belongs(path.name)):
            with contextlib.suppress(FileNotFoundError):  # gone since the folder was read
                status = path.stat()
                if stat.S_ISREG(status.st_mode):
                    name = path.relative_to(base).as_posix()
                    yield StoredItem(name, status.st_size, status.st_mtime)

    def remove(self, kind: Kind, name: str, *, unused_since: float | None = None) -> bool:
        """Remove a file, unless it is a link or was used since."""
        path = self._base(kind) / (_inside(name) if kind == "unfinished" else checked_key(name))
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                return False
            if unused_since is not None and status.st_mtime >= unused_since:
                return False
            path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise Unreachable(
                f"{path} cannot be removed: {error}.",
                remedy="check the folder's owner, then run again.",
            ) from error
        return True

    def _base(self, kind: Kind) -> Path:
        """Return the folder from which names of this kind count."""
        return {"entries": self.root / KEYS, "segments": self.root / SEGMENTS}.get(kind, self.root)

    @contextlib.contextmanager
    def _write_temporary(self, target: Path, data: bytes) -> Iterator[Path]:
        """Yield a finished temporary file beside `target`; it is gone afterwards.

        Raises StorageFull, naming the folder.
        """
        with self._begin_temporary(target.parent) as (file, temporary):
            file.write(data)
            _flush(file)
            yield temporary

    @contextlib.contextmanager
    def _begin_temporary(self, folder: Path) -> Iterator[tuple[IO[bytes], Path]]:
        """Yield an open temporary file in the folder; it is gone afterwards.

        Raises StorageFull, naming the folder.
        """
        try:
            make_folder(folder)
            handle, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=folder)
        except OSError as error:
            raise name_full_disk(error, self.root) from error
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file, temporary
        except OSError as error:
            raise name_full_disk(error, self.root) from error
        finally:
            temporary.unlink(missing_ok=True)


def folder_of(store: Store) -> Path | None:
    """Return the folder of a store that is one, None of any other store.

    The only question that anybody may ask about where a store lies: a backup copies the folder, and
    `doctor` looks at its disk and at the modes of its files.
    """
    return store.root if isinstance(store, LocalStore) else None


def _flush(file: IO[bytes]) -> None:
    """Write to the disk what was written to the file."""
    file.flush()
    os.fsync(file.fileno())


def _bytes_of(path: Path) -> bytes | None:
    """Return a file's bytes; None where there is no such file."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _is_finished(name: str) -> bool:
    return not name.startswith(".")


def _is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith(".tmp")


def _inside(name: str) -> str:
    """Return the name of a temporary file; ValueError where it is none, or leaves the store."""
    parts = name.split("/")
    if not _is_temporary(parts[-1]) or any(p in {"", ".", ".."} for p in parts) or "\x00" in name:
        msg = f"{name!r} is no temporary file"
        raise ValueError(msg)
    return name


def _files(root: Path, prefix: str) -> list[str]:
    """Return the names of the finished files directly below a folder, sorted, each with the folder
    before it.
    """
    folder = root / checked_key(prefix)
    if not folder.is_dir():
        return []
    return sorted(
        f"{prefix}/{p.name}" for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")
    )
