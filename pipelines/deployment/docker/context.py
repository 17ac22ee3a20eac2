"""The tar that the engine builds an image of."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def archive(contents: Mapping[str, bytes]) -> bytes:
    """Return a tar of the files and their folders, as `write_archive` writes it."""
    whole = io.BytesIO()
    write_archive(whole, contents)
    return whole.getvalue()


def write_archive(whole: IO[bytes], contents: Mapping[str, bytes | Path]) -> None:
    """Write a tar of the files and their folders; a path stands for the file that is there.

    Sorted, without times or owners, readable by everybody, writable by nobody.
    """
    folders = {
        "/".join(name.split("/")[:depth])
        for name in contents
        for depth in range(1, name.count("/") + 1)
    }
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(folders | contents.keys()):
            entry = tarfile.TarInfo(name)
            entry.mtime = 0
            if name not in contents:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
                continue
            entry.mode, content = 0o444, contents[name]
            if isinstance(content, Path):
                entry.size = content.stat().st_size
                with content.open("rb") as file:
                    tar.addfile(entry, file)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
