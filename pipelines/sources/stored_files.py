"""The files behind a URI as files on this disk: those elsewhere are brought here, those that are
compressed are unpacked.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadData, PerennialError, Unreachable
from pipelines.sources.archives import compression_of, is_archive, unpack_stream
from pipelines.sources.formats import format_of
from pipelines.sources.places import CHANGES, files_behind, folders_of, is_local, state_of
from pipelines.sources.urls import display_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.spec.sources import FilesSource
    from pipelines.spec.table_options import Format

_HEAD = 8
"""Bytes by which compressed files are known."""
_ROOM = 2
"""A file may unpack to one part (a half) of what the disk has left."""


@dataclass
class StoredFile:
    """One file: its name in messages, its format, and its bytes as they are stored."""

    name: str
    kind: Format
    size: int
    compression: str | None
    folders: Mapping[str, str | None] = field(default_factory=dict)
    opened: Any = None
    state: object = None

    def fetch(self, folder: Path) -> Path:
        """Return a file on this disk with the bytes as they are stored.

        `folder` takes those that lie elsewhere.
        """
        if is_local(self.opened):
            return Path(self.opened.path)
        copy = folder / f"stored-{os.path.basename(self.name)}"  # noqa: PTH119 -- a text
        with self.opened as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target, 2**20)
        return copy

    def unpack(self, stored: Path, folder: Path) -> Path:
        """Return the file as it is read. Raises BadData where it cannot be unpacked."""
        if self.compression is None:
            return stored
        target = folder / f"unpacked-{stored.name}"
        most = shutil.disk_usage(folder).free // _ROOM
        with stored.open("rb") as source, target.open("wb") as unpacked:
            unpack_stream(source, unpacked, self.compression, self.name, most)
        return target

    def refuse_changed(self) -> None:
        """Raise Unreachable where the file changed since it was looked at first."""
        if state_of(self.opened) != self.state:
            raise Unreachable(f"{self.name} changed while it was read.", remedy=CHANGES)


def look_up(source: FilesSource, uri: str) -> list[StoredFile] | None:
    """Return the files behind a URI, by their paths; None where they cannot be read part by part.

    So they can be where all are CSV, or all are Parquet, and none is an archive of several files.
    What is wrong with them is said by who reads them whole.
    """
    if source.format == "delta" or source.member:
        return None
    files = []
    try:
        for file in files_behind(uri):
            name = display_url(file.path).rsplit("/", 1)[-1]
            state = state_of(file)
            with file as stream:
                head = stream.read(_HEAD)
            size = os.stat(file.path).st_size if is_local(file) else file.fs.size(file.path)  # noqa: PTH116
            kind = format_of(name, source.format)
            compression = compression_of(head, name)
            if is_archive(head, name) or kind not in {"csv", "parquet"}:
                return None
            if compression and kind == "parquet":
                return None
            folders = folders_of(file.path, uri)
            files.append(StoredFile(name, kind, size, compression, folders, file, state))
    except (BadData, PerennialError):
        return None
    # Each of fsspec's file systems has errors of its own; whoever reads the files whole says them.
    except Exception:  # noqa: BLE001 -- see above
        return None
    return files if files and len({file.kind for file in files}) == 1 else None
