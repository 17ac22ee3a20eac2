"""A folder of DVC's objects (its cache, or a local remote).

Files named by their MD5, and `.dir` objects that list files.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from pipelines.private_files import make_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

READ_ONLY = 0o444
"""The mode that DVC gives to objects."""


class Objects:
    """Objects in DVC's layout `files/md5/ab/cdef…`."""

    def __init__(self, folder: Path) -> None:
        """Use the cache or remote at `folder`."""
        self.folder = folder

    def path(self, oid: str) -> Path:
        """Return where an object lives; `oid` is an MD5, with `.dir` behind it for a listing."""
        return self.folder / "files" / "md5" / oid[:2] / oid[2:]

    def take(self, oid: str, source: Path, sound: Callable[[Path], bool]) -> bool:
        """Copy an object from elsewhere unless the copy is not sound; tell which.

        Readers see the old or the new one whole.
        """
        target = self.path(oid)
        make_folder(target.parent)
        handle, name = tempfile.mkstemp(suffix=".tmp", prefix=".", dir=target.parent)
        copy = Path(name)
        try:
            with os.fdopen(handle, "wb") as file, source.open("rb") as original:
                while block := original.read(1 << 20):
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            if not sound(copy):
                return False
            copy.chmod(READ_ONLY)
            copy.replace(target)
        finally:
            copy.unlink(missing_ok=True)
        return True

    def remove_where(self, holds: Callable[[bytes], bool], keep: Collection[str]) -> set[str]:
        """Remove the objects of which `holds` is true, but none of `keep`; return their names.

        Lists of files are left.
        """
        removed = set()
        for path in sorted((self.folder / "files" / "md5").glob("*/*")):
            oid = path.parent.name + path.name
            if path.suffix or oid in keep or not holds(path.read_bytes()):
                continue
            path.unlink(missing_ok=True)
            removed.add(oid)
        return removed

    def sweep(self) -> None:
        """Remove the temporary files of writers that were killed.

        Call it only while nobody writes.
        """
        for litter in (self.folder / "files" / "md5").glob("*/*.tmp"):
            litter.unlink(missing_ok=True)


def has_sha256(path: Path, expected: str) -> bool:
    """Tell whether the file is there and its content has this SHA-256."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == expected


def has_md5(path: Path, oid: str) -> bool:
    """Tell whether the file is there and is the object that its name says."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, _md5).hexdigest() == oid.removesuffix(".dir")


def object_of_pointer(pointer: bytes) -> str:
    """Return the object that a `.dvc` file points to.

    Raises ValueError or KeyError where it is no such file.
    """
    oid = yaml.safe_load(pointer)["outs"][0]["md5"]
    if not isinstance(oid, str) or not oid.endswith(".dir"):
        msg = f"{oid!r} is no folder's object"
        raise ValueError(msg)
    return oid


def objects_of_listing(listing: bytes) -> dict[str, str]:
    """Return the objects of a `.dir` object by file name."""
    return {entry["relpath"]: entry["md5"] for entry in json.loads(listing)}


def md5(data: bytes | Path) -> str:
    """Return the MD5 by which DVC names the bytes, or those of a file.

    No part of any promise of safety, those rest on SHA-256.
    """
    if isinstance(data, bytes):
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
    with data.open("rb") as file:
        return hashlib.file_digest(file, _md5).hexdigest()


def settle(path: Path) -> None:
    """Return when the file and its name have reached the disk."""
    for place in (path, path.parent):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)
