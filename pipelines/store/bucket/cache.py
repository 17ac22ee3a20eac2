"""Objects of a bucket that were read on this host lately, bounded in bytes.

<folder>/objects/ab/<name>        an object's bytes; its use is its time of change
<folder>/objects/ab/<name>.tag    the tag by which the endpoint knows this content
<folder>/files/<name>             what was handed out as a path: another name of the same file

Nothing here is believed: whoever takes an object hashes it, and asks the endpoint whether it still
has this very content. So the cache saves bytes on the way and never hides what the bucket lost.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from typing import TYPE_CHECKING, Final

from pipelines.full_disk import is_full
from pipelines.private_files import make_folder
from pipelines.store.segments import name_full_disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAG: Final = ".tag"
LARGEST_SHARE: Final = 4
"""An object above this part (a fourth) of the bound is not kept: it would push out all others."""
FILE_SECONDS: Final = 86_400.0
"""How long a file that was handed out as a path stays after that."""
LOOK_SHARE: Final = 20
"""After this part (a twentieth) of the bound was written, the folder is measured again."""


class ReadCache:
    """A folder that several processes share; the least recently used objects go first."""

    def __init__(self, folder: Path, limit: int) -> None:
        """Use the folder; `limit` is in bytes, and 0 keeps nothing."""
        self._folder = folder
        self._limit = limit
        self._unmeasured = limit  # measured at the first write of each process

    def take(self, uri: str) -> tuple[bytes, str] | None:
        """Return an object's bytes, which are not verified, and its tag."""
        path = self._path(uri)
        try:
            tag = path.with_name(path.name + TAG).read_text(encoding="utf-8")
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return data, tag

    def keep(self, uri: str, data: bytes, tag: str) -> None:
        """Keep an object's bytes; where there is no room for them, do without."""
        if not tag or len(data) * LARGEST_SHARE > self._limit:
            return
        path = self._path(uri)
        try:
            _write(path, data)
            _write(path.with_name(path.name + TAG), tag.encode())
        except OSError as error:
            self.forget(uri)
            if not is_full(error):
                raise
            return
        self._unmeasured += len(data)
        if self._unmeasured * LOOK_SHARE > self._limit:
            self._unmeasured = 0
            self._shrink()

    def forget(self, uri: str) -> None:
        """Remove an object, where it is there, and the file that was handed out."""
        path = self._path(uri)
        for place in (path, path.with_name(path.name + TAG), self._file(uri)):
            place.unlink(missing_ok=True)

    def hand_out(self, uri: str, data: bytes) -> Path:
        """Return a file with these bytes that stays for a day, whatever else is read meanwhile.

        Raises StorageFull where there is no room.
        """
        file = self._file(uri)
        try:
            make_folder(file.parent)
            for old in _files(file.parent):
                if old.stat().st_mtime < time.time() - FILE_SECONDS:
                    old.unlink(missing_ok=True)
            kept = self._path(uri)
            with contextlib.suppress(OSError):
                if kept.read_bytes() == data:
                    _link(kept, file)
                    return file
            _write(file, data)
        except OSError as error:
            raise name_full_disk(error, self._folder) from error
        return file

    def _shrink(self) -> None:
        """Remove what was not used for longest until nine tenths of the bound are left."""
        kept = []
        for path in _files(self._folder / "objects"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                kept.append((status.st_mtime, status.st_size, path))
        size = sum(bytes_ for _, bytes_, _ in kept)
        for _, bytes_, path in sorted(kept):
            if size <= self._limit * 9 // 10:
                break
            path.with_name(path.name + TAG).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            size -= bytes_

    def _path(self, uri: str) -> Path:
        return self._folder / uri

    def _file(self, uri: str) -> Path:
        return self._folder / "files" / uri.rsplit("/", 1)[-1]


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, without tags."""
    for path in folder.rglob("*"):
        if path.suffix != TAG and path.is_file():
            yield path


def _write(path: Path, data: bytes) -> None:
    """Write a file, mode 600, that nobody sees half-written. It need not survive a power cut."""
    make_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)  # noqa: PTH105
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108
        raise


def _link(source: Path, target: Path) -> None:
    """Make `target` another name of the file `source`, in place of what it was."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    os.link(source, temporary)
    temporary.replace(target)
    temporary.unlink(missing_ok=True)  # both were one file already: then nothing was renamed
