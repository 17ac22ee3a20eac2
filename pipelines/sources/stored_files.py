"""The files behind a URI as files on this disk: those elsewhere are brought here, those that are
compressed are unpacked.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pipelines.errors import PerennialError, Unreachable
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
_COMPRESSED, _VALUE_BYTES = 6, 12
"""How many times its bytes a compressed file has, and how many bytes a value, as a rule."""
_ROOM = 2
"""A file may unpack to one part (a half) of what the disk has left."""


@dataclass
class StoredFile:
    """One file: its name in messages, its format, and about how many bytes its rows have."""

    name: str
    kind: Format
    unpacked: int
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


def look_up(source: FilesSource, uri: str, least: int) -> list[StoredFile] | None:
    """Return the files behind a URI, by their paths; None where they cannot be read part by part.

    So they can be where all are CSV, or all are Parquet, and none is an archive of several files.
    Those that have fewer bytes than `least` together are not looked at. What is wrong with them is
    said by who reads them whole.
    """
    if source.format == "delta" or source.member:
        return None
    try:
        opened = files_behind(uri)
        states = [state_of(file) for file in opened]
        sizes = [file.fs.size(file.path) for file in opened]
        if sum(sizes) < least:
            return None
        files = [_look_at(source, uri, *file) for file in zip(opened, states, sizes, strict=True)]
    except PerennialError:
        return None
    # Each of fsspec's file systems has errors of its own; whoever reads the files whole says them.
    except Exception:  # noqa: BLE001 -- see above
        return None
    kinds = {file.kind for file in files if file is not None}
    if None in files or len(kinds) != 1:
        return None
    return [file for file in files if file is not None]


def _look_at(
    source: FilesSource, uri: str, file: Any, state: object, size: int
) -> StoredFile | None:
    """Return one file; None where it is read whole."""
    name = display_url(file.path).rsplit("/", 1)[-1]
    kind = format_of(name, source.format)
    if kind not in {"csv", "parquet"}:
        return None
    with file as stream:
        head = stream.read(_HEAD)
        compression = compression_of(head, name)
        if is_archive(head, name) or (compression and kind == "parquet"):
            return None
        unpacked = size * (_COMPRESSED if compression else 1)
        if kind == "parquet":
            unpacked = _bytes_in_memory(stream)
    return StoredFile(name, kind, unpacked, compression, folders_of(file.path, uri), file, state)


def _bytes_in_memory(file: IO[bytes]) -> int:
    """Return about how many bytes the rows of a Parquet file have in memory."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(file)
    groups = range(metadata.num_row_groups)
    size = sum(metadata.row_group(number).total_byte_size for number in groups)
    return int(max(size, metadata.num_rows * metadata.num_columns * _VALUE_BYTES))
