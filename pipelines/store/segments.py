"""Segments: files that one process appends to while others read them.

The store's two kinds of them live here.

A segment is held under a lock (flock) as long as it is open. The kernel lets go of it when the
process ends, however it ends, so a segment whose writer was killed is known to be closed without
anybody's help.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import threading
from typing import TYPE_CHECKING

from pipelines.errors import StorageFull
from pipelines.full_disk import is_full
from pipelines.private_files import make_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def name_full_disk(error: OSError, root: Path) -> Exception:
    """Return the error as StorageFull naming the store where there was no room, else as it is."""
    if is_full(error):
        return StorageFull(
            f"No space is left in the store {root}.",
            remedy="free space there, then run again; nothing was half-written.",
        )
    return error


class LocalSegment:
    """A segment in a file.

    `append` and `close` belong to one thread at a time; `sync` may be called from another one.
    """

    def __init__(self, root: Path, name: str, path: Path) -> None:
        """Make and lock the file.

        Raises ValueError where it is there already, StorageFull where there is no room.

        The file gets its name when it is locked already: nobody ever sees a new segment that looks
        closed.
        """
        self.name = name
        self.size = 0
        self._root = root
        self._path = path
        self._close_lock = threading.Lock()
        self._failure: OSError | None = None
        """Of a flush: the kernel tells of lost data once, and what was lost stays lost."""
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        self._handle = -1
        try:
            make_folder(path.parent)
            self._handle = os.open(
                temporary, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
            )
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.link(temporary, path)
            _sync_folder(path.parent)
        except FileExistsError as error:
            self._let_go()
            raise ValueError(f"There is a segment {name} already.") from error
        except OSError as error:
            self._let_go()
            raise name_full_disk(error, root) from error
        finally:
            temporary.unlink(missing_ok=True)

    def append(self, data: bytes) -> None:
        """Add the bytes with one write; what was written of them in vain is cut off again."""
        if self._handle < 0:
            raise ValueError(f"The segment {self.name} is closed.")
        try:
            count = os.write(self._handle, data)
            while count < len(
                data
            ):  # the disk became full on the way: a further write says so, or finishes
                count += os.write(self._handle, data[count:])
        except OSError as error:
            self._cut_back()
            raise name_full_disk(error, self._root) from error
        self.size += len(data)

    def _cut_back(self) -> None:
        """Take a half-written append back.

        Where even that fails, nothing may follow the torn line: the segment is flushed and closed.
        """
        try:
            os.ftruncate(self._handle, self.size)
        except OSError:
            with self._close_lock:  # a flush may be at it in another thread
                self._flush()
                self._let_go()
            raise

    def cut(self, size: int) -> None:
        """Take back what was appended after the first `size` bytes, also of a segment that was
        closed since. Raises OSError.
        """
        with self._close_lock:
            os.truncate(self._handle if self._handle >= 0 else self._path, size)
            self.size = size

    def sync(self) -> None:
        """Flush to the disk.

        Raises again what a flush raised once; a segment that was closed was flushed by that.
        """
        with self._close_lock:
            self._flush()
            if self._failure is not None:
                raise name_full_disk(self._failure, self._root) from self._failure

    def _flush(self) -> None:
        if self._handle >= 0 and self._failure is None:
            try:
                os.fdatasync(self._handle)
            except OSError as error:
                self._failure = error

    def close(self) -> None:
        """Flush, unlock and let go; a second call does nothing."""
        try:
            self.sync()
        finally:
            with self._close_lock:
                self._let_go()

    def _let_go(self) -> None:
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)


def is_locked(path: Path) -> bool:
    """Tell whether a writer holds the file.

    The probe's lock is a shared one: several probes do not take each other for writers.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def read_from(path: Path, offset: int) -> bytes | None:
    """Return the file's bytes from the offset on; None where there is no such file."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), path.open("rb") as file:
        file.seek(offset)
        return file.read()
    return None


def _sync_folder(folder: Path) -> None:
    """Flush the folder: a file's name survives a power cut only with its folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class MemorySegment:
    """A segment in memory."""

    def __init__(self, name: str, use: Callable[[], None]) -> None:
        """Start empty and open; `use` is called whenever something was appended."""
        self.name = name
        self._use = use
        self.size = 0
        self.data = bytearray()
        self.open = True

    def append(self, data: bytes) -> None:
        """Add the bytes."""
        if not self.open:
            raise ValueError(f"The segment {self.name} is closed.")
        self.data += data
        self.size += len(data)
        self._use()

    def cut(self, size: int) -> None:
        """Take back what was appended after the first `size` bytes."""
        del self.data[size:]
        self.size = size

    def sync(self) -> None:
        """Do nothing: memory has no disk behind it."""

    def close(self) -> None:
        """Take no more."""
        self.open = False
